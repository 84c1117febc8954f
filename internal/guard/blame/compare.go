package blame

import (
	"math"
	"time"

	"gonum.org/v1/gonum/mathext"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	// asBad is the part of the canary's failures, by rate, from which on a stable track in trouble has the same one: at
	// half as many.
	asBad = 0.5
	// surer is by how much surer a comparison has to be than the evidence where stable is not in trouble: it is made in
	// every outage, and the evidence alone needs luck.
	surer = 10
	// alike is the probability above which the tracks' failures pass for those of one cause.
	alike = 0.05
	// fewest are the failures of stable that a shared cause must let expect for their absence to say something.
	fewest = 3
)

// Comparison holds the failures of both tracks over the same time. Stable's may cover more of it.
type Comparison struct {
	// Canary and Stable are the counts; stable's are those of the pods that have answered since.
	Canary, Stable gate.Counts
	// Odds are the requests of those stable pods for one of the canary.
	Odds float64
	// Equal and Chance are the probabilities of so many failures at the canary, given those of both tracks, if stable's
	// pods failed as often, and half as often. They are 1 while no stable pod has answered.
	Equal, Chance float64
	// Recent are stable's counts of the last seconds, of all of its pods.
	Recent gate.Counts

	heard, exists, trouble bool
}

// expected are the failures that stable would have if both tracks failed alike.
func (c Comparison) expected() float64 { return float64(c.Canary.K) * c.Odds }

// chance is the probability of at least k of k+beside failures at the canary, each being its at 1 to odds.
func chance(k, beside int64, odds float64) float64 {
	if k <= 0 || math.IsInf(odds, 1) || math.IsNaN(odds) {
		return 1
	}
	return mathext.RegIncBeta(float64(k), float64(beside)+1, 1/(1+odds))
}

// compare compares the canary's trouble with stable's.
func (c *Court) compare() Comparison {
	q := c.inquiry
	from := q.since
	var canaryRate, stableRate float64
	for _, h := range c.pods {
		if s := h.since(q.since); h.canary && s.to.After(q.since) && s.from.Before(from) {
			from = s.from
		}
	}
	rates := later(c.now.Add(-rateOver), c.began)
	if from.Before(rates) {
		rates = from
	}
	out := Comparison{Canary: q.canary}
	for uid, h := range c.pods {
		if h.canary {
			canaryRate += h.since(rates).rate()
			continue
		}
		recent := h.since(c.recentFrom(uid))
		out.Recent = out.Recent.Plus(recent.Counts)
		out.exists = out.exists || h.since(rates).N > 0
		if len(h.points) > 0 && !h.last().Before(q.at) {
			out.heard = true
			stableRate += h.since(rates).rate()
			out.Stable = out.Stable.Plus(h.since(from).Counts)
		}
	}
	out.trouble = gate.LowerBound(out.Recent.N, out.Recent.K, alike) > c.criterion.Rollback
	if canaryRate > 0 {
		out.Odds = stableRate / canaryRate
	}
	out.Equal, out.Chance = 1, 1
	if out.heard {
		out.Equal = chance(out.Canary.K, out.Stable.K, out.Odds)
		out.Chance = chance(out.Canary.K, out.Stable.K, out.Odds*asBad)
	}
	return out
}

// recentFrom is the time from which on a stable pod's trouble is one of now.
func (c *Court) recentFrom(uid string) time.Time {
	return c.inquiry.at.Add(-max(lookFor, c.slow[uid]))
}

// decide compares the tracks, and ends the inquiry where that gives a verdict or its time is up.
func (c *Court) decide(now time.Time) Step {
	q := c.inquiry
	compared := c.compare()
	over := len(q.waiting) == 0 || !now.Before(q.closes)
	step := Step{Compared: compared, Proven: q.proven, limit: c.criterion.Rollback}
	if step.Detection = c.criterion.Detect(c.fast); q.proven {
		step.Detection = c.criterion.Detect(c.proven)
	}
	switch {
	case !c.hasStable():
		step.Verdict = Canary
	case !compared.heard && !over:
		return Step{Tick: q.next(now)}
	case !compared.heard:
		if c.missed.IsZero() {
			c.missed = q.at
		}
		step.Verdict, step.Quiet = Silent, now.Sub(c.missed)
	case !compared.exists:
		// Stable gets no requests at all, as at 100 %: there is nothing to compare with, and nothing to wait for.
		step.Verdict = Canary
	default:
		step.Verdict = c.verdict(compared, now)
		if step.Verdict == Nothing && !over && c.inquiry != nil {
			return Step{Tick: q.next(now)}
		}
	}
	c.inquiry = nil
	switch step.Verdict {
	case Canary:
		c.undecided = time.Time{}
	case Shared:
		c.forget()
	}
	return step
}

// hasStable reports whether there is a stable pod.
func (c *Court) hasStable() bool {
	for _, h := range c.pods {
		if !h.canary {
			return true
		}
	}
	return false
}

// verdict decides by counts of both tracks.
func (c *Court) verdict(compared Comparison, now time.Time) Verdict {
	surely := compared.Chance <= c.criterion.Alpha || !compared.trouble && compared.Equal <= c.criterion.Alpha/surer
	since := now.Sub(c.shaken)
	switch {
	case !c.shared.IsZero() && now.Sub(c.shared) < recovery:
		// Pods recover from an outage one after the other.
		if compared.trouble && compared.Chance > alike {
			c.shared = now
		}
		return Shared
	case compared.trouble && compared.Chance > alike:
		c.shared, c.shaken = now, now
		return Shared
	case compared.trouble && (c.shaken.IsZero() || since >= shakenFor):
		// What was counted before may be of different times: only what comes from now on is compared.
		c.shaken, c.undecided, c.inquiry = now, time.Time{}, nil
		c.fast.Forget()
		return Nothing
	case compared.trouble && since < lookFor:
		return Nothing
	case surely, !compared.trouble && c.isWithin(compared):
		return Canary
	}
	if c.undecided.IsZero() {
		c.undecided = now
	}
	if now.Sub(c.undecided) < patience {
		return Nothing
	}
	if compared.Chance <= alike || compared.expected() < fewest {
		return Canary
	}
	return Shared
}

// isWithin reports whether stable is within the limit over a time that is long enough to know it.
func (c *Court) isWithin(compared Comparison) bool {
	return c.inquiry.at.Sub(c.inquiry.since) >= longRun &&
		gate.UpperBound(compared.Stable.N, compared.Stable.K, alike) < c.criterion.Rollback
}

// forget drops the evidence so far.
func (c *Court) forget() {
	c.undecided = time.Time{}
	for _, detector := range []*gate.Detector{c.fast, c.proven} {
		if detector != nil {
			detector.Forget()
		}
	}
}
