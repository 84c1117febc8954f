package guard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gonum.org/v1/gonum/mathext"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	// holdFor is how long a canary is not blamed while the stable track shows some of the same trouble and not enough of
	// it.
	holdFor = 3 * time.Second
	// bin and bins are the series that are kept for the evidence, and for the look back that an alert is checked against.
	bin  = 10 * time.Second
	bins = 60
	// alertAlpha is the level at which the counts of the last bins must speak against the canary to bear out an alert
	// about them.
	alertAlpha = 5e-4
)

// tracker is the evidence of one canary: everything that was counted since it began to take requests or its weight
// last changed. It is not safe for concurrent use.
type tracker struct {
	errorRate, latency gate.Criterion
	errors, slow       *gate.Detector

	began time.Time
	last  time.Time
	// pending are counts of the stable track that no look has used yet.
	pending, pendingSlow gate.Counts
	recent               []point
	heldSince            time.Time
}

// point is what was counted in a bin of time.
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

// stable adds what the stable track counted.
func (t *tracker) stable(now time.Time, rise Rise) {
	t.pending = t.pending.Plus(rise.Requests)
	t.pendingSlow = t.pendingSlow.Plus(rise.Slow)
	at := t.point(now)
	at.stable = at.stable.Plus(rise.Requests)
}

// canary adds what the canary counted, together with what the stable track did since the last time.
func (t *tracker) canary(now time.Time, rise Rise) error {
	elapsed := max(now.Sub(t.last), 0)
	t.last = now
	stable, stableSlow := t.pending, t.pendingSlow
	t.pending, t.pendingSlow = gate.Counts{}, gate.Counts{}
	at := t.point(now)
	at.canary = at.canary.Plus(rise.Requests)
	if err := t.errors.Observe(elapsed, rise.Requests, stable); err != nil {
		return err
	}
	return t.slow.Observe(elapsed, rise.Slow, stableSlow)
}

// point is the bin of a time.
func (t *tracker) point(now time.Time) *point {
	start := now.Truncate(bin)
	if last := len(t.recent) - 1; last >= 0 && !t.recent[last].start.Before(start) {
		return &t.recent[last]
	}
	if len(t.recent) == bins {
		copy(t.recent, t.recent[1:])
		t.recent = t.recent[:bins-1]
	}
	t.recent = append(t.recent, point{start: start})
	return &t.recent[len(t.recent)-1]
}

// look gives the verdict on the errors. A canary that is as bad as the stable track is not blamed, and what was
// shared is forgotten; while it is unclear which of them is bad, the verdict is held back for some seconds.
func (t *tracker) look(now time.Time) gate.Detection {
	found := t.errorRate.Detect(t.errors)
	switch {
	case found.Shared:
		t.errors.Forget()
		t.heldSince = time.Time{}
	case found.Ambiguous(t.errorRate.Rollback):
		if t.heldSince.IsZero() {
			t.heldSince = now
		}
		if now.Sub(t.heldSince) < holdFor {
			found.Verdict = gate.Inconclusive
			found.Reason += "; held back, because the stable track fails too"
		}
	default:
		t.heldSince = time.Time{}
	}
	return found
}

// warm tells that the evidence is on its way: the next look should come soon.
func (t *tracker) warm() bool { return t.errors.LogEvidence() > 0 }

// slowness gives the verdict on the latency: fail says that a person should look.
func (t *tracker) slowness() gate.Detection { return t.latency.Detect(t.slow) }

// bearsOut tells whether the counts of the last ten minutes speak against the canary too: the probability of as many
// bad ones under the limit is at most alertAlpha, and the stable track is not as bad. It asks more than an alert on a
// rate does, which at a hundred requests in five minutes fires in every other soak of a healthy release.
func (t *tracker) bearsOut() (bool, string) {
	var canary, stable gate.Counts
	for _, at := range t.recent {
		canary, stable = canary.Plus(at.canary), stable.Plus(at.stable)
	}
	text := fmt.Sprintf("%d of %d requests failed in the last %v, beside %d of %d of the stable track", canary.K, canary.N,
		bin*time.Duration(len(t.recent)), stable.K, stable.N)
	if canary.N == 0 {
		return false, text
	}
	if upper(canary, t.errorRate.Rollback) > alertAlpha {
		return false, text
	}
	sharedToo := stable.N > 0 && upper(stable, t.errorRate.Rollback) <= 0.05 &&
		float64(canary.K)/float64(canary.N) <= 1.5*float64(stable.K)/float64(stable.N)
	return !sharedToo, text
}

// upper is the probability of at least K bad ones among N at a share of p: the upper tail of the binomial distribution.
func upper(counts gate.Counts, p float64) float64 {
	if counts.K <= 0 {
		return 1
	}
	return mathext.RegIncBeta(float64(counts.K), float64(counts.N-counts.K)+1, p)
}

// counted tells whether anything was counted of the canary.
func (t *tracker) counted() bool {
	canary, _ := t.errors.Total()
	return canary.N > 0
}

// history are the recent bins as a table.
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
