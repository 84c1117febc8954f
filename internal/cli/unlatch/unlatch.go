// Package unlatch releases the latch of a rolled-back image, for `rollout unlatch`.
package unlatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// Find returns the latch of an image: of the wanted one, else of the configured one, else of the image that was rolled
// back last. Where the image has none, it is that of a configuration that was rolled back with it, or with any image
// where none is wanted. Wanted is a reference with a digest, or a digest, or empty. The stack's name appears in
// commands.
func Find(state ledger.State, wanted, configured, stack string) (ledger.Entry, error) {
	if state.Unfinished != nil {
		return ledger.Entry{}, fmt.Errorf("the rollback of %s is not finished: first run `rollout rollback -s %s`",
			state.Unfinished.Release, stack)
	}
	digest := names.Digest(wanted)
	switch {
	case digest != "":
	case wanted != "":
		digest = wanted
	default:
		if digest = names.Digest(configured); digest == "" {
			digest = state.Image
		}
	}
	if latch, latched := state.Latch(digest); latched {
		return latch, nil
	}
	if latch, _, latched := state.ConfigurationLatch(digest); latched && digest != "" {
		return latch, nil
	}
	if last, latched := state.Latch(state.Image); latched && wanted == "" {
		return ledger.Entry{}, terminal.Usage(fmt.Errorf("the configured image %s has no latch; the image that was rolled "+
			"back last is %s: name it with --image %s -s %s", digest, last.Image, last.Image, stack))
	}
	if latch, _, latched := state.ConfigurationLatch(""); latched && wanted == "" {
		return latch, nil
	}
	return ledger.Entry{}, terminal.Usage(fmt.Errorf("no latch keeps %s out, so there is nothing to release: rollout "+
		"status -s %s", digest, stack))
}

// Covers says for people what a latch keeps out: an image, or parts of a configuration.
func Covers(state ledger.State, latch ledger.Entry) string {
	if entry, parts, latched := state.ConfigurationLatch(latch.Image); latched && entry.Seq == latch.Seq {
		return identity.Describe(parts)
	}
	return latch.Image
}

// Release releases the latch in the ledger. It fails if the latch was released or replaced in the meantime.
func Release(ctx context.Context, store ledger.Store, now func() time.Time, latch ledger.Entry, who, reason,
	stack string) error {
	_, err := ledger.Append(ctx, store, now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		if !current.State().Engaged(latch.Seq) {
			return nil, fmt.Errorf("%w: rollout status -s %s", errChanged, stack)
		}
		return []ledger.Entry{{Kind: ledger.LatchReleased, Who: who, Image: latch.Image, Release: latch.Release,
			Ref: latch.Seq, Reason: reason}}, nil
	})
	return err
}

var errChanged = errors.New("somebody else changed the latch in the meantime")
