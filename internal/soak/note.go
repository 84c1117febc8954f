package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Noted is what Note recorded. Both fields are false when another writer was first or the rollout had left the stage.
type Noted struct {
	Checkpoint, Extension bool
}

// Note records a look at the soak: a checkpoint when one is due, and an extension when the required time is soaked and
// the criteria are neither met nor failed. The guard, an update and an operator may look at the same moment. Note
// therefore decides on the ledger as it is at the write, and decides again after a lost race: each checkpoint and each
// extension is recorded once. It returns the error of reading or writing the ledger; nothing is recorded then.
func Note(ctx context.Context, store ledger.Store, now func() time.Time, who string, look advance.Soak) (Noted, error) {
	var noted Noted
	_, err := ledger.Append(ctx, store, now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		noted = Noted{}
		var entries []ledger.Entry
		state := current.State()
		if !isOf(look, state) {
			return nil, nil
		}
		if Due(look.Plan, state, now()) {
			noted.Checkpoint = true
			entries = append(entries, checkpoint(look, state, who))
		}
		if extends(look, state) {
			noted.Extension = true
			entries = append(entries, extension(look, state, who))
		}
		return entries, nil
	})
	if err != nil {
		return Noted{}, err
	}
	return noted, nil
}

// isOf reports whether the look is of the stage that the rollout still stands at, with no shift under way.
func isOf(look advance.Soak, state ledger.State) bool {
	return state.Weight > 0 && state.Begun == nil && look.Since.Equal(state.SoakSince)
}

// extends reports whether the look is at the end of a soak without a verdict that was not extended since the look.
func extends(look advance.Soak, state ledger.State) bool {
	return look.Evaluation.Verdict() == gate.Inconclusive && look.Extensions == state.Extensions &&
		look.Soaked >= look.Plan.Required(look.Extensions)
}

func checkpoint(look advance.Soak, state ledger.State, who string) ledger.Entry {
	entry := entryOf(ledger.Checkpoint, look, state, who)
	entry.From = state.Weight
	if verdict := look.Evaluation.Verdict(); verdict != gate.Pass {
		entry.Reason = look.Evaluation.Reasons(verdict)
	}
	return entry
}

func extension(look advance.Soak, state ledger.State, who string) ledger.Entry {
	entry := entryOf(ledger.Extended, look, state, who)
	entry.Reason = fmt.Sprintf("by %s: %s", look.Plan.Extension, look.Evaluation.Reasons(gate.Inconclusive))
	return entry
}

func entryOf(kind ledger.Kind, look advance.Soak, state ledger.State, who string) ledger.Entry {
	return ledger.Entry{
		Kind: kind, Who: who, Release: state.Release, Image: state.Image, To: state.Weight,
		Verdict: string(look.Evaluation.Verdict()), Numbers: Numbers(look.Evaluation),
		Terms: Terms(look), Soaked: int64(look.Soaked / time.Second),
	}
}
