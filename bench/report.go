package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// goal is the largest ratio of the medians that the project allows itself.
const goal = 1.5

// busy is the load average from which a note says that the machine was not quiet.
const busy = 1.0

// report is what was measured.
type report struct {
	Date    time.Time
	Machine machine
	// Production and Empty are previews of the two programs; the others are builds of them. All have the same, odd length.
	Production, Empty, ProductionBuild, EmptyBuild []time.Duration
}

// ratio is that of the medians of the previews.
func (r report) ratio() float64 { return median(r.Production).Seconds() / median(r.Empty).Seconds() }

// median is the middle one of an odd number of durations.
func median(durations []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(durations))[len(durations)/2]
}

// markdown is the section of the document.
func (r report) markdown() string {
	var text strings.Builder
	fmt.Fprintf(&text, "## Preview of an unchanged stack\n\n%s, %s.\n\n", r.Date.Format(time.DateOnly), r.Machine)
	text.WriteString("| | runs | median | fastest | slowest |\n|---|---|---|---|---|\n")
	row(&text, "`pulumi preview -s production`", r.Production)
	row(&text, "`pulumi preview` of one ConfigMap", r.Empty)
	row(&text, "`go build` of the first program", r.ProductionBuild)
	row(&text, "`go build` of the second program", r.EmptyBuild)
	verdict := "met"
	if r.ratio() > goal {
		verdict = "missed"
	}
	fmt.Fprintf(&text, "\nRatio of the previews' medians: **%.2f**. The goal of at most %.1f is %s.\n", r.ratio(), goal, verdict)
	if r.Machine.Load >= busy {
		fmt.Fprintf(&text, "\nThe machine was not quiet: its load average was %.1f when the measurement began.\n", r.Machine.Load)
	}
	return text.String()
}

func row(text *strings.Builder, name string, durations []time.Duration) {
	fmt.Fprintf(text, "| %s | %d | %.2f s | %.2f s | %.2f s |\n", name, len(durations),
		median(durations).Seconds(), slices.Min(durations).Seconds(), slices.Max(durations).Seconds())
}
