package shift

import (
	"context"
	"errors"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// Express is a change of the configuration that cannot wait for the stages of a release, such as a rotated password.
// One update carries it to both tracks: to pods of the canary first, and to stable once those have passed their gate.
type Express struct {
	// Reason is the stack's word for why it cannot wait.
	Reason string
	// Changes are the parts that both tracks get.
	Changes []identity.Change
	// Canary and Stable are what the tracks run after it. Without a canary in traffic, Canary is what one pod runs for the
	// time of the gate.
	Canary, Stable identity.Identity
	// passed is true once pods of the canary have passed the gate with it.
	passed bool
}

// IsExpress reports whether the update carries a change to both tracks at once. It is known after [Shift.Look].
func (s *Shift) IsExpress() bool { return s.express != nil }

// expressBy makes out the change that the express lane carries; nil for none. A change that it may not carry is an
// error.
func expressBy(state ledger.State, target plan.Target, configured Identities,
	set *settings.Settings) (*Express, error) {
	reason, stack := set.Express.Reason, set.StackName()
	if reason == "" || state.StableIdentity == nil || configured.Stable == nil {
		return nil, nil
	}
	express := &Express{Reason: reason, Stable: configured.Stable.With(state.Stable)}
	express.Changes = identity.Changes(state.StableIdentity, express.Stable)
	onTrial := identity.Identity(nil)
	if state.Weight > 0 {
		onTrial, express.Canary = state.Identity, configured.Canary.With(target.Canary)
	} else {
		express.Canary = configured.Canary.With(state.Stable)
	}
	ofCanary := identity.Changes(onTrial, express.Canary)
	if len(express.Changes) == 0 && len(ofCanary) == 0 {
		return nil, nil
	}
	if err := latchedExpress(state, express, set); err != nil {
		return nil, err
	}
	without := fmt.Sprintf("`pulumi config rm express -s %s`", stack)
	if used, spent := state.ExpressBy(reason); spent {
		return nil, fmt.Errorf("express.reason %q was that of another change (entry %d of the ledger), and the "+
			"configuration differs again in %s: give this change its own reason with `pulumi config set --path "+
			"express.reason WHY -s %s`, or let it enter as a release with %s", reason, used.Seq, identity.Describe(express.Changes), stack, without)
	}
	if state.Weight != target.Weight || state.Begun != nil || state.Unfinished != nil || state.Quarantine != nil {
		return nil, fmt.Errorf("the express lane takes an update of its own, and the rollout is on its way to %d %%: first "+
			"reach that position with %s and `pulumi up -s %s`", target.Weight, without, stack)
	}
	if target.Stable != state.Stable || state.Weight > 0 && target.Canary != state.Image {
		return nil, fmt.Errorf("the express lane carries no image: an image enters at the first stage. Set the images back "+
			"(image %s, stableImage %s), or leave the lane with %s", state.Image, state.Stable, without)
	}
	if state.Weight > 0 {
		if err := sameForBoth(express.Changes, ofCanary, stack); err != nil {
			return nil, err
		}
	}
	return express, nil
}

// sameForBoth refuses a change that would give stable more than the express lane brings to the canary, or less.
func sameForBoth(ofStable, ofCanary []identity.Change, stack string) error {
	extra := func(of, beside []identity.Change) []identity.Change {
		var rest []identity.Change
		for _, change := range of {
			found := false
			for _, other := range beside {
				found = found || other.Part == change.Part && other.To == change.To
			}
			if !found {
				rest = append(rest, change)
			}
		}
		return rest
	}
	if onTrial := extra(ofStable, ofCanary); len(onTrial) > 0 {
		return fmt.Errorf("the express lane would give stable what is still on trial: %s. Take the release out with "+
			"`pulumi config set canaryWeight 0 -s %[2]s && pulumi up -s %[2]s`, set those parts back to what stable runs, and "+
			"repeat the express change", identity.Describe(onTrial), stack)
	}
	if alone := extra(ofCanary, ofStable); len(alone) > 0 {
		return fmt.Errorf("the express lane carries a change to both tracks, and %s would be the canary's alone: set it "+
			"outside of `canary`, or leave the lane with `pulumi config rm express -s %s`", identity.Describe(alone), stack)
	}
	return nil
}

// latchedExpress refuses a change that was rolled back before.
func latchedExpress(state ledger.State, express *Express, set *settings.Settings) error {
	for _, release := range []identity.Identity{express.Canary, express.Stable} {
		latch, parts := state.LatchedParts(release)
		if len(parts) > 0 && latch.Seq != set.Latch.Release {
			return fmt.Errorf("the express lane would carry %s, which was rolled back at entry %d of the ledger (%s): set "+
				"another value, or once the cause is fixed, `rollout unlatch -s %s --reason WHY`", identity.Describe(parts),
				latch.Seq, latch.Reason, set.StackName())
		}
	}
	return nil
}

// announceExpress says in preview and update which change both tracks get.
func (s *Shift) announceExpress() error {
	return s.log.Info(fmt.Sprintf("express lane (%s): canary pods get %s first, and stable gets it in the same update "+
		"once they have passed their gate", s.express.Reason, identity.Describe(s.express.Changes)))
}

// beginExpress notes the change before anything is made of it.
func (s *Shift) beginExpress(ctx context.Context) error {
	_, err := ledger.Append(ctx, s.rollout.Ledger(), s.rollout.Clock.Now,
		func(current *ledger.Ledger) ([]ledger.Entry, error) {
			state := current.State()
			if under := state.Express; under != nil && under.Identity == s.express.Canary.Hash() {
				return nil, nil
			}
			return append(s.unlatched(state), s.expressEntry(state, ledger.ExpressBegun)), nil
		})
	return err
}

// unlatched notes the release of the latch that keeps the change out, where the configuration releases it: the guard
// would keep the pods out otherwise.
func (s *Shift) unlatched(state ledger.State) []ledger.Entry {
	settings := s.rollout.Settings
	latch, parts := state.LatchedParts(s.express.Canary)
	if len(parts) == 0 || latch.Seq != settings.Latch.Release {
		return nil
	}
	return []ledger.Entry{{Kind: ledger.LatchReleased, Who: s.rollout.Who, Image: latch.Image, Ref: latch.Seq,
		Reason: settings.Latch.Reason}}
}

// reachedExpress notes that both tracks have the change.
func (s *Shift) reachedExpress(ctx context.Context) error {
	_, err := ledger.Append(ctx, s.rollout.Ledger(), s.rollout.Clock.Now,
		func(current *ledger.Ledger) ([]ledger.Entry, error) {
			state := current.State()
			if state.StableIdentity.Hash() == s.express.Stable.Hash() && state.Express == nil {
				return nil, nil
			}
			if err := s.carries(current); err != nil {
				return nil, err
			}
			entry := s.expressEntry(state, ledger.Expressed)
			if state.Weight == 0 {
				// The gate's own pod is gone, so the entry names no new identity for the canary track.
				entry.Identity = ""
			}
			return []ledger.Entry{entry}, nil
		})
	return err
}

// expressStands is an error when somebody else has rolled the change back, or moved the rollout, since it was noted.
func (s *Shift) expressStands(ctx context.Context) error {
	current, err := ledger.Read(ctx, s.rollout.Ledger())
	if err != nil {
		return err
	}
	return s.carries(current)
}

func (s *Shift) carries(current *ledger.Ledger) error {
	if under := current.State().Express; under != nil && under.Identity == s.express.Canary.Hash() {
		return nil
	}
	by, _ := current.LastMove()
	return &OvertakenError{By: by}
}

func (s *Shift) expressEntry(state ledger.State, kind ledger.Kind) ledger.Entry {
	image := state.Stable
	if state.Weight > 0 {
		image = state.Image
	}
	return ledger.Entry{Kind: kind, Who: s.rollout.Who, Release: s.rollout.Settings.Release, Image: image,
		Stable: state.Stable, Reason: s.express.Reason, Identity: s.express.Canary.Hash(),
		StableIdentity: s.express.Stable.Hash(), Identities: state.Unknown(s.express.Canary, s.express.Stable)}
}

// PassExpress stands in front of the stable track while the express lane carries a change: pods of the canary have it
// first, and pass smoke suite and bake. A refusal leaves stable as it is.
func (g *Gate) PassExpress(ctx context.Context) error {
	express := g.shift.express
	if express == nil || express.passed {
		return nil
	}
	err := g.tryExpress(ctx)
	if err == nil {
		err = g.shift.expressStands(ctx)
	}
	if err != nil {
		return fmt.Errorf("stable keeps its values, because the canary did not pass with the express change: %w", err)
	}
	express.passed = true
	return nil
}

// awaitStable waits until all pods of stable have the change of the express lane.
func (c *Capacity) awaitStable(ctx context.Context) error {
	ctx, cancel := c.limited(ctx)
	defer cancel()
	if err := c.awaitRelease(ctx, c.stable); err != nil {
		return fmt.Errorf("stable does not have the express change yet; an unchanged `pulumi up -s %s` goes on: %w",
			c.settings.StackName(), err)
	}
	return nil
}

// expressAdvice is the next step after a change that failed.
func (g *Gate) expressAdvice() string {
	stack := g.settings.StackName()
	if !g.settings.HasCanary() {
		return fmt.Sprintf("Its pod is gone. Correct the values or set them back, then `pulumi up -s %s`.", stack)
	}
	return fmt.Sprintf("The canary is taken out of traffic. The change is latched, and its image is not: correct the "+
		"values or set them back, then `pulumi config set canaryWeight 0 -s %[1]s && pulumi up -s %[1]s`.", stack)
}

func (g *Gate) tryExpress(ctx context.Context) error {
	s, track := g.settings, CanaryTrack(g.settings)
	if track.Replicas == 0 {
		track.Replicas = 1
		if err := g.shift.cluster.Scale(ctx, s.Namespace, track.Deployment, 1); err != nil {
			return err
		}
		defer func() {
			if err := g.shift.cluster.Scale(context.WithoutCancel(ctx), s.Namespace, track.Deployment, 0); err != nil {
				_ = g.shift.log.Warn(fmt.Sprintf("the pod of the express lane is left: %s; an unchanged `pulumi up --refresh -s %s` "+
					"removes it", err, s.StackName()))
			}
		}()
	}
	limited, cancel := g.capacity.limited(ctx)
	defer cancel()
	if err := g.shift.cluster.WaitDeploymentReady(limited, s.Namespace, track.Deployment, track.Replicas); err != nil {
		return err
	}
	subject := rollout.Subject{Track: names.Canary, Version: s.Release, Release: true}
	image := s.App + "@" + g.shift.express.Canary[identity.Image]
	options, err := g.shift.rollout.Verification(subject, image)
	if err != nil {
		return err
	}
	options.Advice = g.expressAdvice()
	if err := g.bake(&options, g.shift.rollout, subject); err != nil {
		return err
	}
	report, err := verify.Run(ctx, g.shift.cluster, options)
	if noteErr := g.noteSmokeTest(ctx, report); noteErr != nil {
		return errors.Join(err, noteErr)
	}
	if refused, ok := errors.AsType[*verify.RefusedError](err); ok && refused.Report.Verdict == gate.Inconclusive &&
		refused.Report.Bake != nil {
		// What cannot wait does not wait for customers either.
		return g.shift.log.Warn("the express change passed its smoke suite, and its bake saw too few requests to decide: " +
			refused.Report.Bake.Reasons(gate.Inconclusive))
	}
	if err != nil && s.HasCanary() {
		return g.refused(ctx, err, image)
	}
	return err
}
