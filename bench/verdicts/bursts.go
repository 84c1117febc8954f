package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/bursts"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

// rule is a way from the guard's evidence to a conviction.
type rule struct {
	name string
	// bound is that of the evidence that convicts; nil for none.
	bound *gate.Cap
	// quarantine has the pauses; nil where the evidence convicts at once.
	quarantine *quarantine.Policy
}

// rules are those that are compared. The first is today's.
func rules() []rule {
	policy := quarantine.DefaultPolicy()
	shorter, byCap := policy, policy
	shorter.Pauses = []time.Duration{time.Minute, 90 * time.Second}
	// More pauses than a soak can hold: only the cap convicts.
	byCap.Pauses = append([]time.Duration{time.Minute}, slices.Repeat([]time.Duration{3 * time.Minute}, 2000)...)
	thirty, sixty := gate.Cap{Nats: 3, Block: 30 * time.Second}, gate.Cap{Nats: 3, Block: time.Minute}
	return []rule{
		{name: "today"}, {name: "3 nats in 30 s", bound: &thirty}, {name: "3 nats in 60 s", bound: &sixty},
		{name: "quarantine", bound: &thirty, quarantine: &policy},
		{name: "quarantine of 60 s, 90 s", bound: &thirty, quarantine: &shorter},
		{name: "quarantine, convicted by the cap alone", bound: &thirty, quarantine: &byCap},
	}
}

// criterion is the guard's.
func criterion() gate.Criterion {
	c := gate.ErrorRate(target, rollback)
	c.Alpha = guardAlpha
	return c
}

// quietStep is the longest time without a failure that is observed at once. A guard looks every second; where nothing
// fails, the evidence only falls.
const quietStep = 10 * time.Second

// midnight is the beginning of every stream.
var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// trial is a canary under one rule.
type trial struct {
	rule  rule
	fast  *gate.Watch
	slow  *gate.Watch // the capped evidence
	state quarantine.State
	// pending are the counts since the last observation.
	pending        time.Duration
	canary, stable gate.Counts
	// served are the requests since the canary was let in.
	served int64
	held   bool
	// outSince is when the quarantine under way began.
	outSince time.Duration

	// isolatedAt and convictedAt are the times since midnight of the first isolation and of the conviction; 0 for never.
	isolatedAt, convictedAt time.Duration
	quarantines             int
	// failed are the failed answers that the canary has served.
	failed int64
}

func newTrial(r rule) *trial {
	t := &trial{rule: r, fast: gate.NewWatch(criterion())}
	if r.bound != nil {
		t.slow = gate.NewCappedWatch(criterion(), *r.bound)
	}
	return t
}

// second judges a second that ends at a time since midnight.
func (t *trial) second(at time.Duration, canary, stable gate.Counts) {
	if t.convictedAt > 0 {
		return
	}
	serving := t.state.Phase == "" || t.state.Phase == quarantine.Serving
	if serving && canary.K == 0 && !t.held && t.pending+time.Second < quietStep {
		t.pending += time.Second
		t.canary, t.stable, t.served = t.canary.Plus(canary), t.stable.Plus(stable), t.served+canary.N
		return
	}
	look := quarantine.Look{At: midnight.Add(at)}
	if t.state.InTraffic() {
		t.failed += canary.K
		t.served += canary.N
		look.Served = t.served
		t.judge(&look, canary, stable)
	}
	t.decide(at, look)
}

// judge observes the counts and notes in the look what speaks against the canary.
func (t *trial) judge(look *quarantine.Look, canary, stable gate.Counts) {
	calm := canary.K == 0 && !t.held
	if !calm && t.pending > 0 {
		t.observe()
	}
	t.pending += time.Second
	t.canary, t.stable = t.canary.Plus(canary), t.stable.Plus(stable)
	if calm && t.pending < quietStep {
		return
	}
	t.observe()
	if calm {
		return
	}
	held := false
	if t.slow == nil || t.rule.quarantine != nil {
		look.Fast = fires(t.fast, look.At, t.held, &held)
		all, _ := t.slowOrFast().Total()
		look.Total = look.Fast && quarantine.IsTotal(all.N, all.K)
	}
	if t.slow != nil {
		look.Proven = fires(t.slow, look.At, t.held, &held)
	}
	t.held = held
}

// fires looks at evidence that may suffice. held is set where it does and the verdict is held back.
func fires(watch *gate.Watch, now time.Time, before bool, held *bool) bool {
	if !before && watch.LogEvidence() < -math.Log(guardAlpha) {
		return false
	}
	detection := watch.Look(now)
	*held = *held || detection.LogEvidence >= detection.Threshold && detection.Verdict != gate.Fail && !detection.Shared
	return detection.Verdict == gate.Fail
}

// slowOrFast is the watch that was never begun anew.
func (t *trial) slowOrFast() *gate.Watch {
	if t.slow != nil {
		return t.slow
	}
	return t.fast
}

func (t *trial) observe() {
	for _, watch := range []*gate.Watch{t.fast, t.slow} {
		if watch == nil {
			continue
		}
		if err := watch.Observe(t.pending, t.canary, t.stable); err != nil {
			panic(fmt.Errorf("observe simulated counts: %w", err))
		}
	}
	t.pending, t.canary, t.stable = 0, gate.Counts{}, gate.Counts{}
}

// decide follows the rule.
func (t *trial) decide(at time.Duration, look quarantine.Look) {
	policy := t.rule.quarantine
	if policy == nil {
		if t.slow == nil && look.Fast || look.Proven {
			t.isolatedAt, t.convictedAt = at, at
		}
		return
	}
	state, action := policy.Next(t.state, look)
	t.state = state
	switch action.Verb {
	case quarantine.Isolate:
		t.quarantines++
		t.outSince = at
		if t.isolatedAt == 0 {
			t.isolatedAt = at
		}
	case quarantine.RollBack:
		t.convictedAt = at
		if t.isolatedAt == 0 {
			t.isolatedAt = at
		}
	case quarantine.AdmitOne:
		// The fast evidence begins anew, and the clock of the capped one goes on: a pause ends a block.
		t.fast, t.served, t.held = gate.NewWatch(criterion()), 0, false
		t.pending, t.canary, t.stable = at-t.outSince, gate.Counts{}, gate.Counts{}
		t.observe()
	}
}

// soaked runs all rules over a healthy stream of 48 hours.
func soaked(spec bursts.Spec, perSecond float64, seed uint64) []*trial {
	stream, err := bursts.New(spec, bursts.Track{PerSecond: perSecond, Pods: 1},
		bursts.Track{PerSecond: 9 * perSecond, Pods: 9}, seed)
	if err != nil {
		panic(fmt.Errorf("make a stream: %w", err))
	}
	var trials []*trial
	for _, r := range rules() {
		trials = append(trials, newTrial(r))
	}
	for at := time.Second; at <= soakLength; at += time.Second {
		canary, stable := stream.Next()
		for _, t := range trials {
			t.second(at, canary, stable)
		}
	}
	return trials
}

// parallel calls f for all numbers below n, on all processors.
func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	group.Wait()
}

// healthyBursts is the table of healthy canaries that end latched.
func healthyBursts(soaks int, rates []int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n## Healthy canaries whose errors come in bursts\n\n%s, Go %s, seeds %d and following, %d "+
		"simulated soaks of 48 hours for each row: the share that ends latched. A canary of one pod beside nine\nof "+
		"stable; rollback limit 1 %%, alpha %g, looked at every second. The promise of at most alpha is that of "+
		"independent errors; for the rest these rows are\nall there is. The goal is at most 1 %% each, and at "+
		"most 0.1 %% for independent errors; %d soaks without a latch show at most %.1f %% with 95 %% "+
		"confidence. Bursts last\n1 s to 2 min. *3 nats in 30 s* is today's test with that cap on its evidence. "+
		"*Quarantine* takes the canary out when today's test fires, for 60 s and\nthen 180 s, and latches it at "+
		"the third time in a row or by the evidence capped at 3 nats in 30 s. The last two columns are its own.\n",
		time.Now().UTC().Format(time.DateOnly), strings.TrimPrefix(runtime.Version(), "go"), seed,
		soaks, guardAlpha, soaks, 100*(1-math.Pow(0.05, 1/float64(soaks))))
	for _, rate := range rates {
		fmt.Fprintf(&text, "\n%d requests in 5 minutes at the canary:\n\n| errors |", rate)
		for _, r := range rules() {
			fmt.Fprintf(&text, " %s |", r.name)
		}
		text.WriteString(" quarantines a soak | out of traffic |\n|" + strings.Repeat("---|", len(rules())+3) + "\n")
		perSecond := float64(rate) / 300
		specs := append(bursts.Healthy(perSecond), bursts.Spec{Name: "independent, exactly 1 %", Mean: 0.01})
		for _, spec := range specs {
			text.WriteString(healthyRow(spec, perSecond, soaks))
		}
	}
	return text.String()
}

func healthyRow(spec bursts.Spec, perSecond float64, soaks int) string {
	results := make([][]*trial, soaks)
	parallel(soaks, func(i int) { results[i] = soaked(spec, perSecond, seed+uint64(i)) }) //nolint:gosec // above 0
	row := "| " + spec.Name + " |"
	for r := range rules() {
		latched := 0
		for _, trials := range results {
			if trials[r].convictedAt > 0 {
				latched++
			}
		}
		row += fmt.Sprintf(" %.3g %% |", 100*float64(latched)/float64(soaks))
	}
	quarantines, out := 0, time.Duration(0)
	for _, trials := range results {
		t := trials[measuredRule]
		quarantines += t.quarantines
		out += t.state.Out
	}
	return row + fmt.Sprintf(" %.2f | %.2f %% |\n", float64(quarantines)/float64(soaks),
		100*out.Seconds()/float64(soaks)/soakLength.Seconds())
}

// measuredRule is the one whose quarantines are counted.
const measuredRule = 3

// badCanaries is the table of canaries that turn bad after a day.
func badCanaries(trials int, rates []int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n### A canary that turns bad after 24 hours\n\nIndependent errors, 0.3 %% before, %d trials for "+
		"each row: medians of the seconds until it is out of traffic and until it is latched, and of the\nfailed answers "+
		"that it served from then on.\n\n| requests in 5 minutes | true error rate | rule | out after | latched after | "+
		"failed answers |\n|---|---|---|---|---|---|\n", trials)
	for _, rate := range rates {
		for _, share := range []float64{1, 0.33, 0.05, 0.02} {
			results := make([][]*trial, trials)
			parallel(trials, func(i int) { results[i] = turned(share, float64(rate)/300, uint64(i)) }) //nolint:gosec // above 0
			for r, name := range rules() {
				var outAfter, latchedAfter, failed []float64
				for _, all := range results {
					t := all[r]
					outAfter = append(outAfter, sinceDay(t.isolatedAt))
					latchedAfter = append(latchedAfter, sinceDay(t.convictedAt))
					failed = append(failed, float64(t.failed))
				}
				fmt.Fprintf(&text, "| %d | %.0f %% | %s | %s | %s | %.0f |\n", rate, 100*share, name.name,
					seconds(middle(outAfter)), seconds(middle(latchedAfter)), middle(failed))
			}
		}
	}
	return text.String()
}

const turnsBad = 24 * time.Hour

// sinceDay is the seconds from the turn to a time; +Inf for never.
func sinceDay(at time.Duration) float64 {
	if at == 0 {
		return math.Inf(1)
	}
	return (at - turnsBad).Seconds()
}

func seconds(s float64) string {
	if math.IsInf(s, 1) {
		return "not in 3 h"
	}
	return fmt.Sprintf("%.0f s", s)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// turned runs all rules over a canary that turns bad.
func turned(share, perSecond float64, stream uint64) []*trial {
	source := rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // a simulation is to be repeatable
	var trials []*trial
	for _, r := range rules() {
		trials = append(trials, newTrial(r))
	}
	served := 0.0
	for at := time.Second; at <= turnsBad+3*time.Hour; at += time.Second {
		served += perSecond
		n := math.Floor(served)
		served -= n
		p := 0.003
		if at > turnsBad {
			p = share
		}
		canary := gate.Counts{N: int64(n), K: int64(n)}
		if n > 0 && p < 1 {
			canary.K = int64(distuv.Binomial{N: n, P: p, Src: source}.Rand())
		}
		convicted := true
		for _, t := range trials {
			t.second(at, canary, gate.Counts{N: 9 * canary.N})
			convicted = convicted && t.convictedAt > 0
		}
		if at == turnsBad {
			for _, t := range trials {
				t.failed = 0
			}
		}
		if convicted {
			break
		}
	}
	return trials
}
