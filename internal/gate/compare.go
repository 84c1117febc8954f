package gate

import "math"

// Counts are requests and the bad ones among them.
type Counts struct {
	N int64 `json:"n"`
	K int64 `json:"k"`
}

// share is that of the bad events, from 0 to 1; 0 without requests.
func (c Counts) share() float64 {
	if c.N == 0 {
		return 0
	}
	return float64(c.K) / float64(c.N)
}

// possible tells whether the counts can have been counted.
func (c Counts) possible() bool { return c.N >= 0 && c.K >= 0 && c.K <= c.N }

// comparisonAlpha is the level of the bounds by which the tracks are compared. It is weaker than that of a fail: what
// takes the blame from the canary must not need more evidence than what puts it there.
const comparisonAlpha = 0.05

// shared reports whether the stable track is as bad as the canary: its share is above the rollback limit with
// statistical confidence, and the canary's is not above stable's with confidence. Then a shared dependency fails, and
// taking the canary out would cure nothing.
//
// A stable track with few requests proves nothing and does not acquit a bad canary; neither does a bad stable track
// when the canary is far worse.
func (c Criterion) shared(canary, stable Counts) bool {
	return LowerBound(stable.N, stable.K, comparisonAlpha) > c.Rollback &&
		LowerBound(canary.N, canary.K, comparisonAlpha) <= UpperBound(stable.N, stable.K, comparisonAlpha)
}

// Never says that no number of requests decides.
const Never int64 = -1

// Needed is how many more requests, at the rate of bad ones seen so far, would decide between pass and fail: 0 when
// they are decided, Never when the rate lies between the target and what can be told apart from the rollback limit.
func (c Criterion) Needed(counts Counts) int64 {
	if counts.N == 0 {
		counts.N = 1 // Nothing bad was seen: that is the rate to go on with.
	}
	p := counts.share()
	n := float64(counts.N)
	decided := func(n float64) bool {
		return logEvidenceBelow(n, p*n, c.Target) >= -math.Log(c.passAlpha()) ||
			c.Rollback < 1 && logEvidence(n, p*n, c.Rollback) >= -math.Log(c.alpha())
	}
	const most = 1e12
	high := n
	for !decided(high) {
		if high > most {
			return Never
		}
		high *= 2
	}
	low := n
	for high-low > 1 {
		middle := math.Floor((low + high) / 2)
		if decided(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	if decided(n) {
		return 0
	}
	return int64(high - n)
}

// Judge judges a soak: the canary's counts, beside those of the stable track over the same time where there are any.
//
// It fails when the lower confidence bound of the share is above the rollback limit, unless the stable track is as
// bad. It passes when the upper confidence bound is below the target. Anything else is inconclusive and says how many
// more requests at the present rate would decide. Both bounds hold at every look at once.
func (c Criterion) Judge(canary Counts, stable *Counts) Result {
	result, decided := c.look(canary, stable)
	if decided {
		return result
	}
	switch {
	case EValueBelow(canary.N, canary.K, c.Target) >= 1/c.passAlpha():
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
