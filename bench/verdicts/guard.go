package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	// guardAlpha is the guard's level, guardLook the distance between two simulated looks.
	guardAlpha = 1e-4
	guardLook  = 5 * time.Second
	soakLength = 48 * time.Hour
)

// guarded measures the guard's detector: the share of soaks in which it rolls a healthy release back, and its delay for
// a release that turns bad, at the beginning and after 40 hours.
func guarded(trials int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n## The guard's detector\n\nRollback limit 1 %%, alpha %g, %d simulated soaks of 48 hours for "+
		"each row, looked at every %v, at a true error rate of 0.3 %%. The goal\n"+
		"is at most 0.1 %% of the soaks.\n\n", guardAlpha, trials, guardLook)
	text.WriteString("| requests in 5 minutes at the canary | rolled back | with 95 % confidence at most " +
		"|\n|---|---|---|\n")
	for _, rate := range []int{100, 600, 3000} {
		falsely := make([]bool, trials)
		parallel(trials, func(i int) { falsely[i] = rolledBackFalsely(sourceOf(rate, i), float64(rate)/300) })
		rolledBack := int64(0)
		for _, one := range falsely {
			if one {
				rolledBack++
			}
		}
		_, most := gate.Interval(int64(trials), rolledBack, 0.9)
		fmt.Fprintf(&text, "| %d | %.2f %% | %.2f %% |\n", rate, 100*float64(rolledBack)/float64(trials), 100*most)
	}
	text.WriteString("\n10 requests/s at the canary, looked at after every second: time until a rollback.\n\n| the " +
		"canary turns bad | true error rate | median | 9 of 10 within |\n|---|---|---|---|\n")
	for _, begins := range []time.Duration{0, 40 * time.Hour} {
		for _, rate := range []float64{0.33, 0.05, 0.03} {
			median, p90 := delays(begins, rate, 400)
			fmt.Fprintf(&text, "| after %v | %.0f %% | %.0f s | %.0f s |\n", begins, 100*rate, median, p90)
		}
	}
	return text.String()
}

// rolledBackFalsely reports whether a healthy release with that many requests per second is rolled back in a simulated
// soak.
func rolledBackFalsely(source rand.Source, perSecond float64) bool {
	detector := gate.NewDetector(rollback)
	requests := perSecond * guardLook.Seconds()
	pending, elapsed := 0.0, time.Duration(0)
	for at := time.Duration(0); at < soakLength; at += guardLook {
		pending += requests
		elapsed += guardLook
		n := math.Floor(pending)
		if n == 0 {
			continue
		}
		pending -= n
		k := distuv.Binomial{N: n, P: 0.003, Src: source}.Rand()
		observe(detector, elapsed, int64(n), int64(k))
		elapsed = 0
		// The evidence grows only with a failed request.
		if k > 0 && detector.LogEvidence() >= -math.Log(guardAlpha) {
			return true
		}
	}
	return false
}

func observe(detector *gate.Detector, elapsed time.Duration, n, k int64) {
	if err := detector.Observe(elapsed, gate.Counts{N: n, K: k}, gate.Counts{}); err != nil {
		panic(fmt.Errorf("observe simulated counts: %w", err))
	}
}

// delays are the seconds from the time at which a release turns bad to its rollback.
func delays(begins time.Duration, rate float64, trials int) (median, p90 float64) {
	source := rand.NewPCG(seed, math.Float64bits(rate))
	var seconds []float64
	for range trials {
		detector := gate.NewDetector(rollback)
		if good := int64(begins / time.Second * 10); good > 0 {
			observe(detector, begins, good, int64(distuv.Binomial{N: float64(good), P: 0.003, Src: source}.Rand()))
		}
		delay := 0.0
		for detector.LogEvidence() < -math.Log(guardAlpha) {
			delay++
			observe(detector, time.Second, 10, int64(distuv.Binomial{N: 10, P: rate, Src: source}.Rand()))
		}
		seconds = append(seconds, delay)
	}
	slices.Sort(seconds)
	return seconds[len(seconds)/2], seconds[len(seconds)*9/10]
}
