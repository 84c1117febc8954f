package gate

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mathext"
)

// oddsRatios are the alternatives of the mixture. They are the shares 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 33, 50 and 90
// % against a limit of 1 %, kept as odds ratios so that they scale to any limit and stay below 1: from "a little
// above" to "nearly everything fails". An alternative close to the truth needs few requests; mixing eleven costs at
// most log(11) in the log of the evidence. A share between the limit and about 1.05 times it is closer to the
// limit than to any alternative: it neither fails nor passes, with any number of requests.
var oddsRatios = func() []float64 {
	const reference = 0.01
	shares := []float64{0.011, 0.0125, 0.015, 0.02, 0.03, 0.05, 0.10, 0.20, 0.33, 0.50, 0.90}
	ratios := make([]float64, len(shares))
	for i, q := range shares {
		ratios[i] = q / (1 - q) / (reference / (1 - reference))
	}
	return ratios
}()

// EValue is the evidence of k bad events among n requests against the hypothesis that the share of bad events is at
// most limit: the uniform mixture of the likelihood ratios of higher shares. Under the hypothesis it is a
// non-negative supermartingale that starts at 1, so that it ever reaches 1/alpha with a probability of at most alpha.
// It can be +Inf.
//
// k must be in [0, n] and limit in (0, 1).
func EValue(n, k int64, limit float64) float64 {
	return math.Exp(logEValue(n, k, limit))
}

func logEValue(n, k int64, limit float64) float64 { return logEvidence(float64(n), float64(k), limit) }

// logEvidence is the logarithm of EValue, for counts that need not be whole.
func logEvidence(n, k, limit float64) float64 { return logMixture(n, k, limit, oddsRatios) }

// logMixture uses that the likelihood ratio of the share with odds ratio r to p is r^k / (1-p+pr)^n.
func logMixture(n, k, p float64, ratios []float64) float64 {
	terms := make([]float64, len(ratios))
	for i, r := range ratios {
		terms[i] = -n * math.Log1p(p*(r-1))
		if k > 0 {
			terms[i] += k * math.Log(r)
		}
	}
	return floats.LogSumExp(terms) - math.Log(float64(len(terms)))
}

// lowerRatios are the alternatives of the mixture against "the share is at least the target", as odds ratios to the
// target: from "nothing fails" to "a fifth better than it has to be".
var lowerRatios = []float64{0, 0.1, 0.2, 0.4, 0.6, 0.8}

// EValueBelow is the evidence of k bad events among n requests against the hypothesis that the share of bad events is
// at least target: the uniform mixture of the likelihood ratios of lower shares. It is the mirror of [EValue] and
// valid at every look for the same reason: under a share of at least target, the likelihood ratio of a lower one is a
// non-negative supermartingale. It can be +Inf.
//
// k must be in [0, n] and target in (0, 1).
func EValueBelow(n, k int64, target float64) float64 {
	return math.Exp(logEvidenceBelow(float64(n), float64(k), target))
}

func logEvidenceBelow(n, k, target float64) float64 { return logMixture(n, k, target, lowerRatios) }

// UpperBound is the upper end of the one-sided confidence sequence that belongs to [EValueBelow]: the smallest target
// that the evidence rejects at level alpha, 1 when it rejects none. With a probability of at least 1-alpha the true
// share is below it at every look at once. alpha must be in (0, 1).
func UpperBound(n, k int64, alpha float64) float64 {
	if n == 0 || k == n {
		return 1
	}
	// The evidence grows with the target (every ratio is below 1), so the rejected targets are an interval that ends at 1.
	threshold := -math.Log(alpha)
	open, rejected := float64(k)/float64(n), 1.0
	for range 60 {
		middle := (open + rejected) / 2
		if middle < 1 && logEvidenceBelow(float64(n), float64(k), middle) >= threshold {
			rejected = middle
		} else {
			open = middle
		}
	}
	return rejected
}

// LowerBound is the lower end of the one-sided confidence sequence that belongs to [EValue]: the greatest limit that
// the evidence rejects at level alpha, 0 when it rejects none. With a probability of at least 1-alpha the true share
// is above it at every look at once. alpha must be in (0, 1).
func LowerBound(n, k int64, alpha float64) float64 {
	// The evidence falls as the limit rises (every r is above 1), so the rejected limits are an interval that begins at 0.
	threshold := -math.Log(alpha)
	if k == 0 {
		return 0
	}
	rejected, open := 0.0, float64(k)/float64(n)
	for range 60 {
		middle := (rejected + open) / 2
		if middle > 0 && logEValue(n, k, middle) >= threshold {
			rejected = middle
		} else {
			open = middle
		}
	}
	return rejected
}

// Interval is the exact two-sided interval of Clopper and Pearson for a share of k among n at the given confidence.
// It holds for one look at a sample of fixed size: it is for display, and no verdict rests on it. Without requests it
// is [0, 1].
func Interval(n, k int64, confidence float64) (lower, upper float64) {
	lower, upper = 0, 1
	if n <= 0 {
		return lower, upper
	}
	tail := (1 - confidence) / 2
	a, b := float64(k), float64(n-k)
	if k > 0 {
		lower = mathext.InvRegIncBeta(a, b+1, tail)
	}
	if k < n {
		upper = mathext.InvRegIncBeta(a+1, b, 1-tail)
	}
	return lower, upper
}
