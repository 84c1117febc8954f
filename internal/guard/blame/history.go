package blame

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	// finest is the least distance between two kept points of a pod's history.
	finest = time.Second
	// coarsening is the part of its age, as one of so many, that a point's neighbours may be apart without it.
	coarsening = 8
	// ahead is how many points more than after the last thinning are kept: to look at all of them takes time.
	ahead = 16
)

// point is what a pod had counted at a time.
type point struct {
	at   time.Time
	n, k int64
}

// history holds what a pod had counted at the times of its scrapes. Old points are thinned out: the distance between
// two grows with their age, so that a pod of any age has about a hundred.
type history struct {
	canary bool
	points []point
	// thinned is the number of points after the last thinning.
	thinned int
}

// add notes the counts since the last point. The first point of a history counts nothing.
func (h *history) add(at time.Time, counts gate.Counts) {
	last := len(h.points) - 1
	if last < 0 {
		h.points = append(h.points, point{at: at})
		return
	}
	if at.Before(h.points[last].at) {
		at = h.points[last].at
	}
	h.points = append(h.points, point{at: at, n: h.points[last].n + counts.N, k: h.points[last].k + counts.K})
	if len(h.points) > h.thinned+ahead {
		h.thin(at)
	}
}

// thin drops points whose neighbours stay close enough to one another. The last two points stay.
func (h *history) thin(now time.Time) {
	kept := h.points[:1]
	for i := 1; i < len(h.points); i++ {
		p := h.points[i]
		if i < len(h.points)-2 {
			gap := max(finest, now.Sub(p.at)/coarsening)
			if h.points[i+1].at.Sub(kept[len(kept)-1].at) < gap {
				continue
			}
		}
		kept = append(kept, p)
	}
	h.points, h.thinned = kept, len(kept)
}

// last is the time up to which the pod has been counted.
func (h *history) last() time.Time {
	if len(h.points) == 0 {
		return time.Time{}
	}
	return h.points[len(h.points)-1].at
}

// span holds counts and the time that they cover.
type span struct {
	gate.Counts
	from, to time.Time
}

// since gives the counts of all scrapes that came after a time: the span begins at that time or earlier.
func (h *history) since(at time.Time) span {
	if len(h.points) == 0 {
		return span{}
	}
	base := h.points[0]
	for i := len(h.points) - 1; i >= 0; i-- {
		if base = h.points[i]; !base.at.After(at) {
			break
		}
	}
	last := h.points[len(h.points)-1]
	return span{gate.Counts{N: last.n - base.n, K: last.k - base.k}, base.at, last.at}
}

// rate is the number of requests a second.
func (s span) rate() float64 {
	if length := s.to.Sub(s.from).Seconds(); length > 0 {
		return float64(s.N) / length
	}
	return 0
}
