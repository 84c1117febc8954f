package guard

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/mathext"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	// holdFor is how long the verdict against a canary is held back while the stable track fails too, but not as badly.
	holdFor = 3 * time.Second
	// bin and bins are the width and number of the recent bins, which go into the evidence and confirm alerts.
	bin  = 10 * time.Second
	bins = 60
	// alertAlpha is the level at which the counts of the recent bins must speak against the canary to confirm an alert.
	alertAlpha = 5e-4
)

// tracker holds the evidence on one canary: all counts since it began to take requests or its weight last changed. It
// is not safe for concurrent use.
type tracker struct {
	errorRate, latency gate.Criterion
	errors, slow       *gate.Detector

	began time.Time
	last  time.Time
	// pending are the counts of the stable track since the canary's last ones.
	pending, pendingSlow gate.Counts
	recent               []point
	// newest are the canary's counts of the last newestFor.
	newest    []counted
	heldSince time.Time
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
	t.pending = t.pending.Plus(rise.Requests)
	t.pendingSlow = t.pendingSlow.Plus(rise.Slow)
	at := t.point(now)
	at.stable = at.stable.Plus(rise.Requests)
}

// canary adds counts of the canary, together with those of the stable track since the last call.
func (t *tracker) canary(now time.Time, rise Rise) error {
	elapsed := max(now.Sub(t.last), 0)
	t.last = now
	stable, stableSlow := t.pending, t.pendingSlow
	t.pending, t.pendingSlow = gate.Counts{}, gate.Counts{}
	at := t.point(now)
	at.canary = at.canary.Plus(rise.Requests)
	t.newest = append(slices.DeleteFunc(t.newest, func(c counted) bool { return now.Sub(c.at) > newestFor }),
		counted{now, rise.Requests})
	if err := t.errors.Observe(elapsed, rise.Requests, stable); err != nil {
		return err
	}
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

// look gives the verdict on the errors. A canary that fails no more than the stable track is not blamed, and the shared
// outage is forgotten. While it is unclear which track is bad, the verdict is held back for holdFor.
func (t *tracker) look(now time.Time) gate.Detection {
	detection := t.errorRate.Detect(t.errors)
	switch {
	case detection.Shared:
		t.errors.Forget()
		t.heldSince = time.Time{}
	case detection.Ambiguous(t.errorRate.Rollback):
		if t.heldSince.IsZero() {
			t.heldSince = now
		}
		if now.Sub(t.heldSince) < holdFor {
			detection.Verdict = gate.Inconclusive
			detection.Reason += "; held back, because the stable track fails too"
		}
	default:
		t.heldSince = time.Time{}
	}
	return detection
}

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
func (t *tracker) slowness() gate.Detection { return t.latency.Detect(t.slow) }

// confirms reports whether the counts of the last ten minutes speak against the canary too, and gives them as a text:
// at the rollback limit, the probability of as many failures is at most alertAlpha, and the stable track fails less. It
// asks for more than an alert on a rate does: at a hundred requests in five minutes, such an alert fires in every
// other soak of a healthy release.
func (t *tracker) confirms(now time.Time) (bool, string) {
	var canary, stable gate.Counts
	first := now.Truncate(bin).Add(-(bins - 1) * bin)
	for _, at := range t.recent {
		if !at.start.Before(first) {
			canary, stable = canary.Plus(at.canary), stable.Plus(at.stable)
		}
	}
	back := min(bins*bin, max(now.Sub(t.began), bin)).Round(time.Second)
	text := fmt.Sprintf("%d of %d requests failed in the last %v, beside %d of %d of the stable track", canary.K, canary.N,
		back, stable.K, stable.N)
	if canary.N == 0 {
		return false, text
	}
	if upperTail(canary, t.errorRate.Rollback) > alertAlpha {
		return false, text
	}
	shared := stable.N > 0 && upperTail(stable, t.errorRate.Rollback) <= 0.05 &&
		float64(canary.K)/float64(canary.N) <= 1.5*float64(stable.K)/float64(stable.N)
	return !shared, text
}

// upperTail is the probability of at least K bad events among N at a share of p: the upper tail of the binomial
// distribution, as a regularized incomplete beta function.
func upperTail(counts gate.Counts, p float64) float64 {
	if counts.K <= 0 {
		return 1
	}
	return mathext.RegIncBeta(float64(counts.K), float64(counts.N-counts.K)+1, p)
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
