package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/bursts"
	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	bakeLength, bakeLook = 5 * time.Minute, 15 * time.Second
	bakeRequests         = 100
	// bakeAlpha is the default of bake.confidence.
	bakeAlpha = 1e-4
	// soakedReleases bounds the releases of a row that go on to a soak.
	soakedReleases = 200
)

// release is a release in a simulated bake and soak. It is its clock.
type release struct {
	stream *bursts.Stream
	at     time.Duration
	counts gate.Counts
}

// Now is the time of the last counted second.
func (r *release) Now() time.Time { return midnight.Add(r.at) }

// After counts the requests of the duration.
func (r *release) After(d time.Duration) <-chan time.Time {
	r.serve(d)
	reached := make(chan time.Time, 1)
	reached <- r.Now()
	return reached
}

func (r *release) serve(d time.Duration) {
	for end := r.at + d; r.at < end; r.at += time.Second {
		canary, _ := r.stream.Next()
		r.counts = r.counts.Plus(canary)
	}
}

// bake is the verdict of the bake, and its length.
func (r *release) bake(criterion gate.Criterion) (gate.Verdict, time.Duration) {
	config := gate.BakeConfig{Duration: bakeLength, Interval: bakeLook}
	evaluation := gate.Bake(context.Background(), r, config, func(context.Context, time.Time) gate.Evaluation {
		return gate.Evaluation{Results: []gate.Result{criterion.DecideAgainst(r.counts, nil)}}
	})
	return evaluation.Verdict(), r.at
}

// soak is the verdict of the soak of 48 hours after the bake, extended once by 24.
func (r *release) soak(criterion gate.Criterion) gate.Verdict {
	r.counts = gate.Counts{}
	r.serve(soakLength)
	verdict := criterion.Judge(r.counts, nil).Verdict
	if verdict == gate.Inconclusive {
		r.serve(24 * time.Hour)
		verdict = criterion.Judge(r.counts, nil).Verdict
	}
	return verdict
}

// baked is the table of bakes, and of the soaks after those that passed.
func baked(trials int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## What the bake passes\n\n%s, Go %s, seeds %d and following, %d simulated bakes for each row "+
		"and %d soaks of 48 hours, extended once, after bakes that passed. Target\n0.5 %%, rollback limit 1 %%, at least %d "+
		"requests, %v looked at every %v. The goal is that at most 2 %% at 0.1 %% and 5 %% at 0.3 %% do not pass the bake,\n"+
		"and that at most 1 %% at 1 %% pass bake and soak. The limits hold for independent errors; bursts are measured.\n\n"+
		"| true error rate | requests in 5 minutes | pass | fail | inconclusive | mean length | pass bake and soak "+
		"|\n|---|---|---|---|---|---|---|\n", time.Now().UTC().Format(time.DateOnly),
		strings.TrimPrefix(runtime.Version(), "go"), seed, trials, min(trials, soakedReleases), bakeRequests, bakeLength,
		bakeLook)
	for _, rate := range []int{100, 300, 600, 3000} {
		perSecond := float64(rate) / 300
		for _, mean := range []float64{0.001, 0.003, 0.005, 0.01, 0.02} {
			text.WriteString(bakedRow(bursts.Spec{Name: fmt.Sprintf("%.1f %%", 100*mean), Mean: mean}, rate, trials))
		}
		for _, size := range []int{20, 200} {
			text.WriteString(bakedRow(inBursts(0.003, size, perSecond), rate, trials))
		}
		text.WriteString(bakedRow(inBursts(0.008, 200, perSecond), rate, trials))
	}
	return text.String()
}

// inBursts is a stream of the mean whose errors come in bursts alone, within a minute each.
func inBursts(mean float64, size int, perSecond float64) bursts.Spec {
	every := time.Duration(float64(size) / (mean * perSecond) * float64(time.Second))
	return bursts.Spec{Name: fmt.Sprintf("%.1f %% in bursts of %d", 100*mean, size), Troubles: []bursts.Trouble{
		{Every: every, Shortest: time.Second, Longest: time.Minute, Errors: size}}}
}

func bakedRow(spec bursts.Spec, rate, trials int) string {
	criterion := gate.ErrorRate(target, rollback)
	criterion.MinRequests, criterion.Alpha = bakeRequests, bakeAlpha
	verdicts, lengths := make([]gate.Verdict, trials), make([]time.Duration, trials)
	passedBoth := make([]bool, min(trials, soakedReleases))
	parallel(trials, func(i int) {
		stream, err := bursts.New(spec, bursts.Track{PerSecond: float64(rate) / 300, Pods: 1}, bursts.Track{Pods: 1},
			seed+uint64(i)) //nolint:gosec // above 0
		if err != nil {
			panic(fmt.Errorf("make a stream: %w", err))
		}
		r := &release{stream: stream}
		verdicts[i], lengths[i] = r.bake(criterion)
		if verdicts[i] == gate.Pass && i < len(passedBoth) {
			passedBoth[i] = r.soak(criterion) == gate.Pass
		}
	})
	counted, length, both := map[gate.Verdict]int{}, time.Duration(0), 0
	for i := range verdicts {
		counted[verdicts[i]]++
		length += lengths[i]
	}
	for _, passed := range passedBoth {
		if passed {
			both++
		}
	}
	share := func(count, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(count)/float64(of)) }
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %v | %s |\n", spec.Name, rate, share(counted[gate.Pass], trials),
		share(counted[gate.Fail], trials), share(counted[gate.Inconclusive], trials),
		(length / time.Duration(trials)).Round(time.Second), share(both, len(passedBoth)))
}
