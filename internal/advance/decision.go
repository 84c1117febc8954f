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
	CauseRenamed  Cause = "renamed canary"
	CauseLatched  Cause = "latched"
	CauseStaging  Cause = "not verified in staging"
	CauseSoak     Cause = "soak too short"
	CauseCriteria Cause = "criteria not met"
	CauseFailed   Cause = "criteria failed"
	CauseBlind    Cause = "no evidence"
	CauseCalendar Cause = "calendar closed"
	// CauseCalendarUnknown: the calendar itself cannot be read.
	CauseCalendarUnknown Cause = "calendar not readable"
	CauseIncident        Cause = "open incident"
	CauseChecklist       Cause = "checklist incomplete"
	CauseApproval        Cause = "not approved"
	// CauseDisarmed: the guard in the cluster does not act, or looks elsewhere than the configuration says.
	CauseDisarmed Cause = "guard disarmed"
	// CauseLimits: a limit is looser than its floor.
	CauseLimits Cause = "limits too loose"
)

// Refusal is one reason against a shift.
type Refusal struct {
	Cause Cause
	// Reason states the facts with their numbers, Resolve the command that resolves them.
	Reason  string
	Resolve string
}

// Curable reports whether time or traffic alone can resolve the refusal: an incident ends as well. Such a refusal is a
// warning on preview; any other is an error there.
func (r Refusal) Curable() bool {
	switch r.Cause {
	case CauseSoak, CauseCriteria, CauseBlind, CauseCalendar, CauseIncident:
		return true
	default:
		return false
	}
}

// overridable reports whether an operator may override the refusal. A latch has a release of its own instead, a
// floor is lowered by a setting of its own, and a second name would leave the canary of the first one in traffic.
func (r Refusal) overridable() bool {
	return r.Cause != CauseLatched && r.Cause != CauseRenamed && r.Cause != CauseLimits
}

// Decision is the outcome of the gate.
type Decision struct {
	Move plan.Move
	// Refusals are the reasons against the shift. It is allowed if there are none, or if it is overridden.
	Refusals []Refusal
	// Lifted are refusals that do not count, because an override of their own is in force.
	Lifted []Lifted
	// Overridden is the operator's override that allows the shift in spite of the refusals; nil for none.
	Overridden *Override
	// Changes are the parts in which a release that enters differs from what stable runs, in words; empty for none or
	// where that is unknown.
	Changes string
	// Soak is the evidence behind the decision; nil where none was needed.
	Soak *Soak
	// Extend means that the soak's time is over and its criteria are not met: the soak is extended.
	Extend bool
	// RollBack means that the canary failed with statistical confidence: it is taken out of traffic at once.
	RollBack bool
}

// Allowed reports whether the shift may happen.
func (d Decision) Allowed() bool {
	return !d.RollBack && (len(d.Refusals) == 0 || d.Overridden != nil)
}

// Curable reports whether time and traffic alone can resolve every refusal.
func (d Decision) Curable() bool {
	for _, refusal := range d.Refusals {
		if !refusal.Curable() {
			return false
		}
	}
	return !d.RollBack
}

// RefusedError is the error of a refused shift.
type RefusedError struct{ Decision Decision }

// Error states every reason with its numbers and the command that resolves it.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s is refused\n%s", e.Decision.Move, e.Decision)
}

// String is the decision for people.
func (d Decision) String() string {
	var out strings.Builder
	switch {
	case d.Allowed() && d.Overridden != nil:
		fmt.Fprintf(&out, "%s: allowed by an override: %s\n", d.Move, d.Overridden.Reason)
	case d.Allowed():
		fmt.Fprintf(&out, "%s: allowed\n", d.Move)
	}
	if d.Changes != "" && d.Move.Kind == plan.Enter {
		fmt.Fprintf(&out, "on trial against stable, which keeps its own: %s\n", d.Changes)
	}
	for _, refusal := range d.Refusals {
		fmt.Fprintf(&out, "- %s: %s\n  to resolve: %s\n", refusal.Cause, refusal.Reason, refusal.Resolve)
	}
	for _, lifted := range d.Lifted {
		fmt.Fprintf(&out, "- %s: %s\n  lifted by %s until %s: %s\n", lifted.Cause, lifted.Reason, lifted.By.Key,
			timestamp(lifted.By.Until), lifted.By.Reason)
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
