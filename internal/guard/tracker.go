package guard

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	// bin and bins are the width and number of the recent bins, which go into the evidence.
	bin  = 10 * time.Second
	bins = 60
)

// tracker holds the evidence on one canary: all counts since it began to take requests or its weight last changed. It
// is not safe for concurrent use.
type tracker struct {
	errorRate, latency gate.Criterion
	errors, slow       *gate.Detector
	// proven is the evidence that no burst gives; nil where the fast evidence convicts.
	proven *gate.Detector

	began time.Time
	last  time.Time
	// pendingSlow are the slow requests of the stable track since the canary's last ones.
	pendingSlow gate.Counts
	recent      []point
	// newest are the canary's counts of the last newestFor.
	newest []counted
}

// counted holds the counts of one scrape of the canary.
type counted struct {
	at     time.Time
	counts gate.Counts
}

// point holds the counts of one bin of time.
type point struct {
	start          time.Time
	canary, stable gate.Counts
}

func newTracker(errorRate, latency gate.Criterion, now time.Time) *tracker {
	return &tracker{
		errorRate: errorRate, latency: latency, began: now, last: now,
		errors: gate.NewDetector(errorRate.Rollback), slow: gate.NewDetector(latency.Rollback),
	}
}

// stable adds counts of the stable track.
func (t *tracker) stable(now time.Time, rise Rise) {
	t.pendingSlow = t.pendingSlow.Plus(rise.Slow)
	at := t.point(now)
	at.stable = at.stable.Plus(rise.Requests)
}

// canary adds counts of the canary, together with those of the stable track since the last call. The errors of both go
// to the court.
func (t *tracker) canary(now time.Time, rise Rise) error {
	elapsed := max(now.Sub(t.last), 0)
	t.last = now
	stableSlow := t.pendingSlow
	t.pendingSlow = gate.Counts{}
	at := t.point(now)
	at.canary = at.canary.Plus(rise.Requests)
	t.newest = append(slices.DeleteFunc(t.newest, func(c counted) bool { return now.Sub(c.at) > newestFor }),
		counted{now, rise.Requests})
	return t.slow.Observe(elapsed, rise.Slow, stableSlow)
}

// point gives the bin of a time.
func (t *tracker) point(now time.Time) *point {
	start := now.Truncate(bin)
	if last := len(t.recent) - 1; last >= 0 && !t.recent[last].start.Before(start) {
		return &t.recent[last]
	}
	t.recent = slices.DeleteFunc(t.recent, func(p point) bool { return start.Sub(p.start) >= bins*bin })
	t.recent = append(t.recent, point{start: start})
	return &t.recent[len(t.recent)-1]
}

// look gives the evidence on the errors, which the court has to weigh against stable's.
func (t *tracker) look() gate.Detection { return t.errorRate.Detect(t.errors) }

// canarySince are the counts of the canary since a time, up to bins before now.
func (t *tracker) canarySince(since time.Time) gate.Counts {
	var counts gate.Counts
	for _, at := range t.recent {
		if at.start.Add(bin).After(since) {
			counts = counts.Plus(at.canary)
		}
	}
	return counts
}

// isWarm reports whether the evidence points against the canary: the next look should come soon.
func (t *tracker) isWarm() bool { return t.errors.LogEvidence() > 0 }

// slowness gives the verdict on the latency; a fail asks a person to look.
func (t *tracker) slowness() gate.Detection {
	if t.latency.Limit == 0 {
		return gate.Detection{Result: gate.Result{Verdict: gate.Inconclusive}}
	}
	return t.latency.Detect(t.slow)
}

// hasCounted reports whether any request of the canary was counted.
func (t *tracker) hasCounted() bool {
	canary, _ := t.errors.Total()
	return canary.N > 0
}

const (
	// newestFor is the time that the canary's share of failures now is taken from.
	newestFor = 5 * time.Second
	// suddenFor and suddenLeast are the time and the requests from which a canary counts as broken that was well before.
	suddenFor   = 1500 * time.Millisecond
	suddenLeast = 10
)

// failing is the share of the canary's requests that fail now; 0 when it got none. A canary that has just broken is
// judged by its newest requests alone: the good ones before say nothing about what its pods are still worth.
func (t *tracker) failing(now time.Time) float64 {
	var all, sudden gate.Counts
	for _, c := range t.newest {
		if now.Sub(c.at) <= suddenFor {
			sudden = sudden.Plus(c.counts)
		}
		if now.Sub(c.at) <= newestFor {
			all = all.Plus(c.counts)
		}
	}
	if all.N == 0 {
		return 0
	}
	share := float64(all.K) / float64(all.N)
	if sudden.N >= suddenLeast && 2*sudden.K >= sudden.N {
		share = max(share, float64(sudden.K)/float64(sudden.N))
	}
	return share
}

// history gives the recent bins as a table.
func (t *tracker) history() string {
	var out strings.Builder
	fmt.Fprintf(&out, "since %s; log evidence %.1f\n", t.began.UTC().Format(time.RFC3339),
		math.Min(t.errors.LogEvidence(), 1e6))
	out.WriteString("time      canary bad/all   stable bad/all\n")
	for _, at := range t.recent {
		fmt.Fprintf(&out, "%s  %6d/%-9d  %6d/%-9d\n", at.start.UTC().Format(time.TimeOnly), at.canary.K, at.canary.N,
			at.stable.K, at.stable.N)
	}
	return out.String()
}
