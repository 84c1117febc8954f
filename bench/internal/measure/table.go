package measure

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Median is the middle one of an odd number of durations.
func Median(durations []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(durations))[len(durations)/2]
}

// Header begins a table of durations.
const Header = "| | runs | median | fastest | slowest |\n|---|---|---|---|---|\n"

// Row is a row of a table of durations.
func Row(name string, durations []time.Duration) string {
	return fmt.Sprintf("| %s | %d | %.2f s | %.2f s | %.2f s |\n", name, len(durations),
		Median(durations).Seconds(), slices.Min(durations).Seconds(), slices.Max(durations).Seconds())
}

// Met says whether a goal is.
func Met(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// Title begins a section: what was measured, when, and where.
func Title(heading string, date time.Time, machine Machine) string {
	return fmt.Sprintf("## %s\n\n%s, %s.\n\n", heading, date.Format(time.DateOnly), machine)
}

// Disturbed says that the machine was not quiet; nothing when it was.
func Disturbed(machine Machine) string {
	if machine.Load < busy {
		return ""
	}
	return strings.Join([]string{"", fmt.Sprintf("The machine was not quiet: its load average was %.1f when the "+
		"measurement began.", machine.Load), ""}, "\n")
}

// busy is the load average from which a note says that the machine was not quiet.
const busy = 1.0
