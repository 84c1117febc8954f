package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/bursts"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/guard/replay"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

// rule is a way from the guard's evidence to a conviction.
type rule struct {
	name string
	// quarantine has the pauses; nil where the evidence convicts at once.
	quarantine *quarantine.Policy
}

// rules are those that are compared: the guard as it ships, with a quarantine, and one without.
func rules() []rule {
	policy := quarantine.DefaultPolicy()
	return []rule{{name: "quarantine", quarantine: &policy}, {name: "without"}}
}

// pauses are those of the quarantine in words.
func pauses() string {
	var list []string
	for _, pause := range quarantine.DefaultPolicy().Pauses {
		list = append(list, fmt.Sprintf("%.0f s", pause.Seconds()))
	}
	return strings.Join(list, ", ")
}

// criterion is the guard's.
func criterion() gate.Criterion {
	c := gate.ErrorRate(target, rollback)
	c.Alpha = guardAlpha
	return c
}

// quietStep is the longest time without a failure that is judged at once: half a block of the capped evidence. A guard
// looks every second; where nothing fails, the evidence only falls.
const quietStep = 30 * time.Second

// midnight is the beginning of every stream.
var midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// trial is a canary under one rule, judged by the guard's own code.
type trial struct {
	rule  rule
	guard *replay.Guard
	// isolatedAt and convictedAt are the times since midnight of the first isolation and of the conviction; 0 for never.
	isolatedAt, convictedAt time.Duration
	quarantines             int
	cause                   string
	// failed are the failed answers that the canary has served.
	failed int64
}

func newTrial(r rule) *trial {
	return &trial{rule: r, guard: replay.New(replay.Rules{Criterion: criterion(), Quarantine: r.quarantine,
		Quiet: quietStep}, midnight)}
}

// second judges a second that ends at a time since midnight.
func (t *trial) second(at time.Duration, canary, stable gate.Counts) {
	if t.convictedAt > 0 {
		return
	}
	if t.guard.InTraffic() {
		t.failed += canary.K
	}
	events, err := t.guard.Add(midnight.Add(at), canary, stable)
	if err != nil {
		panic(fmt.Errorf("judge simulated counts: %w", err))
	}
	for _, event := range events {
		switch event.Kind {
		case replay.Quarantined:
			t.quarantines++
		case replay.RolledBack:
			t.convictedAt, t.cause = at, event.Cause
		case replay.Shared, replay.Readmitted:
			continue
		}
		if t.isolatedAt == 0 {
			t.isolatedAt = at
		}
	}
}

// soak48 is a soak of 48 hours under all rules.
type soak48 struct {
	trials []*trial
	others []rival
}

// soaked runs the guard's rule over a healthy stream of 48 hours, and beside it the other ones if that is wanted.
func soaked(spec bursts.Spec, perSecond float64, seed uint64, beside bool) soak48 {
	stream, err := bursts.New(spec, bursts.Track{PerSecond: perSecond, Pods: 1},
		bursts.Track{PerSecond: 9 * perSecond, Pods: 9}, seed)
	if err != nil {
		panic(fmt.Errorf("make a stream: %w", err))
	}
	s := soak48{trials: []*trial{newTrial(rules()[0])}}
	if beside {
		s.others = others()
		for _, r := range rules()[1:] {
			s.trials = append(s.trials, newTrial(r))
		}
	}
	for at := time.Second; at <= soakLength; at += time.Second {
		canary, stable := stream.Next()
		for _, t := range s.trials {
			t.second(at, canary, stable)
		}
		for _, t := range s.others {
			t.second(at, canary, stable)
		}
	}
	return s
}

func allConvicted(trials []*trial) bool {
	return !slices.ContainsFunc(trials, func(t *trial) bool { return t.convictedAt == 0 })
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

// healthyBursts is the table of healthy canaries that end latched. The rules beside the guard's see the first soaks.
func healthyBursts(soaks, beside int, rates []int) string {
	beside = min(beside, soaks)
	var text strings.Builder
	fmt.Fprintf(&text, "\n## Healthy canaries whose errors come in bursts\n\n%s, Go %s, seeds %d and following, %d "+
		"simulated soaks of 48 hours for each row, and the first %d of them for the rules beside the guard's own: the share "+
		"that ends latched.\nA canary of one pod beside nine of stable; rollback limit 1 %%, alpha %g, looked at every "+
		"second. The promise of at most alpha is that of "+
		"independent errors; for the rest these rows are\nall there is. The goal is at most 1 %% each, and at "+
		"most 0.1 %% for independent errors; %d soaks without a latch show at most %.1f %% with 95 %% "+
		"confidence. Bursts last\n1 s to 2 min. *Quarantine* is the guard as it ships: it takes the canary out when its "+
		"test fires, for %s in turn, and latches\nit at the next time in a row or by the same test "+
		"with its evidence capped at %g nats in %v; the goal of its time out of traffic is at most 1 %%.\n*Without* is a "+
		"guard that latches at once.\n*Argo Rollouts* and *Flagger* are the rules that their documentation gives, with the "+
		"same limit: above it "+
		"in more than 3 measurements of 5 minutes, and in 5 checks of\na minute, in all. *Kayenta* is its judge on the "+
		"error rate a minute, against stable's since the beginning, every hour: a Mann-Whitney test with %g %% "+
		"confidence and a\ntolerance of %g, a score of %d to pass and of %d to go on.\n",
		time.Now().UTC().Format(time.DateOnly), strings.TrimPrefix(runtime.Version(), "go"), seed,
		soaks, beside, guardAlpha, soaks, 100*(1-math.Pow(0.05, 1/float64(soaks))), pauses(), quarantine.Proof().Nats,
		quarantine.Proof().Block, 100*kayentaConfidence, kayentaTolerance, kayentaPass, kayentaMarginal)
	for _, rate := range rates {
		fmt.Fprintf(&text, "\n%d requests in 5 minutes at the canary:\n\n| errors | %s | quarantines a soak | out of "+
			"traffic |", rate, rules()[0].name)
		for _, r := range rules()[1:] {
			fmt.Fprintf(&text, " %s |", r.name)
		}
		for _, other := range others() {
			fmt.Fprintf(&text, " %s |", other.tool())
		}
		text.WriteString("\n|" +
			strings.Repeat("---|", len(others())+len(rules())+3) + "\n")
		perSecond := float64(rate) / 300
		specs := append(bursts.Healthy(perSecond), bursts.Spec{Name: "independent, exactly 1 %", Mean: 0.01})
		for _, spec := range specs {
			row := healthyRow(spec, perSecond, soaks, beside)
			fmt.Fprint(os.Stderr, row) // a run takes long: what is measured is not lost with it
			text.WriteString(row)
		}
	}
	return text.String()
}

func healthyRow(spec bursts.Spec, perSecond float64, soaks, beside int) string {
	results := make([]soak48, soaks)
	parallel(soaks, func(i int) {
		results[i] = soaked(spec, perSecond, seed+uint64(i), i < beside) //nolint:gosec // above 0
	})
	quarantines, out := 0, time.Duration(0)
	for _, s := range results {
		quarantines += s.trials[0].quarantines
		out += s.trials[0].guard.State().Out
	}
	row := fmt.Sprintf("| %s | %s | %.2f | %.2f %% |", spec.Name,
		share(results, func(s soak48) bool { return s.trials[0].convictedAt > 0 }), float64(quarantines)/float64(soaks),
		100*out.Seconds()/float64(soaks)/soakLength.Seconds())
	for r := range rules()[1:] {
		row += " " + share(results[:beside], func(s soak48) bool { return s.trials[1+r].convictedAt > 0 }) + " |"
	}
	for i := range others() {
		row += " " + share(results[:beside], func(s soak48) bool { return s.others[i].rolledBack() > 0 }) + " |"
	}
	return row + "\n"
}

// share is the share of soaks that end latched, in words.
func share(results []soak48, latched func(soak48) bool) string {
	count := 0
	for _, s := range results {
		if latched(s) {
			count++
		}
	}
	return fmt.Sprintf("%.3g %%", 100*float64(count)/float64(len(results)))
}

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
		for _, t := range trials {
			t.second(at, canary, gate.Counts{N: 9 * canary.N})
		}
		if at == turnsBad {
			for _, t := range trials {
				t.failed = 0
			}
		}
		if allConvicted(trials) {
			break
		}
	}
	return trials
}
