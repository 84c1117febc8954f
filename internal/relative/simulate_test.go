package relative

import (
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// monday is when every simulated soak begins.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const soak = 48 * time.Hour

// source is repeatable.
func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(20260302, seed)) }

// drawn are n independent requests of which a share fails.
func drawn(src rand.Source, n int64, share float64) gate.Counts {
	return gate.Counts{N: n, K: binomial(src, n, share)}
}

func binomial(src rand.Source, n int64, share float64) int64 {
	switch {
	case n <= 0 || share <= 0:
		return 0
	case share >= 1:
		return n
	default:
		return int64(distuv.Binomial{N: float64(n), P: share, Src: src}.Rand())
	}
}

// run compares block by block until a finding or the end, and gives the time of the finding; 0 for none.
func run(test *Errors, length time.Duration,
	next func(block int) (canary, stable gate.Counts, parts Parts)) time.Duration {
	for block := range int(length / Block) {
		start := monday.Add(time.Duration(block) * Block)
		canary, stable, parts := next(block)
		test.Add(start, start.Add(Block), canary, stable, parts)
		if test.Finding() != nil || len(test.Found()) > 0 {
			return time.Duration(block+1) * Block
		}
	}
	return 0
}

// distribution is a lognormal latency by the bounds of Prometheus' client libraries.
type distribution struct{ above []float64 }

var usualBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// lognormal has a median, in seconds, and a P95 of 3.73 times the median.
func lognormal(median float64) distribution {
	d := distribution{}
	latency := distuv.LogNormal{Mu: distuv.UnitNormal.Quantile(0.5) + logOf(median), Sigma: 0.8}
	for _, bound := range usualBounds {
		d.above = append(d.above, 1-latency.CDF(bound))
	}
	return d
}

// draw draws n requests.
func (d distribution) draw(src rand.Source, n int64) Latencies {
	l := Latencies{N: n, Above: make([]int64, len(d.above))}
	left, last := n, 1.0
	for i, above := range d.above {
		if last > 0 {
			left = binomial(src, left, above/last)
		}
		l.Above[i], last = left, above
	}
	return l
}
