package gate

import "time"

// HoldFor is how long a [Watch] holds a verdict back while the stable track fails too, but not as badly.
const HoldFor = 3 * time.Second

// Watch looks at a detector again and again: the fast evidence of a guard. It is not safe for concurrent use.
type Watch struct {
	*Detector
	criterion Criterion
	heldSince time.Time
}

// NewWatch watches the criterion's rollback limit.
func NewWatch(criterion Criterion) *Watch {
	return &Watch{Detector: NewDetector(criterion.Rollback), criterion: criterion}
}

// NewCappedWatch is [NewWatch] with a cap on the evidence of each block of time; see [Cap].
func NewCappedWatch(criterion Criterion, bound Cap) *Watch {
	return &Watch{Detector: NewCappedDetector(criterion.Rollback, bound), criterion: criterion}
}

// IsCalm reports whether the evidence asks for no verdict: it is a cheap [Watch.Look] for those who look very often.
func (w *Watch) IsCalm() bool {
	if w.criterion.Suspects(w.Detector) {
		return false
	}
	w.heldSince = time.Time{}
	return true
}

// Look gives the verdict. A canary that fails no more than the stable track is not blamed, and the shared outage is
// forgotten. While it is unclear which track is bad, the verdict is held back for [HoldFor].
func (w *Watch) Look(now time.Time) Detection {
	detection := w.criterion.Detect(w.Detector)
	switch {
	case detection.Shared:
		w.Forget()
		w.heldSince = time.Time{}
	case detection.Ambiguous(w.criterion.Rollback):
		if w.heldSince.IsZero() {
			w.heldSince = now
		}
		if now.Sub(w.heldSince) < HoldFor {
			detection.Verdict = Inconclusive
			detection.Reason += "; held back, because the stable track fails too"
		}
	default:
		w.heldSince = time.Time{}
	}
	return detection
}
