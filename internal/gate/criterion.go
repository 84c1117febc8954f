package gate

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// DefaultAlpha bounds the probability that a criterion ever fails a release whose true share of bad events is at most
// the rollback limit, over all looks together: one in a thousand.
const DefaultAlpha = 0.001

// DefaultPassAlpha bounds the probability that a release whose true share misses the target ever passes a soak: one
// in twenty.
const DefaultPassAlpha = 0.05

// displayConfidence is the confidence of the displayed interval.
const displayConfidence = 0.95

// Kind is the kind of bad event that a criterion counts.
type Kind string

const (
	// KindErrorRate counts the requests whose status matches the error pattern.
	KindErrorRate Kind = "error-rate"
	// KindLatency counts the requests that took longer than Criterion.Limit.
	KindLatency Kind = "latency"
)

// Criterion is a success condition on the share of bad events among all requests.
type Criterion struct {
	// Name identifies the criterion for people and in records.
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Limit is the latency above which a request is bad, for KindLatency only. Counts are exact if it is a
	// bound of the histogram.
	Limit time.Duration `json:"limit,omitempty"`
	// Target is the share, in (0, 1), below which the criterion passes.
	Target float64 `json:"target"`
	// Rollback is the share, in [Target, 1], above which the release is bad. With Rollback 1 the criterion never fails and
	// only asks for a review.
	Rollback float64 `json:"rollback"`
	// MinRequests is the number of requests that a pass needs; 0 needs none.
	MinRequests int64 `json:"minRequests"`
	// Alpha, in (0, 0.5], bounds the probability of a false fail; 0 means DefaultAlpha.
	Alpha float64 `json:"alpha,omitempty"`
	// PassAlpha, in (0, 0.5], bounds the probability that a soak passes a release that misses the target; 0 means
	// DefaultPassAlpha.
	PassAlpha float64 `json:"passAlpha,omitempty"`
}

// ErrorRate is the criterion on the share of failed requests. ErrorRate(0.005, 0.01) has a target below 0.5 % and rolls
// back above 1 %.
func ErrorRate(target, rollback float64) Criterion {
	return Criterion{Name: "error rate", Kind: KindErrorRate, Target: target, Rollback: rollback}
}

// Latency is the criterion that a quantile of the latency is below the limit, for example Latency(500ms, 0.95). It is
// judged as a share: P95 < 500 ms means that fewer than 5 % of the requests take longer than 500 ms. A share above that
// target with confidence fails; set Rollback higher to tolerate more, or to 1 to leave slowness to a person.
func Latency(limit time.Duration, quantile float64) Criterion {
	// Rounded, because 1-0.95 is not 0.05 in binary.
	target, _ := strconv.ParseFloat(strconv.FormatFloat(1-quantile, 'g', 12, 64), 64)
	return Criterion{
		Name: "P" + number(100*quantile) + " latency", Kind: KindLatency, Limit: limit, Target: target, Rollback: target,
	}
}

// Validate returns an error that names every invalid field, its value and the allowed ones.
func (c Criterion) Validate() error {
	var problems []error
	bad := func(field string, got any, want string) {
		problems = append(problems, fmt.Errorf("criterion %q: %s is %v: must be %s", c.Name, field, got, want))
	}
	switch c.Kind {
	case KindErrorRate:
	case KindLatency:
		if c.Limit <= 0 {
			bad("limit", c.Limit, "a duration above 0")
		}
	default:
		bad("kind", strconv.Quote(string(c.Kind)), fmt.Sprintf("%q or %q", KindErrorRate, KindLatency))
	}
	if !(c.Target > 0 && c.Target < 1) {
		bad("target", c.Target, "a share above 0 and below 1")
	}
	if !(c.Rollback >= c.Target && c.Rollback <= 1) {
		bad("rollback limit", c.Rollback, fmt.Sprintf("a share from the target %v to 1 (1 never fails)", c.Target))
	}
	if c.MinRequests < 0 {
		bad("minimum of requests", c.MinRequests, "0 or more")
	}
	if !(c.Alpha >= 0 && c.Alpha <= 0.5) {
		bad("alpha", c.Alpha, "above 0 and at most 0.5, or 0 for the default")
	}
	if !(c.PassAlpha >= 0 && c.PassAlpha <= 0.5) {
		bad("alpha of a pass", c.PassAlpha, "above 0 and at most 0.5, or 0 for the default")
	}
	return errors.Join(problems...)
}

func (c Criterion) passAlpha() float64 {
	if c.PassAlpha == 0 {
		return DefaultPassAlpha
	}
	return c.PassAlpha
}

func (c Criterion) alpha() float64 {
	if c.Alpha == 0 {
		return DefaultAlpha
	}
	return c.Alpha
}

// Decide judges a bake: k bad events among n requests.
//
// It fails if the lower confidence bound of the share is above the rollback limit, with any n: the test needs no
// minimum number of requests. It passes if n reaches the minimum and the share is below the target. Anything else is
// inconclusive, and undecided unless the share is shown to be above the target. Impossible counts are an error.
func (c Criterion) Decide(n, k int64) Result { return c.DecideAgainst(Counts{N: n, K: k}, nil) }

// DecideAgainst is [Criterion.Decide] with the stable track's counts over the same time. A canary does not fail if it
// is no worse than a bad stable track.
func (c Criterion) DecideAgainst(canary Counts, stable *Counts) Result {
	result, decided := c.look(canary, stable)
	switch {
	case decided:
		return result
	case canary.N < c.MinRequests:
		return result.is(Inconclusive, "%s, but at least %d are needed for a verdict; %d more", c.counted(canary),
			c.MinRequests, c.MinRequests-canary.N)
	case canary.N == 0:
		return result.is(Pass, "no requests seen, none required")
	case canary.mostShare() < c.Target:
		return result.is(Pass, "%s, below the target of %s", c.counted(canary), percent(c.Target))
	case EValue(canary.N, canary.K, c.Target) < 1/c.passAlpha():
		result.Undecided = true
		return result.is(Inconclusive, "%s, not below the target of %s, and not shown to be above it with %s confidence",
			c.counted(canary), percent(c.Target), percent(result.PassConfidence))
	default:
		return result.is(Inconclusive, "%s, above the target of %s with %s confidence, and not above the rollback limit of "+
			"%s with confidence (lower bound %s): manual review", c.counted(canary), percent(c.Target),
			percent(result.PassConfidence), percent(c.Rollback), percent(result.Lower))
	}
}

// look is the common part of bake and soak: the numbers, and the verdicts that both share.
func (c Criterion) look(canary Counts, stable *Counts) (result Result, decided bool) {
	result = Result{
		Name: c.Name, N: canary.N, K: canary.K, Maybe: canary.Maybe, Target: c.Target,
		Rollback: c.Rollback, MinRequests: c.MinRequests,
		Confidence: 1 - c.alpha(), PassConfidence: 1 - c.passAlpha(), IntervalConfidence: displayConfidence, Upper: 1,
		Stable: stable,
	}
	if err := c.Validate(); err != nil {
		return result.is(Error, "%v", err), true
	}
	if !canary.possible() {
		return result.is(Error, "%d %s of %d requests is not a possible count", canary.K, c.events(), canary.N), true
	}
	if stable != nil && !stable.possible() {
		return result.is(Error, "%d %s of %d requests of the stable track is not a possible count", stable.K, c.events(),
			stable.N), true
	}
	if canary.N > 0 {
		result.Rate = canary.share()
		result.Lower = LowerBound(canary.N, canary.K, c.alpha())
		result.Upper = UpperBound(canary.N, canary.most(), c.passAlpha())
	}
	result.IntervalLower, result.IntervalUpper = Interval(canary.N, canary.K, displayConfidence)
	result.More = c.Needed(canary)
	// This is Lower > Rollback without the error of a bisection.
	if c.Rollback >= 1 || EValue(canary.N, canary.K, c.Rollback) < 1/c.alpha() {
		return result, false
	}
	if stable != nil && c.shared(canary, *stable) {
		return c.acquitted(result, canary, *stable), true
	}
	return result.is(Fail, "%s; the share is above the rollback limit of %s with %s confidence (lower bound %s)",
		c.counted(canary), percent(c.Rollback), percent(result.Confidence), percent(result.Lower)), true
}

// acquitted is the result of a canary that is no worse than a stable track which is bad itself.
func (c Criterion) acquitted(result Result, canary, stable Counts) Result {
	result.Shared = true
	return result.is(Inconclusive, "%s, but so did %d of %d of the stable track's over the same time (%s): a shared "+
		"dependency fails, not the canary", c.counted(canary), stable.K, stable.N, percent(stable.share()))
}

func (c Criterion) counted(counts Counts) string {
	if counts.Maybe > 0 {
		return fmt.Sprintf("%d to %d of %d requests %s (%s to %s; no bucket bound is at the limit)", counts.K, counts.most(),
			counts.N, c.verb(), percent(counts.share()), percent(counts.mostShare()))
	}
	return fmt.Sprintf("%d of %d requests %s (%s)", counts.K, counts.N, c.verb(), percent(counts.share()))
}

func (c Criterion) verb() string {
	if c.Kind == KindLatency {
		return "took longer than " + c.Limit.String()
	}
	return "failed"
}

func (c Criterion) events() string {
	if c.Kind == KindLatency {
		return "slow"
	}
	return "failed"
}

// percent prints a share with up to four significant digits.
func percent(share float64) string { return number(100*share) + " %" }

func number(v float64) string { return strconv.FormatFloat(round(v), 'f', -1, 64) }

func round(v float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	return rounded
}
