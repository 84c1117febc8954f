package relative

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Pair are the counts of both tracks.
type Pair struct{ Canary, Stable gate.Counts }

func (p Pair) plus(more Pair) Pair {
	return Pair{Canary: p.Canary.Plus(more.Canary), Stable: p.Stable.Plus(more.Stable)}
}

// Errors compares the failed requests of the tracks, all and by slices. It is not safe for concurrent use.
type Errors struct {
	limits Limits
	bound  gate.Cap
	// start is the beginning of the first block.
	start time.Time
	total Pair
	all   test
	parts map[Slice]*part
	// values is the number of slices of each label; leftOut are the labels with too many.
	values  map[string]int
	leftOut map[string]int
	ratios  []float64
}

// part is the test of a slice. A slice that appears late has its own clock.
type part struct {
	test
	start time.Time
}

// NewErrors compares blocks from the start on.
func NewErrors(limits Limits, bound gate.Cap, start time.Time) *Errors {
	return &Errors{
		limits: limits, bound: bound, start: start, ratios: make([]float64, alternatives),
		all:   test{evidence: newEvidence(bound, alternatives), threshold: -math.Log(Alpha * errorsShare)},
		parts: map[Slice]*part{}, values: map[string]int{}, leftOut: map[string]int{},
	}
}

// Parts are the counts of both tracks by slice.
type Parts map[Slice]Pair

// Add adds a block: all requests, and those of its slices. A pod's slice has all of stable's requests beside it.
func (e *Errors) Add(start, end time.Time, canary, stable gate.Counts, parts Parts) {
	e.total = e.total.plus(Pair{canary, stable})
	e.observe(&e.all, e.start, start, end, Slice{}, canary, stable)
	for slice, known := range e.parts {
		counts := parts[slice]
		e.observe(&known.test, known.start, start, end, slice, counts.Canary, counts.Stable)
	}
	for _, slice := range slices.SortedFunc(maps.Keys(parts), compareSlices) {
		counts := parts[slice]
		if e.parts[slice] != nil || e.leftOut[slice.Label] > 0 || counts.Canary.N == 0 {
			continue
		}
		if !e.admit(slice.Label) {
			continue
		}
		e.parts[slice] = &part{start: start, test: test{evidence: newEvidence(e.bound, alternatives),
			threshold: -math.Log(Alpha * slicesShare / float64(e.limits.Slices))}}
		e.observe(&e.parts[slice].test, start, start, end, slice, counts.Canary, counts.Stable)
	}
}

// compareSlices orders slices, those of pods first.
func compareSlices(a, b Slice) int {
	pods := func(s Slice) int {
		if s.Label == PodLabel {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(pods(a), pods(b)), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Value, b.Value))
}

// admit reports whether a label may have another slice. With all slots taken, the label with the most values is left
// out, together with its findings: the ones that are tested are never more than the level is shared among.
func (e *Errors) admit(label string) bool {
	e.values[label]++
	if len(e.parts) < e.limits.Slices {
		return true
	}
	most := label
	for _, known := range slices.Sorted(maps.Keys(e.values)) {
		if known != PodLabel && e.values[known] > e.values[most] {
			most = known
		}
	}
	e.leftOut[most] = e.values[most]
	delete(e.values, most)
	maps.DeleteFunc(e.parts, func(slice Slice, _ *part) bool { return slice.Label == most })
	return most != label
}

// observe adds a block to a test. Blocks without a request of the canary are pooled with the next one that has some, so
// that a rare request is compared with all of stable's since the last: how they end depends on no error.
func (e *Errors) observe(t *test, began, start, end time.Time, slice Slice, canary, stable gate.Counts) {
	t.pooled = t.pooled.plus(Pair{canary, stable})
	t.pending += end.Sub(start)
	if t.pooled.Canary.N == 0 {
		return
	}
	block := t.pooled
	errorRatios(e.limits.Ratio, block.Canary, block.Stable, e.ratios)
	t.observe(t.pending, e.ratios, func(int) (gate.Counts, gate.Counts) { return block.Canary, block.Stable })
	t.pooled, t.pending = Pair{}, 0
	t.check(began, end, slice, nil)
}

// Total are the counts of both tracks.
func (e *Errors) Total() (canary, stable gate.Counts) { return e.total.Canary, e.total.Stable }

// Finding is that of all requests together; nil for none.
func (e *Errors) Finding() *Finding { return e.all.finding }

// Found are the findings by slice, in the order of their time.
func (e *Errors) Found() []Finding {
	var list []Finding
	for _, p := range e.parts {
		if p.finding != nil {
			list = append(list, *p.finding)
		}
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(a.At.Compare(b.At), compareSlices(a.Slice, b.Slice))
	})
	return list
}

// Tested is the number of slices that are tested.
func (e *Errors) Tested() int { return len(e.parts) }

// LeftOut are notes on the labels that have too many values.
func (e *Errors) LeftOut() []string {
	var notes []string
	for _, label := range slices.Sorted(maps.Keys(e.leftOut)) {
		notes = append(notes, fmt.Sprintf("label %s makes no slices: it has more values than the %d slices allow "+
			"(criteria.slices); name the labels that do in criteria.sliceLabels", label, e.limits.Slices))
	}
	return notes
}
