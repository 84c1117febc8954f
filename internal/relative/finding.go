package relative

import (
	"fmt"
	"strconv"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Slice names a part of the requests: those with a label's value, or those of a pod. The zero value is all of them.
type Slice struct{ Label, Value string }

// String is the slice for people.
func (s Slice) String() string {
	if s == (Slice{}) {
		return "all requests"
	}
	return s.Label + "=" + strconv.Quote(s.Value)
}

// Finding is what a test found the canary worse in.
type Finding struct {
	Slice Slice
	// Bound is the bound of the latency, in the histogram's unit; 0 for errors.
	Bound float64
	// Since is the likeliest beginning, At the end of the block that sufficed. Canary and Stable are the counts in
	// between.
	Since, At      time.Time
	Canary, Stable gate.Counts
}

// test is one e-process with its threshold and finding. Shown once, a finding stays.
type test struct {
	*evidence
	threshold float64
	finding   *Finding
	// pooled are the counts that wait for a request of the canary, and pending their time.
	pooled  Pair
	pending time.Duration
}

// check looks at the evidence after a block that ends at a time.
func (t *test) check(start, end time.Time, slice Slice, bound func(alternative int) float64) {
	if t.finding != nil || t.log() < t.threshold {
		return
	}
	alternative, run := t.likely()
	t.finding = &Finding{Slice: slice, Since: start.Add(run.since), At: end, Canary: run.canary, Stable: run.stable}
	if bound != nil {
		t.finding.Bound = bound(alternative)
	}
}

// describe is the finding of a test of errors, with both shares.
func (f Finding) describe() string {
	return fmt.Sprintf("%s of the canary's %d requests failed, beside %s of stable's %d, from %s to %s", percent(f.Canary),
		f.Canary.N, percent(f.Stable), f.Stable.N, stamp(f.Since), stamp(f.At))
}

// describeLatency is the finding of the test of latency; unit is the histogram's.
func (f Finding) describeLatency(unit time.Duration) string {
	return fmt.Sprintf("%s of the canary's %d requests took longer than %s, beside %s of stable's %d, from %s to %s",
		percent(f.Canary), f.Canary.N, time.Duration(f.Bound*float64(unit)), percent(f.Stable), f.Stable.N, stamp(f.Since),
		stamp(f.At))
}

func percent(c gate.Counts) string {
	if c.N == 0 {
		return "no requests"
	}
	return strconv.FormatFloat(100*float64(c.K)/float64(c.N), 'g', 3, 64) + " %"
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
