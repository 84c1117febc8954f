package rollback

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Step is one step's outcome.
type Step struct {
	Name string
	// Done is the part that was done, in words; Err is why the rest was not, nil for nothing left.
	Done string
	Err  error
	Took time.Duration
}

// Outcome is the result of a rollback.
type Outcome struct {
	Reason string
	Steps  []Step
	// Evidence is the name of the stored evidence; empty for none.
	Evidence string
}

// Err joins the errors of all steps; nil when none failed.
func (o Outcome) Err() error {
	var failed []error
	for _, step := range o.Steps {
		if step.Err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", step.Name, step.Err))
		}
	}
	return errors.Join(failed...)
}

// String is the outcome for people, with one line for each step.
func (o Outcome) String() string {
	lines := []string{"rolled back: " + o.Reason}
	for _, step := range o.Steps {
		lines = append(lines, step.String())
	}
	return strings.Join(lines, "\n")
}

// String is the step in a line.
func (s Step) String() string {
	text := s.Done
	if s.Err != nil {
		text = strings.TrimSpace(text + " FAILED: " + s.Err.Error())
	}
	return fmt.Sprintf("  %-18s %6s  %s", s.Name, s.Took.Round(10*time.Millisecond), text)
}

// unnoted reports whether the intent could not be recorded.
func (o Outcome) unnoted() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name == noteStep && step.Err != nil })
}

// Undone reports whether another try can complete a failed step. Evidence that is incomplete stays incomplete.
func (o Outcome) Undone() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name != evidenceStep && step.Err != nil })
}

// Recorded reports whether the ledger holds the outcome.
func (o Outcome) Recorded() bool {
	return slices.ContainsFunc(o.Steps, func(step Step) bool { return step.Name == recordStep && step.Err == nil })
}

// OutOfTraffic is the time from the start of the rollback until no endpoint of the canary was left. The second result
// is false when some endpoint may be left.
func (o Outcome) OutOfTraffic() (time.Duration, bool) {
	var took time.Duration
	for _, step := range o.Steps {
		took += step.Took
		if step.Name == isolateStep {
			return took, step.Err == nil
		}
	}
	return took, false
}
