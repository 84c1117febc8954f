package advance

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Cause is why a shift is refused.
type Cause string

// Causes of a refusal.
const (
	CauseIllegal  Cause = "illegal move"
	CauseLatched  Cause = "latched"
	CauseStaging  Cause = "not verified in staging"
	CauseSoak     Cause = "soak too short"
	CauseCriteria Cause = "criteria not met"
	CauseFailed   Cause = "criteria failed"
	CauseBlind    Cause = "no evidence"
)

// Refusal is one reason against a shift: what was asked for, what was found, and the command that resolves it.
type Refusal struct {
	Cause   Cause
	Found   string
	Resolve string
}

// Curable tells whether time or traffic alone may cure it. On preview it is a warning then, else an error.
func (r Refusal) Curable() bool {
	switch r.Cause {
	case CauseSoak, CauseCriteria, CauseBlind:
		return true
	default:
		return false
	}
}

// overridable tells whether an operator may go against it. A latch has its own release, which is recorded with it.
func (r Refusal) overridable() bool { return r.Cause != CauseLatched }

// Decision is the outcome of the gate.
type Decision struct {
	Move plan.Move
	// Refusals are the reasons against the shift; it is allowed when there are none, or when it is overridden.
	Refusals []Refusal
	// Overridden tells that an operator's override lets the shift through in spite of the refusals.
	Overridden *Override
	// Soak is what the decision rests on; nil where no evidence was needed.
	Soak *Soak
	// Extend tells that the soak's time is over without its criteria being met: it is extended.
	Extend bool
	// RollBack tells that the evidence shows the canary to be bad: it is taken out without asking anybody.
	RollBack bool
}

// Allowed tells whether the shift may happen.
func (d Decision) Allowed() bool {
	return !d.RollBack && (len(d.Refusals) == 0 || d.Overridden != nil)
}

// Curable tells whether nothing but time or traffic is missing.
func (d Decision) Curable() bool {
	for _, refusal := range d.Refusals {
		if !refusal.Curable() {
			return false
		}
	}
	return !d.RollBack
}

// RefusedError says that a shift is refused.
type RefusedError struct{ Decision Decision }

// Error gives every reason with its numbers and the way to resolve it.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s is refused\n%s", e.Decision.Move, e.Decision)
}

// String is the decision for people.
func (d Decision) String() string {
	var out strings.Builder
	switch {
	case d.Allowed() && d.Overridden != nil:
		fmt.Fprintf(&out, "%s: let through by an override: %s\n", d.Move, d.Overridden.Reason)
	case d.Allowed():
		fmt.Fprintf(&out, "%s: let through\n", d.Move)
	}
	for _, refusal := range d.Refusals {
		fmt.Fprintf(&out, "- %s: %s\n  to resolve: %s\n", refusal.Cause, refusal.Found, refusal.Resolve)
	}
	if d.Soak != nil {
		out.WriteString(d.Soak.String())
	}
	return strings.TrimRight(out.String(), "\n")
}

// Verdict is that of the evidence, empty where none was needed.
func (d Decision) Verdict() gate.Verdict {
	if d.Soak == nil {
		return ""
	}
	return d.Soak.Evaluation.Verdict()
}

// duration prints a duration in the two units that matter.
func duration(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d s", d/time.Second)
	}
}
