package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// report holds the measurements: for each case ours, and behind it the other.
type report struct {
	date    time.Time
	machine measure.Machine
	rate    int
	rows    []row
}

// row holds the runs of a case.
type row struct {
	setting  setting
	name     string
	outcomes []outcome
}

const (
	// fraction is the part of the other's failed requests that ours may have at 60 and 100 %.
	fraction = 4
	// fewest is the smallest number of ready pods that may ever answer, of ten.
	fewest = 8
	// severe is the weight from which on the two goals are for.
	severe = 60
)

func (r report) markdown() string {
	var text strings.Builder
	text.WriteString(measure.Title("A bad canary, beside Argo Rollouts", r.date, r.machine))
	fmt.Fprintf(&text, "Both in turn in one run, on the settings and probes that ship, at %d requests/s: after %v a "+
		"third of the answers of all canary pods fails.\nArgo Rollouts %s has the surge and unavailability of its "+
		"defaults, 25 %% "+
		"each, and an analysis that\nasks Prometheus every 5 s for the share of errors over 15 s, above 1 %% of which it "+
		"aborts at the first. *Out* is\nthe time until no canary pod takes new requests; the guard quarantines at 10 %%, so "+
		"that the canary comes back\nuntil it is out *for good*. *Late* are failures over connections that were open "+
		"before it left, and how long after it\nthe last one came. All runs are listed.\n\n", r.rate, healthy, argoVersion)
	text.WriteString("| at | | out | for good | failed | without an answer | late | fewest ready of 10 |\n" +
		"|---|---|---|---|---|---|---|---|\n")
	for _, row := range r.rows {
		text.WriteString(row.markdown())
	}
	text.WriteString(r.goals())
	text.WriteString(measure.Disturbed(r.machine))
	return text.String()
}

func (r row) markdown() string {
	list := func(format func(outcome) string) string {
		var all []string
		for _, o := range r.outcomes {
			all = append(all, format(o))
		}
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("| %v | %s | %s | %s | %s | %s | %s | %s |\n", r.setting, r.name,
		list(func(o outcome) string { return seconds(o.out) }),
		list(func(o outcome) string { return seconds(o.forGood) }),
		list(func(o outcome) string { return fmt.Sprint(o.failed) }),
		list(func(o outcome) string { return fmt.Sprint(o.unanswered) }),
		list(func(o outcome) string { return fmt.Sprintf("%d until %s", o.late, seconds(o.last)) }),
		list(func(o outcome) string { return fmt.Sprint(o.least) }))
}

// goals are those for the weights at which stable cannot take all requests at once.
func (r report) goals() string {
	var text strings.Builder
	text.WriteString("\n| at | goal | measured | |\n|---|---|---|---|\n")
	for i := 0; i+1 < len(r.rows); i += 2 {
		ours, theirs := r.rows[i], r.rows[i+1]
		if ours.setting.weight < severe {
			continue
		}
		failed, beside := worst(ours, outcome.failures), worst(theirs, outcome.failures)
		fmt.Fprintf(&text, "| %v | at most a quarter of Argo Rollouts' failed requests | %d beside %d | %s |\n", ours.setting,
			failed, beside, measure.Met(fraction*failed <= beside))
		least := -worst(ours, func(o outcome) int { return -o.least })
		fmt.Fprintf(&text, "| %v | never fewer than %d of %d | %d | %s |\n", ours.setting, fewest, total, least,
			measure.Met(least >= fewest))
	}
	return text.String()
}

func (o outcome) failures() int { return o.failed }

// worst is the greatest value of all runs.
func worst(r row, of func(outcome) int) int {
	var all []int
	for _, o := range r.outcomes {
		all = append(all, of(o))
	}
	return slices.Max(all)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
