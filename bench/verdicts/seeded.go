package main

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/bursts"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/relative"
)

// seeded is the table of seeded regressions, and of the healthy services beside it.
func seeded(trials, healthy int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## Seeded regressions, and healthy services beside them\n\n%s, Go %s, seeds %d and following, "+
		"%d simulated soaks of 48 hours for each row. Three canary pods with 2 requests a second together\nbeside 18 of "+
		"stable; 20 routes, one with 0.3 %% of the requests; 0.2 %% errors and a lognormal latency with a P95 of 298 ms "+
		"where\nnothing else is said. Limits are the defaults: 0.5 %% and 1 %% errors, P95 500 ms, 1.5 times stable's "+
		"errors, 1.1 times its latency, 1.2 times its CPU, 1.33 times its memory, up to "+
		"200\nslices. *Held* is rolled back or kept from advancing; *rightly* when a "+
		"criterion that names the cause spoke. *First after* is the median.\n\n"+
		"| regression | held | rightly | first after | by |\n|---|---|---|---|---|\n",
		time.Now().UTC().Format(time.DateOnly), strings.TrimPrefix(runtime.Version(), "go"), seed, trials)
	caught, list := 0, regressions()
	for _, r := range list {
		row, rightly := seededRow(r, trials)
		text.WriteString(row)
		if 2*rightly > trials {
			caught++
		}
	}
	fmt.Fprintf(&text, "\n%d of %d are held with the reason named rightly; the goal is 19 of 20. Not covered: errors "+
		"inside a 200, the latency of a slice, and a route that stable does not have.\nPods' nodes differ by 5 %%, one "+
		"block of ten minutes in 20 has a job at a pod that needs as much CPU as its requests, and the canary's "+
		"new\nprocesses need 70 %% of the memory of old ones at first.\n\n", caught, len(list))
	text.WriteString(healthySoaks(healthy))
	return text.String()
}

func seededRow(r regression, trials int) (row string, rightly int) {
	outcomes := make([]*watched, trials)
	parallel(trials, func(i int) { outcomes[i] = r.soaked(seed + uint64(i)) }) //nolint:gosec // above 0
	held, by := 0, map[string]int{}
	var first []time.Duration
	for _, w := range outcomes {
		at, name := time.Duration(math.MaxInt64), ""
		right := false
		for _, criterion := range slices.Sorted(maps.Keys(w.foundAt)) {
			if w.foundAt[criterion] < at {
				at, name = w.foundAt[criterion], criterion
			}
			right = right || slices.Contains(r.named, criterion)
		}
		if name != "" {
			held++
			by[name]++
			first = append(first, at)
		}
		if right {
			rightly++
		}
	}
	after, names := "", ""
	if len(first) > 0 {
		slices.Sort(first)
		after = first[len(first)/2].String()
		for _, name := range slices.Sorted(maps.Keys(by)) {
			names += fmt.Sprintf(", %s (%d)", name, by[name])
		}
	}
	return fmt.Sprintf("| %s | %d of %d | %d | %s | %s |\n", r.name, held, trials, rightly,
		strings.TrimSuffix(after, "0s"), strings.TrimPrefix(names, ", ")), rightly
}

// healthySoaks are the findings on healthy services: independent with 200 slices, and in bursts.
func healthySoaks(soaks int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "False holds by the comparison with stable, %d soaks of 48 hours for each row; none in them shows "+
		"at most %.2f %% with 95 %% confidence. The promise for\nindependent requests is 0.1 %% for all tests together. Of "+
		"the streams of bursts, a canary pod beside nine of stable, all errors of a minute fall on\none route of 20. The "+
		"goal is 2 %%.\n\n| healthy service | errors | slices | CPU and memory |\n|---|---|---|---|\n", soaks,
		100*(1-math.Pow(0.05, 1/float64(soaks))))
	text.WriteString(healthyRows("independent, 0.2 %, 20 routes", soaks, func(seed uint64) *watched {
		return regression{canary: always(usual())}.soaked(seed)
	}))
	for _, spec := range bursts.Healthy(2) {
		text.WriteString(healthyRows(spec.Name, soaks, func(seed uint64) *watched { return bursty(spec, seed) }))
	}
	return text.String()
}

func healthyRows(name string, soaks int, run func(seed uint64) *watched) string {
	whole, parts, needs := make([]bool, soaks), make([]bool, soaks), make([]bool, soaks)
	parallel(soaks, func(i int) {
		w := run(seed + uint64(i)) //nolint:gosec // above 0
		whole[i], parts[i] = w.errors.Finding() != nil, len(w.errors.Found()) > 0
		needs[i] = w.usage.test.CPU() != nil || w.usage.test.Memory() != nil
	})
	count := func(list []bool) float64 {
		sum := 0
		for _, finding := range list {
			if finding {
				sum++
			}
		}
		return 100 * float64(sum) / float64(soaks)
	}
	return fmt.Sprintf("| %s | %.2g %% | %.2g %% | %.2g %% |\n", name, count(whole), count(parts), count(needs))
}

// bursty is a soak of a healthy stream.
func bursty(spec bursts.Spec, seed uint64) *watched {
	stream, err := bursts.New(spec, bursts.Track{PerSecond: 2, Pods: 1}, bursts.Track{PerSecond: 18, Pods: 9}, seed)
	if err != nil {
		panic(fmt.Errorf("make a stream: %w", err))
	}
	w := newWatched(regression{}, seed)
	w.usage = newUsage(w.random, usually, 1, 9)
	for minute := range int(soakLength / time.Minute) {
		var canary, stable gate.Counts
		for range 60 {
			c, s := stream.Next()
			canary, stable = canary.Plus(c), stable.Plus(s)
		}
		start := midnight.Add(time.Duration(minute) * time.Minute)
		w.errors.Add(start, start.Add(time.Minute), canary, stable, w.byRoute(canary, stable))
		w.usage.minute(time.Duration(minute+1)*time.Minute, canary, stable)
	}
	return w
}

// byRoute gives all errors of a minute to one route, and the other requests to all.
func (w *watched) byRoute(canary, stable gate.Counts) relative.Parts {
	parts := relative.Parts{{Label: relative.PodLabel, Value: "a"}: {Canary: canary, Stable: stable}}
	hit := w.random.IntN(len(routes))
	for route, share := range routes {
		var p relative.Pair
		p.Canary.N, p.Stable.N = w.draw(canary.N-canary.K, share), w.draw(stable.N-stable.K, share)
		if route == hit {
			p.Canary.N, p.Canary.K = p.Canary.N+canary.K, canary.K
			p.Stable.N, p.Stable.K = p.Stable.N+stable.K, stable.K
		}
		parts[relative.Slice{Label: "path", Value: fmt.Sprint(route)}] = p
	}
	return parts
}
