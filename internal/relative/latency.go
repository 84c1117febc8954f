package relative

import (
	"math"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// odds are the alternatives for the latency: by how much the odds of a request above a bound are higher.
var odds = []float64{1.15, 1.35, 2, 6, 30}

const (
	// leastKnown is the number of stable's requests that the first bet needs.
	leastKnown = 100
	// remembered is the time after which a block weighs half in what is known of stable.
	remembered = 6 * time.Hour
)

// Latencies are the requests of a track in a block: all, and those above each bound.
type Latencies struct {
	N     int64
	Above []int64
}

// latency is the test of the whole distribution.
//
// At a bound b, the null hypothesis is that the share q of the canary's requests above b is at most the share g of
// stable's above b/slower, which is interpolated between stable's bounds. A canary like stable meets it whatever the
// interpolation. A request of stable scores 1 above b/slower, 0 below, and the interpolated share within the bucket, so
// that g is the mean score. The bet at a mean m, known from stable's blocks before, multiplies by 1+c*(x-m) for a
// request of the canary (x is 1 above b) and by 1-d*(score-m) for one of stable, with n*c = s*d for their numbers n and
// s. The expectation of the product is at most ((n*(1+c*(q-m)) + s*(1-d*(g-m)))/(n+s))^(n+s), by the inequality of the
// means, and that is at most 1 for q <= g. An alternative is a share of the canary with higher odds than g, and m is
// the mean of both tracks then.
type latency struct {
	bounds []bound
	ratios []float64
	*evidence
}

// bound is what is known at one bound.
type bound struct {
	// limit is in the histogram's unit; bucket and part say where limit/slower lies: the index of the bound below which it
	// is, and the share of that bucket's requests that are above it.
	limit  float64
	bucket int
	part   float64
	// n and above are stable's requests so far and their scores, of which the old ones weigh less.
	n, above float64
}

// newLatency tests at the bounds, which are finite and ascend.
func newLatency(bounds []float64, slower float64, limit gate.Cap) *latency {
	l := &latency{}
	for i, b := range bounds {
		at := b / slower
		bucket, _ := slices.BinarySearch(bounds[:i+1], at)
		low := 0.0
		if bucket > 0 {
			low = bounds[bucket-1]
		}
		part := (bounds[bucket] - at) / (bounds[bucket] - low)
		if low > 0 {
			part = math.Log(bounds[bucket]/at) / math.Log(bounds[bucket]/low)
		}
		l.bounds = append(l.bounds, bound{limit: b, bucket: bucket, part: part})
	}
	l.ratios = make([]float64, len(bounds)*len(odds))
	l.evidence = newEvidence(limit, len(l.ratios))
	return l
}

// block adds a block. Counts that no histogram has are left out.
func (l *latency) block(length time.Duration, canary, stable Latencies) {
	if !canary.possible(len(l.bounds)) || !stable.possible(len(l.bounds)) {
		return
	}
	for i := range l.bounds {
		l.bounds[i].bet(length, canary, stable, i, l.ratios[i*len(odds):(i+1)*len(odds)])
	}
	l.observe(length, l.ratios, func(alternative int) (gate.Counts, gate.Counts) {
		i := alternative / len(odds)
		return gate.Counts{N: canary.N, K: canary.Above[i]}, gate.Counts{N: stable.N, K: stable.Above[i]}
	})
}

func (l Latencies) possible(bounds int) bool {
	if len(l.Above) != bounds {
		return false
	}
	last := l.N
	for _, above := range l.Above {
		if above > last || above < 0 {
			return false
		}
		last = above
	}
	return true
}

// bet gives the logarithms of the likelihood ratios at the bound with the index, and then learns of stable's block.
func (b *bound) bet(length time.Duration, canary, stable Latencies, index int, ratios []float64) {
	n, s := float64(canary.N), float64(stable.N)
	top := float64(stable.Above[b.bucket])
	within := s - top
	if b.bucket > 0 {
		within = float64(stable.Above[b.bucket-1]) - top
	}
	clear(ratios)
	if b.n >= leastKnown && n > 0 && s > 0 {
		g := (b.above + 0.5) / (b.n + 1)
		for i, r := range odds {
			q := r * g / (1 - g + r*g)
			m := (n*q + s*g) / (n + s)
			above := float64(canary.Above[index])
			d := (m - g) / (m * (1 - m))
			ratios[i] = above*math.Log(q/m) + (n-above)*math.Log((1-q)/(1-m)) +
				top*math.Log(g/m) + within*math.Log1p(-d*(b.part-m)) + (s-top-within)*math.Log((1-g)/(1-m))
		}
	}
	keep := math.Exp2(-length.Seconds() / remembered.Seconds())
	b.n, b.above = keep*b.n+s, keep*b.above+top+b.part*within
}
