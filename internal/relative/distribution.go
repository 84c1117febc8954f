package relative

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Latency compares the distributions of the tracks' latencies by the bounds of their histograms. It is not safe for
// concurrent use.
type Latency struct {
	start time.Time
	tails *latency
	test  test
	total Pair
}

// NewLatency compares blocks from the start on at the bounds, which are finite and ascend.
func NewLatency(limits Limits, bound gate.Cap, start time.Time, bounds []float64) *Latency {
	tails := newLatency(bounds, limits.Slower, bound)
	return &Latency{start: start, tails: tails,
		test: test{evidence: tails.evidence, threshold: -math.Log(Alpha * latencyShare)}}
}

// Add adds a block.
func (l *Latency) Add(start, end time.Time, canary, stable Latencies) {
	l.total = l.total.plus(Pair{gate.Counts{N: canary.N}, gate.Counts{N: stable.N}})
	l.tails.block(end.Sub(start), canary, stable)
	l.test.check(l.start, end, Slice{}, func(alternative int) float64 {
		return l.tails.bounds[alternative/len(odds)].limit
	})
}

// Finding is nil for none.
func (l *Latency) Finding() *Finding { return l.test.finding }

// Total are the requests of both tracks.
func (l *Latency) Total() (canary, stable int64) { return l.total.Canary.N, l.total.Stable.N }

// mostBounds is the number of a histogram's bounds that are compared: more would be most of what is read.
const mostBounds = 12

// CommonBounds are the finite bounds that both tracks have, in ascending order: at most twelve, evenly spread.
func CommonBounds(canary, stable []string) []float64 {
	known := numbersOf(stable)
	both := slices.DeleteFunc(numbersOf(canary), func(bound float64) bool { return !slices.Contains(known, bound) })
	if len(both) <= mostBounds {
		return both
	}
	spread := make([]float64, mostBounds)
	for i := range spread {
		spread[i] = both[i*(len(both)-1)/(mostBounds-1)]
	}
	return spread
}

func numbersOf(spellings []string) []float64 {
	var list []float64
	for _, spelling := range spellings {
		if bound, err := strconv.ParseFloat(spelling, 64); err == nil && bound > 0 && !math.IsInf(bound, 1) {
			list = append(list, bound)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Tails turns the rises of a histogram's buckets into the requests above each bound.
func Tails(rises []gate.Rise, bounds []float64) Latencies {
	tails := Latencies{Above: make([]int64, len(bounds))}
	for _, rise := range rises {
		bound, err := strconv.ParseFloat(string(rise.Labels[model.BucketLabel]), 64)
		switch {
		case err != nil:
		case math.IsInf(bound, 1):
			tails.N += rise.By
			for i := range tails.Above {
				tails.Above[i] += rise.By
			}
		default:
			if at, exists := slices.BinarySearch(bounds, bound); exists {
				tails.Above[at] -= rise.By
			}
		}
	}
	return tails
}
