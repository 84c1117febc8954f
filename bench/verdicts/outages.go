package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/outages"
)

// outageSeed is the seed of the first simulated outage; the others follow.
const outageSeed = 20261129

// sharedOutages is the table of the outages that both tracks share, each case of it run that often, and of canaries
// that are bad by themselves.
func sharedOutages(repeats int) string {
	var text strings.Builder
	cases := outages.Shared()
	results := simulated(cases, repeats)
	fmt.Fprintf(&text, "## Shared outages\n\n%s, Go %s, seeds %d and following, %d simulated outages: each of %d cases "+
		"%d times, decided by the guard's own code (`internal/guard/blame`).\nAll requests of ten pods fail at one moment with "+
		"the same probability, for 5, 20 or 60 s; 30 or 100 %% of them; 10, 30 or 60 %% at the canary; "+
		"1, 10, 50\nor 100 requests/s at each pod, 0.2 %% failing before and after. Pods are scraped at random phases, and "+
		"asked in between where the guard asks. The goal is 0.\n\n"+
		"| scrapes | stable's scrapes in the outage | outages | blamed |\n|---|---|---|---|\n",
		time.Now().UTC().Format(time.DateOnly), strings.TrimPrefix(runtime.Version(), "go"), outageSeed,
		len(results), len(cases), repeats)
	type row struct {
		every   time.Duration
		limited bool
		silence outages.Silence
	}
	counted, blamed := map[row]int{}, map[row]int{}
	var rows []row
	for i, got := range results {
		c := cases[i%len(cases)]
		r := row{c.Every, c.Limited, c.Silence}
		if counted[r] == 0 {
			rows = append(rows, r)
		}
		counted[r]++
		if got.Blamed > 0 {
			blamed[r]++
		}
	}
	all := 0
	for _, r := range rows {
		scrapes := fmt.Sprintf("every %v", r.every)
		if r.limited {
			scrapes += ", more refused with 429"
		}
		fmt.Fprintf(&text, "| %s | %s | %d | %d |\n", scrapes, r.silence, counted[r], blamed[r])
		all += blamed[r]
	}
	_, most := gate.Interval(int64(len(results)), int64(all), 0.9)
	fmt.Fprintf(&text, "\n%d of %d are blamed: with 95 %% confidence at most %.3f %%.\n", all, len(results), 100*most)
	return text.String() + badBesideStable(max(10*repeats, 10))
}

// simulated runs all cases that often, those of a repetition one after the other.
func simulated(cases []outages.Case, repeats int) []outages.Outcome {
	results := make([]outages.Outcome, repeats*len(cases))
	parallel(len(results), func(i int) {
		got, err := outages.Run(cases[i%len(cases)], criterion(), outageSeed+uint64(i)) //nolint:gosec // above 0
		if err != nil {
			panic(fmt.Errorf("simulate an outage: %w", err))
		}
		results[i] = got
	})
	return results
}

// badBesideStable is the table of what the comparison costs where the canary alone is bad.
func badBesideStable(trials int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n### A bad canary, compared with stable\n\n10 requests/s at the canary, "+
		"scraped every second, bad from the beginning, %d trials a row: medians of the time until the canary's own evidence"+
		"\nsuffices, which was the time until the rollback before the tracks were compared like this, and until the canary "+
		"is blamed.\n\n| canary | its error rate | "+
		"stable's error rate | evidence after | blamed after |\n|---|---|---|---|---|\n", trials)
	for _, canary := range []int{1, 3, 6} {
		for _, bad := range []float64{1, 0.33, 0.05} {
			for _, stable := range []float64{0, 0.002, 0.02} {
				c := outages.Case{Canary: canary, Stable: 10 - canary, PerSecond: 10 / float64(canary), Every: time.Second,
					Bad: bad, Mean: stable}
				var evidence, blamed []float64
				for _, got := range simulated([]outages.Case{c}, trials) {
					evidence = append(evidence, got.Suspected.Seconds())
					blamed = append(blamed, never(got.Blamed))
				}
				fmt.Fprintf(&text, "| %d of 10 pods | %.0f %% | %.1f %% | %.1f s | %s |\n", canary, 100*bad, 100*stable,
					middle(evidence), tenths(middle(blamed)))
			}
		}
	}
	return text.String()
}

// never is the seconds of a duration; +Inf for 0.
func never(d time.Duration) float64 {
	if d == 0 {
		return math.Inf(1)
	}
	return d.Seconds()
}

func tenths(seconds float64) string {
	if math.IsInf(seconds, 1) {
		return "not in 20 min"
	}
	return fmt.Sprintf("%.1f s", seconds)
}
