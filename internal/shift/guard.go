package shift

import (
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// NoteGuard notes the configuration that the guard is about to get, unless it is the one that it was given last: the
// guard and the next advance compare what they find with it. Nothing may hold up the way down, not even a ledger that
// takes no entry.
func (s *Shift) NoteGuard(ctx context.Context, configuration string) error {
	if configuration == "" {
		return nil
	}
	given := ledger.Checksum(configuration)
	_, err := ledger.Append(ctx, s.rollout.Ledger(), s.rollout.Clock.Now,
		func(current *ledger.Ledger) ([]ledger.Entry, error) {
			if last := current.State().Guard; last != nil && last.Configuration == given {
				return nil, nil
			}
			return []ledger.Entry{{Kind: ledger.GuardConfigured, Who: s.rollout.Who, Release: s.rollout.Settings.Release,
				Configuration: given}}, nil
		})
	switch {
	case err == nil:
		return nil
	case s.rollout.Settings.Position().Weight == 0:
		return s.log.Warn(fmt.Sprintf("the guard's new configuration is not noted: %s", err))
	default:
		return fmt.Errorf("note the guard's new configuration: %w", err)
	}
}
