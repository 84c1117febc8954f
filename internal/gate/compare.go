package gate

import "math"

// Counts are a number of requests, N, and the number of bad ones among them, K.
type Counts struct {
	N int64 `json:"n"`
	K int64 `json:"k"`
	// Maybe is the number of further requests that may be bad: those between the two bounds of a histogram that enclose
	// the latency limit. A fail needs K alone, a pass K and Maybe together.
	Maybe int64 `json:"maybe,omitempty"`
}

// share is that of the bad events, from 0 to 1; 0 without requests.
func (c Counts) share() float64 {
	if c.N == 0 {
		return 0
	}
	return float64(c.K) / float64(c.N)
}

// most is the greatest possible number of bad events.
func (c Counts) most() int64 { return c.K + c.Maybe }

// mostShare is the share of the greatest possible number of bad events.
func (c Counts) mostShare() float64 { return Counts{N: c.N, K: c.most()}.share() }

// possible reports whether the counts are consistent.
func (c Counts) possible() bool { return c.N >= 0 && c.K >= 0 && c.Maybe >= 0 && c.most() <= c.N }

// comparisonAlpha is the level of the bounds that compare the tracks. It is weaker than the level of a fail: acquitting
// the canary must not need more evidence than blaming it.
const comparisonAlpha = 0.05

// shared reports whether the stable track is as bad as the canary: its share is above the rollback limit with
// statistical confidence, and the canary's is not above stable's with confidence. Then a shared dependency fails, and
// taking the canary out would cure nothing.
//
// A stable track with few requests proves nothing and does not acquit a bad canary; neither does a bad stable track
// when the canary is far worse.
func (c Criterion) shared(canary, stable Counts) bool {
	return LowerBound(stable.N, stable.K, comparisonAlpha) > c.Rollback &&
		LowerBound(canary.N, canary.K, comparisonAlpha) <= UpperBound(stable.N, stable.most(), comparisonAlpha)
}

// Never means that no number of requests decides.
const Never int64 = -1

// Needed is the number of further requests, at the observed share of bad ones, that would decide between pass and fail.
// It is 0 if they are decided, and Never if the share lies between the target and the smallest share that can be
// distinguished from the rollback limit.
func (c Criterion) Needed(counts Counts) int64 {
	if counts.N == 0 {
		counts.N = 1 // Assume a share of 0.
	}
	decided := c.decides(counts.share(), counts.mostShare())
	n := float64(counts.N)
	if decided(n) {
		return 0
	}
	total := least(n, decided)
	if total == Never {
		return Never
	}
	return total - counts.N
}

// RequestsAt is the number of requests that decide at a constant share of bad ones, from 0 to 1: a pass below the
// target, a fail above the rollback limit. It is Never if no number of requests does. A forecast needs it before there
// is any request.
func (c Criterion) RequestsAt(share float64) int64 {
	decided := c.decides(share, share)
	if decided(1) {
		return 1
	}
	return least(1, decided)
}

// decides reports whether n requests decide where the share of bad ones is surely p and at most most.
func (c Criterion) decides(p, most float64) func(n float64) bool {
	return func(n float64) bool {
		return logEvidenceBelow(n, most*n, c.Target) >= -math.Log(c.passAlpha()) ||
			c.Rollback < 1 && logEvidence(n, p*n, c.Rollback) >= -math.Log(c.alpha())
	}
}

// least is the least whole number above low that is decided; Never if there is none.
func least(low float64, decided func(n float64) bool) int64 {
	const tooMany = 1e12
	high := low
	for !decided(high) {
		if high > tooMany {
			return Never
		}
		high *= 2
	}
	for high-low > 1 {
		middle := math.Floor((low + high) / 2)
		if decided(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return int64(high)
}

// Judge judges a soak by the canary's counts and those of the stable track over the same time, if there are any.
//
// It fails if the lower confidence bound of the share is above the rollback limit, unless the stable track is as bad.
// It passes if the upper confidence bound is below the target. Anything else is inconclusive and states how many
// further requests at the current share would decide. Both bounds hold at all looks simultaneously.
func (c Criterion) Judge(canary Counts, stable *Counts) Result {
	result, decided := c.look(canary, stable)
	if decided {
		return result
	}
	switch {
	case EValueBelow(canary.N, canary.most(), c.Target) >= 1/c.passAlpha():
		return result.is(Pass, "%s; the share is below the target of %s with %s confidence (upper bound %s)",
			c.counted(canary), percent(c.Target), percent(result.PassConfidence), percent(result.Upper))
	case result.More == Never:
		return result.is(Inconclusive, "%s; no number of requests at this rate decides between the target of %s and the "+
			"rollback limit of %s: manual review",
			c.counted(canary), percent(c.Target), percent(c.Rollback))
	default:
		return result.is(Inconclusive, "%s; the share lies between %s and %s, and the target is %s: about %d more "+
			"requests at this rate decide",
			c.counted(canary), percent(result.Lower), percent(result.Upper), percent(c.Target), result.More)
	}
}
