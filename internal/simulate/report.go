package simulate

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// String formats the result as a table for people.
func (r Result) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "record: %s to %s, %v, in steps of %v\n", r.Start.Format(time.RFC3339), r.End.Format(time.RFC3339),
		r.End.Sub(r.Start), r.Step)
	fmt.Fprintf(&out, "canary: %d requests, %d failed, %d slow\n", r.Canary.N, r.Canary.K, r.Canary.Slow)
	if r.Stable.N > 0 {
		fmt.Fprintf(&out, "stable: %d requests, %d failed, %d slow\n", r.Stable.N, r.Stable.K, r.Stable.Slow)
	}
	for _, name := range r.LeftOut {
		fmt.Fprintf(&out, "not judged for lack of durations in the record: %s\n", name)
	}
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "AFTER\tBY\tOUTCOME\tVERDICT\tWHY")
	for _, event := range r.Events {
		fmt.Fprintf(table, "%v\t%s\t%s\t%s\t%s\n", event.After, event.By, event.Action, event.Verdict, event.Reason)
	}
	// The writer below is a strings.Builder: flushing cannot fail.
	_ = table.Flush()
	outcome := r.Outcome()
	fmt.Fprintf(&out, "outcome: %s after %v\n", outcome.Action, outcome.After)
	return out.String()
}

// Summary counts the outcomes of many runs.
type Summary struct {
	Runs     int      `json:"runs"`
	Outcomes []Number `json:"outcomes"`
	Extended int      `json:"extended"`
	// Quarantined is the number of runs in which the canary was out of traffic for a while.
	Quarantined int `json:"quarantined,omitempty"`
}

// Number is the frequency of an outcome and the time it took.
type Number struct {
	Action Action `json:"action"`
	By     Source `json:"by"`
	Count  int    `json:"count"`
	// Median, Earliest and Latest are times since the start.
	Median   time.Duration `json:"median"`
	Earliest time.Duration `json:"earliest"`
	Latest   time.Duration `json:"latest"`
}

// Summarize counts the outcomes, the most frequent first.
func Summarize(results []Result) Summary {
	type key struct {
		action Action
		by     Source
	}
	times := map[key][]time.Duration{}
	summary := Summary{Runs: len(results)}
	for _, result := range results {
		outcome := result.Outcome()
		at := key{outcome.Action, outcome.By}
		times[at] = append(times[at], outcome.After)
		if result.has(Extended) {
			summary.Extended++
		}
		if result.has(Quarantined) {
			summary.Quarantined++
		}
	}
	for at, after := range times {
		slices.Sort(after)
		summary.Outcomes = append(summary.Outcomes, Number{
			Action: at.action, By: at.by, Count: len(after),
			Median: after[len(after)/2], Earliest: after[0], Latest: after[len(after)-1],
		})
	}
	slices.SortFunc(summary.Outcomes, func(a, b Number) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(string(a.Action)+string(a.By), string(b.Action)+string(b.By))
	})
	return summary
}

func (r Result) has(action Action) bool {
	return slices.ContainsFunc(r.Events, func(e Event) bool { return e.Action == action })
}

// String formats the summary as a table for people.
func (s Summary) String() string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OUTCOME\tBY\tRUNS\tSHARE\tMEDIAN\tEARLIEST\tLATEST")
	for _, n := range s.Outcomes {
		fmt.Fprintf(table, "%s\t%s\t%d\t%.1f %%\t%v\t%v\t%v\n", n.Action, n.By, n.Count, 100*float64(n.Count)/float64(s.Runs),
			n.Median, n.Earliest, n.Latest)
	}
	_ = table.Flush()
	fmt.Fprintf(&out, "%d of %d soaks were extended\n", s.Extended, s.Runs)
	if s.Quarantined > 0 {
		fmt.Fprintf(&out, "%d of %d canaries were in quarantine for a while\n", s.Quarantined, s.Runs)
	}
	return out.String()
}
