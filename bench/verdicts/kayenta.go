package main

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// The settings of Kayenta's judge, as its code and its examples give them.
const (
	// kayentaConfidence is that of the two-sided interval of the Mann-Whitney test, and kayentaTolerance the part of the
	// estimated shift that the interval has to exceed.
	kayentaConfidence, kayentaTolerance = 0.98, 0.25
	// kayentaPass and kayentaMarginal are scores: a judgement below marginal fails at once, and the last one has to reach
	// pass.
	kayentaPass, kayentaMarginal = 95, 75
	// kayentaStep is the time of a value of a series, kayentaInterval that between two judgements.
	kayentaStep, kayentaInterval = time.Minute, time.Hour
)

// kayenta judges as Kayenta's judge does: for each metric, the values of the canary's series against those of the
// baseline's by the Mann-Whitney test, over all the time since the beginning. The score is the share of the metrics
// that pass. Here there is one, the error rate, and stable is the baseline.
type kayenta struct {
	length, rolledAt time.Duration
	canary, stable   series
}

// series are the values of a metric, one a step. A step without requests has none.
type series struct {
	counted gate.Counts
	values  []float64
}

func (s *series) add(counts gate.Counts) { s.counted = s.counted.Plus(counts) }

func (s *series) step() {
	if s.counted.N > 0 {
		s.values = append(s.values, float64(s.counted.K)/float64(s.counted.N))
	}
	s.counted = gate.Counts{}
}

func (k *kayenta) tool() string { return "Kayenta" }

func (k *kayenta) rolledBack() time.Duration { return k.rolledAt }

func (k *kayenta) second(at time.Duration, canary, stable gate.Counts) {
	if k.rolledAt > 0 {
		return
	}
	k.canary.add(canary)
	k.stable.add(stable)
	if at%kayentaStep == 0 {
		k.canary.step()
		k.stable.step()
	}
	if at%kayentaInterval != 0 {
		return
	}
	score := 100.0
	if isHigh(k.canary.values, k.stable.values) {
		score = 0
	}
	if score < kayentaMarginal || at >= k.length && score < kayentaPass {
		k.rolledAt = at
	}
}

// isHigh reports whether the canary's values are classified as high: the interval of their shift lies above a part of
// the estimated shift, and their mean is not below the baseline's. A metric without values passes.
func isHigh(canary, baseline []float64) bool {
	if len(canary) == 0 || len(baseline) == 0 || mean(canary) < mean(baseline) {
		return false
	}
	canary, baseline = slices.Sorted(slices.Values(canary)), slices.Sorted(slices.Values(baseline))
	shift := hodgesLehmann(canary, baseline)
	// The lower end of the interval is above a shift where the test rejects that shift. It is never above the estimate.
	quantile := distuv.UnitNormal.Quantile(1 - (1-kayentaConfidence)/2)
	return shift > 0 && mannWhitney(canary, baseline, kayentaTolerance*shift) > quantile
}

func mean(values []float64) float64 {
	total := 0.0
	for _, value := range values {
		total += value
	}
	return total / float64(len(values))
}

// mannWhitney is the test's standardized statistic for sorted samples, the first of them less a shift, with the
// corrections for ties and continuity. It is positive where the first ones are greater.
func mannWhitney(x, y []float64, shift float64) float64 {
	n, m := float64(len(x)), float64(len(y))
	wins, ties := 0.0, 0.0
	for i, j := 0, 0; i < len(x) || j < len(y); {
		at := math.Inf(1)
		if i < len(x) {
			at = x[i] - shift
		}
		if j < len(y) {
			at = min(at, y[j])
		}
		below, fromX, fromY := float64(j), 0.0, 0.0
		for ; i < len(x) && x[i]-shift == at; i++ {
			fromX++
		}
		for ; j < len(y) && y[j] == at; j++ {
			fromY++
		}
		wins += fromX * (below + fromY/2)
		tied := fromX + fromY
		ties += tied * (tied*tied - 1)
	}
	all := n + m
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if variance <= 0 {
		return 0
	}
	above := wins - n*m/2
	return math.Copysign(max(math.Abs(above)-0.5, 0), above) / math.Sqrt(variance)
}

// hodgesLehmann is the median of all differences between values of two sorted samples, by bisection: the samples are
// too long for all pairs.
func hodgesLehmann(x, y []float64) float64 {
	low, high := x[0]-y[len(y)-1], x[len(x)-1]-y[0]
	half := (len(x)*len(y) + 1) / 2
	if atMost(x, y, low) >= half {
		return low
	}
	for range 60 {
		middle := low + (high-low)/2
		if atMost(x, y, middle) >= half {
			high = middle
		} else {
			low = middle
		}
	}
	if math.Abs(high) < 1e-12 {
		return 0
	}
	return high
}

// atMost is the number of differences that are not greater than d.
func atMost(x, y []float64, d float64) int {
	count, j := 0, 0
	for i := range x {
		// The greater x is, the greater the values of y have to be.
		for j < len(y) && x[i]-y[j] > d {
			j++
		}
		count += len(y) - j
	}
	return count
}
