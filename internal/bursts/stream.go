package bursts

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Stream is a reproducible sequence of counts.
type Stream struct {
	spec   Spec
	rand   *rand.Rand
	canary []*pod
	stable []*pod
	// shared are the troubles that hit all pods.
	shared []*recurring
	second int
}

// New begins a stream at midnight. Equal arguments give equal streams.
func New(spec Spec, canary, stable Track, seed uint64) (*Stream, error) {
	if err := errors.Join(spec.Validate(), canary.validate("canary"), stable.validate("stable")); err != nil {
		return nil, err
	}
	s := &Stream{spec: spec, rand: rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // a simulation is to be repeatable
	for _, trouble := range spec.Troubles {
		if trouble.AllPods {
			s.shared = append(s.shared, newRecurring(trouble, s.rand))
		}
	}
	s.canary, s.stable = s.pods(canary, true), s.pods(stable, false)
	return s, nil
}

func (s *Stream) pods(track Track, canary bool) []*pod {
	list := make([]*pod, track.Pods)
	for i := range list {
		list[i] = &pod{spec: s.spec, rand: s.rand, perSecond: track.PerSecond / float64(track.Pods), canary: canary}
		for _, trouble := range s.spec.Troubles {
			if !trouble.AllPods {
				list[i].troubles = append(list[i].troubles, newRecurring(trouble, s.rand))
			}
		}
	}
	return list
}

// Next gives the counts of the next second.
func (s *Stream) Next() (canary, stable gate.Counts) {
	for _, shared := range s.shared {
		if length, begins := shared.begins(s.second); begins {
			for _, p := range append(append([]*pod{}, s.canary...), s.stable...) {
				p.hit(shared.Trouble, length, s.second)
			}
		}
	}
	for _, p := range s.canary {
		canary = canary.Plus(p.next(s.second))
	}
	for _, p := range s.stable {
		stable = stable.Plus(p.next(s.second))
	}
	s.second++
	return canary, stable
}

// recurring is a trouble with the second at which it comes next.
type recurring struct {
	Trouble
	rand   *rand.Rand
	period float64
	next   float64
}

func newRecurring(trouble Trouble, source *rand.Rand) *recurring {
	r := &recurring{Trouble: trouble, rand: source}
	r.advance()
	return r
}

// advance draws the second of the next one.
func (r *recurring) advance() {
	every := r.Every.Seconds()
	if r.Regular {
		r.next = r.period + r.rand.Float64()*every
		r.period += every
		return
	}
	r.next += r.rand.ExpFloat64() * every
}

// begins reports whether the trouble begins in the second, and how many seconds it lasts. Of several that begin in a
// second, the first counts.
func (r *recurring) begins(second int) (length int, begins bool) {
	for r.next < float64(second+1) {
		begins = true
		r.advance()
	}
	if !begins {
		return 0, false
	}
	shortest, longest := r.Shortest.Seconds(), r.Longest.Seconds()
	return int(math.Round(shortest * math.Pow(longest/shortest, r.rand.Float64()))), true
}

// pod generates the counts of one pod.
type pod struct {
	spec      Spec
	rand      *rand.Rand
	perSecond float64
	canary    bool
	troubles  []*recurring
	// block are the counts of the seconds from blockStart on, before troubles; ends are the requests up to the end of
	// each.
	block      []gate.Counts
	ends       []int64
	blockStart int
	// served is the number of requests up to the end of the block, as a fraction.
	served float64
	// ahead are the errors of bursts in the coming seconds.
	ahead map[int]int
	// outages are the shares that fail, and the seconds up to which.
	outages []outage
}

type outage struct {
	until int
	share float64
}

func (p *pod) next(second int) gate.Counts {
	if second >= p.blockStart+len(p.block) {
		p.draw(second)
	}
	for _, trouble := range p.troubles {
		if length, begins := trouble.begins(second); begins {
			p.hit(trouble.Trouble, length, second)
		}
	}
	counts := p.block[second-p.blockStart]
	if len(p.outages) == 0 && len(p.ahead) == 0 {
		return counts
	}
	kept := p.outages[:0]
	for _, o := range p.outages {
		if second < o.until {
			kept = append(kept, o)
			counts.K += p.among(counts.N-counts.K, o.share)
		}
	}
	p.outages = kept
	if further := p.ahead[second]; further > 0 {
		counts = counts.Plus(gate.Counts{N: int64(further), K: int64(further)})
		delete(p.ahead, second)
	}
	return counts
}

// hit begins a trouble of so many seconds.
func (p *pod) hit(trouble Trouble, length, second int) {
	if p.canary {
		length += int(trouble.Lag.Seconds())
	}
	if trouble.Share > 0 {
		p.outages = append(p.outages, outage{second + length, trouble.Share})
	}
	if p.ahead == nil {
		p.ahead = map[int]int{}
	}
	for range trouble.Errors {
		p.ahead[second+p.rand.IntN(length)]++
	}
}

// draw draws the counts of the block that begins with the second: as many failures as the block's share gives, at
// requests chosen at random.
func (p *pod) draw(second int) {
	length := int(minute.Seconds())
	if p.spec.Correlation > 0 {
		length = int(p.spec.Block.Seconds())
	}
	if len(p.block) != length {
		p.block, p.ends = make([]gate.Counts, length), make([]int64, length)
	}
	p.blockStart = second
	first, before := int64(p.served), int64(0)
	for i := range p.block {
		p.served += p.perSecond
		p.ends[i] = int64(p.served) - first
		p.block[i] = gate.Counts{N: p.ends[i] - before}
		before = p.ends[i]
	}
	n := before
	for request := range p.chosen(n, p.among(n, p.share(second))) {
		// The first second whose requests end after this one.
		at, _ := slices.BinarySearch(p.ends, request+1)
		p.block[at].K++
	}
}

// share draws the share that fails in the block.
func (p *pod) share(second int) float64 {
	mean := p.spec.Mean
	if p.spec.Evening > 0 {
		// Four hours of the day have the factor, and the mean over the day stays.
		mean *= 24 / (20 + 4*p.spec.Evening)
		if hour := second / 3600 % 24; hour >= 18 && hour < 22 {
			mean *= p.spec.Evening
		}
	}
	if p.spec.Correlation == 0 || mean == 0 {
		return mean
	}
	size := 1/p.spec.Correlation - 1
	return distuv.Beta{Alpha: mean * size, Beta: (1 - mean) * size, Src: p.rand}.Rand()
}

// among draws how many of n requests fail at a share.
func (p *pod) among(n int64, share float64) int64 {
	switch {
	case n <= 0 || !(share > 0):
		return 0
	case share >= 1:
		return n
	default:
		return int64(distuv.Binomial{N: float64(n), P: share, Src: p.rand}.Rand())
	}
}

// chosen draws k of the numbers below n, each set of k alike (R. Floyd's algorithm).
func (p *pod) chosen(n, k int64) map[int64]bool {
	if k == 0 {
		return nil
	}
	set := make(map[int64]bool, k)
	for top := n - k; top < n; top++ {
		pick := p.rand.Int64N(top + 1)
		if set[pick] {
			pick = top
		}
		set[pick] = true
	}
	return set
}
