package move

import (
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// Outcome is the outcome of a move, for programs.
type Outcome struct {
	Move    string `json:"move"`
	Allowed bool   `json:"allowed"`
	// Done is true once the move was made.
	Done     bool         `json:"made"`
	Verdict  gate.Verdict `json:"verdict,omitempty"`
	Refusals []Refusal    `json:"refusals,omitempty"`
	// Lifted are refusals that do not count, because an override of their own is in force.
	Lifted   []Lifted        `json:"lifted,omitempty"`
	Evidence gate.Evaluation `json:"evidence,omitzero"`
}

// Refusal is a reason against a move.
type Refusal struct {
	Cause   string `json:"cause"`
	Reason  string `json:"found"`
	Resolve string `json:"resolve"`
}

// Lifted is a refusal that an override of its own lifts until a moment, with the reason for it.
type Lifted struct {
	Cause    string    `json:"cause"`
	Reason   string    `json:"found"`
	Override string    `json:"override"`
	Why      string    `json:"reason"`
	Until    time.Time `json:"until"`
}

// OutcomeOf returns the outcome of a move that was judged and not yet made.
func OutcomeOf(decision advance.Decision) Outcome {
	outcome := Outcome{Move: decision.Move.String(), Allowed: decision.Allowed(), Verdict: decision.Verdict()}
	for _, r := range decision.Refusals {
		outcome.Refusals = append(outcome.Refusals, Refusal{string(r.Cause), r.Reason, r.Resolve})
	}
	for _, l := range decision.Lifted {
		outcome.Lifted = append(outcome.Lifted, Lifted{Cause: string(l.Cause), Reason: l.Reason, Override: l.By.Key,
			Why: l.By.Reason, Until: l.By.Until})
	}
	if decision.Soak != nil {
		outcome.Evidence = decision.Soak.Evaluation
	}
	return outcome
}

// ErrorOf returns the error that ends a command after a refused move, nil for an allowed one. A refusal that time or
// traffic can resolve is a lack of evidence.
func ErrorOf(decision advance.Decision) error {
	switch {
	case decision.Allowed():
		return nil
	case decision.Curable():
		return terminal.ErrTooLittle
	default:
		return terminal.ErrNotInOrder
	}
}

// Causes lists the causes of the refusals.
func Causes(decision advance.Decision) string {
	var causes []string
	for _, refusal := range decision.Refusals {
		causes = append(causes, string(refusal.Cause))
	}
	return strings.Join(slices.Compact(causes), ", ")
}
