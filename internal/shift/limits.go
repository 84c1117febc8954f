package shift

import (
	"context"
	"fmt"
	"strings"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// noReason stands in the ledger for a reason that nobody gave.
const noReason = "no reason given"

// noteLimits notes limits that changed while a release is on trial: an entry of its own says who changed them, from
// what to what, and why. The reason is that of the configuration; one that was the reason of an earlier change of this
// release is none of this one. A change without a reason is noted as such: the floors hold back what is too loose. The
// error is one of the ledger, which then refuses everything but the way down.
func (s *Shift) noteLimits(ctx context.Context, state ledger.State) error {
	terms := s.rollout.Terms()
	changes := changedLimits(state, terms)
	if len(changes) == 0 {
		return nil
	}
	text := fmt.Sprintf("the limits of %s were changed during its rollout: %s", state.Living(),
		strings.Join(changes, ", "))
	if s.dryRun {
		return s.log.Info(text)
	}
	var noted ledger.Entry
	_, err := ledger.Append(ctx, s.rollout.Ledger(), s.rollout.Clock.Now,
		func(current *ledger.Ledger) ([]ledger.Entry, error) {
			now := current.State()
			if len(changedLimits(now, terms)) == 0 {
				return nil, nil
			}
			noted = ledger.Entry{Kind: ledger.LimitsChanged, Who: s.rollout.Who, Release: now.Living(),
				Image: now.LivingImage(), Before: now.Terms, Terms: terms,
				Reason: reasonOf(current, s.rollout.Settings.Criteria.Reason)}
			return []ledger.Entry{noted}, nil
		})
	if err != nil && s.rollout.Settings.Position().Weight == 0 {
		return s.log.Warn(fmt.Sprintf("%s, which is not noted: %s", text, err))
	}
	if err != nil || noted.Kind == "" {
		return err
	}
	if noted.Reason == noReason {
		return s.log.Warn(fmt.Sprintf("%s; the ledger notes it without a reason: give the next one with "+
			"`pulumi config set --path criteria.reason WHY -s %s`", text, s.rollout.Settings.StackName()))
	}
	return s.log.Info(text)
}

// changedLimits says what is different from what the release that lives was judged by; nothing where none lives.
func changedLimits(state ledger.State, terms *ledger.Terms) []string {
	if state.Living() == "" || state.Terms == nil {
		return nil
	}
	return state.Terms.Changes(*terms)
}

// reasonOf is the reason of a change, unless an earlier change of limits had the same.
func reasonOf(history *ledger.Ledger, given string) string {
	given = strings.TrimSpace(given)
	if given == "" {
		return noReason
	}
	for _, entry := range history.Entries() {
		if entry.Kind == ledger.LimitsChanged && entry.Reason == given {
			return noReason
		}
	}
	return given
}
