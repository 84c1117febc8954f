package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

const (
	// mostOut is the longest time that the canary may stay in traffic, mostStatus the longest for `rollout status`.
	mostOut    = 5 * time.Second
	mostStatus = time.Second
)

// report holds the measurements.
type report struct {
	date    time.Time
	machine measure.Machine
	rows    []row
	status  []time.Duration
}

// row is an option beside the guide's command. Both lists have the same odd length.
type row struct {
	option, kubectl string
	ours, theirs    []time.Duration
}

func (r report) markdown() string {
	var text strings.Builder
	text.WriteString(measure.Title("Rollbacks by hand", r.date, r.machine))
	text.WriteString("From the start of the command until no endpoint of the rejected pods is left, in turn with the " +
		"guide's " +
		"command. `rollout\n" +
		"rollback` has latched the image by then, and goes on with evidence, configuration, state and smoke suite.\n\n")
	text.WriteString(measure.Header)
	slowest := time.Duration(0)
	for _, row := range r.rows {
		text.WriteString(measure.Row(fmt.Sprintf("`rollout rollback --option %s`", row.option), row.ours))
		text.WriteString(measure.Row("`"+row.kubectl+"`", row.theirs))
		slowest = max(slowest, slices.Max(row.ours))
	}
	text.WriteString(measure.Row("`rollout status`", r.status))
	fmt.Fprintf(&text, "\nThe goal of at most %.0f s for every rollback is %s; the goal of at most %.0f s for `rollout "+
		"status` (median) is %s.\n",
		mostOut.Seconds(), measure.Met(slowest <= mostOut), mostStatus.Seconds(),
		measure.Met(measure.Median(r.status) <= mostStatus))
	text.WriteString(measure.Disturbed(r.machine))
	return text.String()
}
