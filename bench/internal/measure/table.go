package measure

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Median returns the middle of an odd number of durations.
func Median(durations []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(durations))[len(durations)/2]
}

// Header is the header of a table of durations.
const Header = "| | runs | median | fastest | slowest |\n|---|---|---|---|---|\n"

// Row is a row of a table of durations.
func Row(name string, durations []time.Duration) string {
	return fmt.Sprintf("| %s | %d | %.2f s | %.2f s | %.2f s |\n", name, len(durations),
		Median(durations).Seconds(), slices.Min(durations).Seconds(), slices.Max(durations).Seconds())
}

// Met returns met or missed.
func Met(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// Title starts a section with a heading, the date and the machine.
func Title(heading string, date time.Time, machine Machine) string {
	return fmt.Sprintf("## %s\n\n%s, %s.\n\n", heading, date.Format(time.DateOnly), machine)
}

// Disturbed returns a note if the machine was busy, and nothing otherwise.
func Disturbed(machine Machine) string {
	if machine.Load < busy {
		return ""
	}
	return strings.Join([]string{"", fmt.Sprintf("The machine was not quiet: its load average was %.1f when the "+
		"measurement began.", machine.Load), ""}, "\n")
}

// busy is the load average above which the machine counts as busy.
const busy = 1.0
