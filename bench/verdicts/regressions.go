package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/relative"
)

const (
	// canaryPods serve 2 requests a second together, stable nine times as many.
	canaryPods     = 3
	canaryPerBlock = 120
	stableTimes    = 9
	// usualShare is the share of failed requests of a healthy release on every route.
	usualShare = 0.002
	// usualMedian and spread are the lognormal latency, in seconds: a P95 of 298 ms.
	usualMedian, spread = 0.08, 0.8
)

// latencyBounds are those of Prometheus' client libraries.
var latencyBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// routes are the shares of the requests: two rare routes, and 18 that share the rest.
var routes = func() []float64 {
	shares := []float64{0.003, 0.02}
	for range 18 {
		shares = append(shares, (1-0.023)/18)
	}
	return shares
}()

// behaviour is how the requests of a pod's route go in a block.
type behaviour struct {
	// errors is the share that fails.
	errors float64
	// slower is the factor of the latency; tail is the share that takes three seconds longer.
	slower, tail float64
}

func usual() behaviour { return behaviour{errors: usualShare, slower: 1} }

// regression is a way to be worse than stable.
type regression struct {
	name string
	// stable is the share of stable's errors; 0 for the usual one.
	stable float64
	// canary is the behaviour in a block, counted in minutes since the beginning, of a pod's route. luck is drawn for each
	// minute, from 0 to 1.
	canary func(minute, pod, route int, luck float64) behaviour
	// named are the results that name the reason rightly.
	named []string
	// needs is what the canary needs; nil for what stable does.
	needs func(after time.Duration) need
}

// always is a behaviour that does not change.
func always(b behaviour) func(int, int, int, float64) behaviour {
	return func(int, int, int, float64) behaviour { return b }
}

// where is a behaviour of some requests; the others are as usual.
func where(b behaviour, holds func(minute, pod, route int) bool) func(int, int, int, float64) behaviour {
	return func(minute, pod, route int, _ float64) behaviour {
		if holds(minute, pod, route) {
			return b
		}
		return usual()
	}
}

func failing(share float64) behaviour      { return behaviour{errors: share, slower: 1} }
func slowed(factor float64) behaviour      { return behaviour{errors: usualShare, slower: factor} }
func trailing(share float64) behaviour     { return behaviour{errors: usualShare, slower: 1, tail: share} }
func isNight(minute int) bool              { return minute%1440 < 6*60 }
func onRoute(r int) func(_, _, _ int) bool { return func(_, _, route int) bool { return route == r } }
func onPod(p int) func(_, _, _ int) bool   { return func(_, pod, _ int) bool { return pod == p } }

// regressions are those that the criteria cover.
func regressions() []regression {
	const absolute, latency = "error rate", "P95 latency"
	return []regression{
		{name: "30-fold errors, 0.01 -> 0.3 %", stable: 0.0001, canary: always(failing(0.003)),
			named: []string{relative.NameErrors}},
		{name: "10-fold errors, 0.01 -> 0.1 %", stable: 0.0001, canary: always(failing(0.001)),
			named: []string{relative.NameErrors}},
		{name: "0.1 -> 0.4 % errors", stable: 0.001, canary: always(failing(0.004)), named: []string{relative.NameErrors}},
		{name: "0.2 -> 0.7 % errors", canary: always(failing(0.007)), named: []string{relative.NameErrors, absolute}},
		{name: "0.2 -> 5 % errors", canary: always(failing(0.05)), named: []string{relative.NameErrors, absolute}},
		{name: "a route of 0.3 % dead", canary: where(failing(1), onRoute(0)), named: []string{relative.NameSlices}},
		{name: "a tenant of 2 % fails 5 %", canary: where(failing(0.05), onRoute(1)), named: []string{relative.NameSlices}},
		{name: "one of three pods fails 2 %", canary: where(failing(0.02), onPod(0)), named: []string{relative.NameSlices,
			relative.NameErrors}},
		{name: "one of three pods is half as fast", canary: where(slowed(2), onPod(0)),
			named: []string{relative.NameLatency}},
		{name: "P99 only: 1 % take 3 s more", canary: always(trailing(0.01)), named: []string{relative.NameLatency}},
		{name: "4 % take 3 s more", canary: always(trailing(0.04)), named: []string{relative.NameLatency, latency}},
		{name: "+20 % latency", canary: always(slowed(1.2)), named: []string{relative.NameLatency}},
		{name: "+50 % latency", canary: always(slowed(1.5)), named: []string{relative.NameLatency}},
		{name: "1 % errors from hour 40 on", canary: where(failing(0.01),
			func(minute, _, _ int) bool { return minute >= 40*60 }), named: []string{relative.NameErrors}},
		{name: "1 % errors, only at night", canary: where(failing(0.01),
			func(minute, _, _ int) bool { return isNight(minute) }), named: []string{relative.NameErrors}},
		{name: "0.8 % errors in bursts of 120", canary: inMinutes, named: []string{relative.NameErrors, absolute}},
		{name: "a leak: 2 % slower every hour", canary: func(minute, _, _ int, _ float64) behaviour {
			return slowed(1 + 0.02*float64(minute)/60)
		}, named: []string{relative.NameLatency}},
		{name: "+30 % CPU a request", canary: always(usual()), named: []string{relative.NameCPU},
			needs: func(time.Duration) need { return need{1.3, 1} }},
		{name: "a leak: 1.5 % more memory every hour, nothing slower", canary: always(usual()),
			named: []string{relative.NameMemory}, needs: leaking(0.015)},
		{name: "5 % errors for 5 minutes every hour", canary: where(failing(0.05), func(minute, _, _ int) bool {
			return minute%60 < 5
		}), named: []string{relative.NameErrors, absolute}},
	}
}

// inMinutes is a mean of 0.8 % in minutes in which all requests fail.
func inMinutes(_, _, _ int, luck float64) behaviour {
	if luck < 0.008 {
		return failing(1)
	}
	return failing(0)
}

// watched is a soak under all criteria.
type watched struct {
	errors         *relative.Errors
	usage          *usage
	latency        *relative.Latency
	canary, slow   gate.Counts
	foundAt        map[string]time.Duration
	random         *rand.Rand
	latencySource  map[behaviour][]float64
	stableBehavior behaviour
}

func newWatched(r regression, seed uint64) *watched {
	limits, bound := relative.DefaultLimits(), relative.DefaultCap()
	w := &watched{
		errors:  relative.NewErrors(limits, bound, midnight),
		latency: relative.NewLatency(limits, bound, midnight, latencyBounds),
		foundAt: map[string]time.Duration{}, latencySource: map[behaviour][]float64{}, stableBehavior: usual(),
		random: rand.New(rand.NewPCG(seed, 14)), //nolint:gosec // a simulation is to be repeatable
	}
	if r.stable > 0 {
		w.stableBehavior.errors = r.stable
	}
	w.usage = newUsage(w.random, r.needs, canaryPods, canaryPods*stableTimes)
	return w
}

// above are the shares of the requests above each bound.
func (w *watched) above(b behaviour) []float64 {
	b.errors = 0
	if known := w.latencySource[b]; known != nil {
		return known
	}
	d := distuv.LogNormal{Mu: math.Log(usualMedian * b.slower), Sigma: spread}
	shares := make([]float64, len(latencyBounds))
	for i, bound := range latencyBounds {
		longer := 1.0
		if bound > 3 {
			longer = 1 - d.CDF(bound-3)
		}
		shares[i] = (1-b.tail)*(1-d.CDF(bound)) + b.tail*longer
	}
	w.latencySource[b] = shares
	return shares
}

func (w *watched) draw(n int64, share float64) int64 {
	if n <= 0 || share <= 0 {
		return 0
	}
	return int64(distuv.Binomial{N: float64(n), P: min(share, 1), Src: w.random}.Rand())
}

// requests draws the requests of a route in a block.
func (w *watched) requests(mean float64) int64 {
	return int64(distuv.Poisson{Lambda: mean, Src: w.random}.Rand())
}

// tails adds n requests to the latencies.
func (w *watched) tails(l *relative.Latencies, n int64, shares []float64) {
	l.N += n
	left, last := n, 1.0
	for i, share := range shares {
		if last > 0 {
			left = w.draw(left, share/last)
		}
		l.Above[i] += left
		last = share
	}
}

// block adds a minute.
func (w *watched) block(r regression, minute int) {
	start := midnight.Add(time.Duration(minute) * time.Minute)
	parts := relative.Parts{}
	var canary, stable gate.Counts
	mine, theirs := relative.Latencies{Above: make([]int64, len(latencyBounds))},
		relative.Latencies{Above: make([]int64, len(latencyBounds))}
	add := func(slice relative.Slice, canary, stable gate.Counts) {
		p := parts[slice]
		p.Canary, p.Stable = p.Canary.Plus(canary), p.Stable.Plus(stable)
		parts[slice] = p
	}
	luck := w.random.Float64()
	for route, share := range routes {
		slice := relative.Slice{Label: "path", Value: fmt.Sprint(route)}
		n := w.requests(canaryPerBlock * stableTimes * share)
		counts := gate.Counts{N: n, K: w.draw(n, w.stableBehavior.errors)}
		stable = stable.Plus(counts)
		add(slice, gate.Counts{}, counts)
		for pod := range canaryPods {
			now := r.canary(minute, pod, route, luck)
			n := w.requests(canaryPerBlock * share / canaryPods)
			counts := gate.Counts{N: n, K: w.draw(n, now.errors)}
			canary = canary.Plus(counts)
			add(slice, counts, gate.Counts{})
			add(relative.Slice{Label: relative.PodLabel, Value: fmt.Sprint(pod)}, counts, gate.Counts{})
			w.tails(&mine, n, w.above(now))
		}
	}
	w.tails(&theirs, stable.N, w.above(w.stableBehavior))
	for pod := range canaryPods {
		add(relative.Slice{Label: relative.PodLabel, Value: fmt.Sprint(pod)}, gate.Counts{}, stable)
	}
	w.errors.Add(start, start.Add(time.Minute), canary, stable, parts)
	w.latency.Add(start, start.Add(time.Minute), mine, theirs)
	w.usage.minute(time.Duration(minute+1)*time.Minute, canary, stable)
	w.canary = w.canary.Plus(canary)
	w.slow = w.slow.Plus(gate.Counts{N: mine.N, K: mine.Above[6]})
	w.note(time.Duration(minute+1) * time.Minute)
}

// note keeps when each criterion spoke first. Those on limits are judged every quarter of an hour.
func (w *watched) note(at time.Duration) {
	record := func(name string, holds bool) {
		if _, known := w.foundAt[name]; holds && !known {
			w.foundAt[name] = at
		}
	}
	record(relative.NameErrors, w.errors.Finding() != nil)
	record(relative.NameSlices, len(w.errors.Found()) > 0)
	record(relative.NameLatency, w.latency.Finding() != nil)
	record(relative.NameCPU, w.usage.test.CPU() != nil)
	record(relative.NameMemory, w.usage.test.Memory() != nil)
	if at%(15*time.Minute) != 0 {
		return
	}
	failed, late := gate.ErrorRate(target, rollback), gate.Latency(500*time.Millisecond, 0.95)
	late.Rollback = 1
	record(failed.Name, failed.Judge(w.canary, nil).Verdict == gate.Fail ||
		at >= soakLength && failed.Judge(w.canary, nil).Verdict != gate.Pass)
	record(late.Name, at >= soakLength && late.Judge(w.slow, nil).Verdict != gate.Pass)
}

// soaked runs a soak of a regression until the relative criteria have spoken, or to its end.
func (r regression) soaked(seed uint64) *watched {
	w := newWatched(r, seed)
	for minute := range int(soakLength / time.Minute) {
		w.block(r, minute)
	}
	return w
}
