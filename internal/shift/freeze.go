package shift

import (
	"cmp"
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	config "github.com/vextrus/finance-rollout/internal/settings"
)

// Freeze says what the stable track keeps in an update.
type Freeze struct {
	// Frozen is true when stable keeps what it runs, whatever the configuration says: it runs the release that finished
	// last until the next one finishes.
	Frozen bool
	// Identity is what stable runs, Former what it ran before; nil where the ledger does not know it.
	Identity, Former identity.Identity
}

// Freeze is known after [Shift.Look].
func (s *Shift) Freeze() Freeze { return s.freeze }

// Freezes decides what stable keeps: everything, unless nothing has passed a gate yet, the stack has one track, the
// target finishes, or it names another stable image. The gate judges the last two.
func Freezes(state ledger.State, target plan.Target, single bool) Freeze {
	f := Freeze{Identity: state.StableIdentity, Former: state.FormerIdentity}
	at := rollout.Standing(state)
	f.Frozen = !single && state.Settled && state.Stable != "" && state.Stable == target.Stable && !at.Finishes(target)
	return f
}

// Identified reports whether the ledger knows what stable runs. It is known after [Shift.Look].
func (s *Shift) Identified() bool { return s.identifiedBefore }

// BeforeKeptCreated stands in front of a Secret or a ConfigMap that stable refers to and whose content this update does
// not know. The stack's state holds it; where it does not, an update would make it without content.
func (s *Shift) BeforeKeptCreated(_ context.Context, name string) error {
	settings := s.rollout.Settings
	return fmt.Errorf("%s, which the stable track refers to, is not in the state of the stack, and the configuration "+
		"has other values by now: restore the state with `pulumi stack import -s %s`, or set the configuration back to what "+
		"stable runs", name, settings.StackName())
}

// BeforeStableCreated stands in front of a Deployment of the stable track that the state does not hold, while the
// ledger knows what stable runs: nothing else may be made in its place.
func (s *Shift) BeforeStableCreated(context.Context) error {
	changes := identity.Changes(s.freeze.Identity, s.configured.Stable.With(s.freeze.Identity[identity.Image]))
	if !s.freeze.Frozen || len(changes) == 0 {
		return nil
	}
	settings := s.rollout.Settings
	return fmt.Errorf("the stable track is not in the state of the stack, and the configuration differs from what it "+
		"runs by the ledger in %s: restore the state with `pulumi stack import -s %s`, or set the configuration back",
		identity.Describe(changes), settings.StackName())
}

// BeforeStableUpdated stands in front of the Deployment of the stable track. While it is frozen, the engine writes the
// template that its state holds: a state that is older than the last finish, such as one that was imported, would bring
// former pods back.
func (s *Shift) BeforeStableUpdated(ctx context.Context, change TrackChange) error {
	if !s.freeze.Frozen || !change.OfPods {
		return nil
	}
	settings := s.rollout.Settings
	live, exists, err := s.cluster.Deployment(ctx, settings.Namespace, StableTrack(settings).Deployment)
	if err != nil || !exists {
		return err
	}
	made := live.Spec.Template.Annotations[names.Identity]
	if made == change.Identity {
		return nil
	}
	return fmt.Errorf("the state of the stack holds another stable track (identity %s) than the cluster and the ledger "+
		"(%s), and would bring it back: `pulumi up --refresh -s %s` takes what runs into the state first",
		cmp.Or(change.Identity, "unknown"), cmp.Or(made, "unknown"), settings.StackName())
}

// freezeBy makes out what stable keeps. An image that the update builds is that of a stack with one track, which keeps
// nothing.
func (s *Shift) freezeBy(ctx context.Context, state ledger.State) error {
	if s.rollout.Settings.IsSingle() || !s.images.Stable.IsKnown() || !s.images.Canary.IsKnown() {
		return nil
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	s.freeze = Freezes(state, target, false)
	s.identifiedBefore = state.StableIdentity != nil
	express, err := expressBy(state, target, s.configured, s.rollout.Settings)
	if err != nil {
		return err
	}
	if express != nil {
		s.express, s.expressFrom, s.freeze.Frozen = express, rollout.Standing(state), false
		return s.announceExpress()
	}
	if state.Stable == "" {
		return s.ledgerIsFirst(ctx, target)
	}
	if s.freeze.Frozen {
		if s.freeze.Frozen, err = s.runs(ctx, state); err != nil {
			return err
		}
		if !s.freeze.Frozen {
			if err := s.restores(state); err != nil {
				return err
			}
		}
	}
	if s.freeze.Frozen && s.freeze.Identity == nil {
		// A ledger of an earlier version: what the configuration says is adopted.
		s.freeze.Identity = s.configured.Stable.With(state.Stable)
	}
	return s.explainFreeze(ctx, state)
}

// ledgerIsFirst refuses to begin a ledger on a stable track that passed a gate before and runs something else than the
// configuration says: with the ledger gone, nothing tells what is new.
func (s *Shift) ledgerIsFirst(ctx context.Context, target plan.Target) error {
	settings := s.rollout.Settings
	_, record, err := s.cluster.ConfigMap(ctx, settings.Namespace, names.Record(settings.App))
	if err != nil || record == "" {
		return err
	}
	live, exists, err := s.cluster.Deployment(ctx, settings.Namespace, StableTrack(settings).Deployment)
	if err != nil || !exists {
		return err
	}
	made, wanted := live.Spec.Template.Annotations[names.Identity], s.configured.Stable.With(target.Stable).Hash()
	if made == "" || wanted == "" || made == wanted {
		return nil
	}
	return fmt.Errorf("the ledger has no history, and the stable track runs identity %s while the configuration says %s: "+
		"restore ConfigMap %s/%s from a backup, or set stableImage and the configuration back to what stable runs before a "+
		"new ledger begins", made, wanted, settings.Namespace, names.Ledger(settings.App))
}

// runs reports whether the stable track in the cluster is made as the ledger says. A finish that was interrupted and
// given up leaves it otherwise: it goes back then.
func (s *Shift) runs(ctx context.Context, state ledger.State) (bool, error) {
	settings := s.rollout.Settings
	live, exists, err := s.cluster.Deployment(ctx, settings.Namespace, StableTrack(settings).Deployment)
	if err != nil || !exists {
		return true, err
	}
	if made := live.Spec.Template.Annotations[names.Identity]; made != "" && state.StableIdentity != nil {
		return made == state.StableIdentity.Hash(), nil
	}
	for i := range live.Spec.Template.Spec.Containers {
		if container := &live.Spec.Template.Spec.Containers[i]; container.Name == settings.App {
			return names.Digest(container.Image) == state.Stable, nil
		}
	}
	return true, nil
}

// restores refuses to give stable anything but what it runs by the ledger, where it runs something else: an update has
// begun to change it and was given up, or was overtaken by a rollback. The state of the stack holds what that update
// wrote, so that what was before it can come from the configuration alone.
func (s *Shift) restores(state ledger.State) error {
	changes := identity.Changes(state.StableIdentity, s.configured.Stable.With(state.Stable))
	if len(changes) == 0 {
		return nil
	}
	return fmt.Errorf("the stable track has pods of an update that did not finish, and the configuration differs from "+
		"what it runs by the ledger in %s: set those parts back, and `pulumi up -s %[2]s` restores it. What cannot wait for "+
		"that goes by the express lane, in an update at %[3]d %%: `pulumi config set canaryWeight %[3]d -s %[2]s && pulumi "+
		"config set --path express.reason WHY -s %[2]s`", identity.Describe(changes), s.rollout.Settings.StackName(), state.Weight)
}

// explainFreeze says in one line where the configuration differs from what stable runs while nothing is on trial: the
// canary takes the difference first.
func (s *Shift) explainFreeze(ctx context.Context, state ledger.State) error {
	if !s.freeze.Frozen || s.rollout.Settings.Position().Weight > 0 {
		return nil
	}
	release, err := s.release(ctx)
	if err != nil {
		return err
	}
	changes := identity.OfConfiguration(identity.Changes(s.freeze.Identity, release))
	if len(changes) == 0 {
		return nil
	}
	stages, stack := s.rollout.Settings.Stages, s.rollout.Settings.StackName()
	text := fmt.Sprintf("stable keeps what it runs; the configuration differs in %s. To try that, let a release enter "+
		"with `pulumi config set canaryWeight %d -s %s && pulumi up -s %s`; to drop it, set the configuration back",
		identity.Describe(changes), stages.First(), stack, stack)
	if latch, parts := state.LatchedParts(release); len(parts) > 0 && latch.Seq != s.rollout.Settings.Latch.Release {
		text = fmt.Sprintf("stable keeps what it runs; the configuration differs in %s, of which %s was rolled back at "+
			"entry %d of the ledger. Set another value, set it back, or once the cause is fixed: `rollout unlatch -s %s --reason WHY`",
			identity.Describe(changes), identity.Describe(parts), latch.Seq, stack)
	}
	return s.log.Info(text)
}

// identified gives entries of a shift the identities of both tracks.
func (s *Shift) identified(state ledger.State, target plan.Target, entries []ledger.Entry) []ledger.Entry {
	canary, stable := s.configured.Canary.With(target.Canary), s.stableAfter(state, target)
	for i := range entries {
		entry := &entries[i]
		switch entry.Kind {
		case ledger.Finished:
			canary = state.Identity
			if canary == nil {
				canary = stable
			}
		case ledger.ShiftBegun, ledger.ShiftReached:
		default:
			continue
		}
		if target.Canary == "" {
			canary = nil
		}
		entry.Identity, entry.StableIdentity = canary.Hash(), stable.Hash()
		entry.Identities = state.Unknown(canary, stable)
	}
	return entries
}

// stableAfter is what stable runs once the target is reached.
func (s *Shift) stableAfter(state ledger.State, target plan.Target) identity.Identity {
	if s.freeze.Frozen {
		return s.freeze.Identity
	}
	if s.configured.Stable == nil && rollout.Standing(state).Finishes(target) {
		return state.Identity
	}
	return s.configured.Stable.With(target.Stable)
}

// identityOf is the short form of what the pods of a track are made of once this update is done; empty where it is
// unknown. Stable's pods of an earlier version do not say what they are made of, and stay as they are while it is
// frozen.
func (s *Shift) identityOf(ctx context.Context, track Track) (string, error) {
	if track.Labels[names.Track] == names.Canary {
		release, err := s.release(ctx)
		return release.Hash(), err
	}
	if s.freeze.Frozen || s.rollout.Settings.IsSingle() {
		return "", nil
	}
	stable, err := s.images.Stable.Get(ctx)
	return s.configured.Stable.With(stable).Hash(), err
}

// identify writes the identities into a ledger that has none, as that of an earlier version: the first update that
// keeps the position adopts what the configuration says.
func (s *Shift) identify(ctx context.Context, state ledger.State) error {
	if state.Stable == "" || state.StableIdentity != nil || s.configured.Stable == nil ||
		s.rollout.Settings.IsSingle() {
		return nil
	}
	_, err := ledger.Append(ctx, s.rollout.Ledger(), s.rollout.Clock.Now,
		func(current *ledger.Ledger) ([]ledger.Entry, error) {
			state := current.State()
			if state.StableIdentity != nil {
				return nil, nil
			}
			stable := s.configured.Stable.With(state.Stable)
			entry := ledger.Entry{Kind: ledger.Identified, Who: s.rollout.Who, StableIdentity: stable.Hash(),
				Reason: "the ledger is of a version without identities"}
			var canary identity.Identity
			if image := state.LivingImage(); image != "" {
				canary = s.configured.Canary.With(image)
				entry.Identity, entry.Image, entry.Release = canary.Hash(), image, state.Living()
			}
			entry.Identities = state.Unknown(stable, canary)
			return []ledger.Entry{entry}, nil
		})
	return err
}

// verifier is the rollout by which the gate looks. Where it looks at stable, which keeps what it runs, the tokens and
// the origin are those that stable knows.
func (s *Shift) verifier(ctx context.Context) (*rollout.Rollout, error) {
	settings := s.rollout.Settings
	if !s.freeze.Frozen || settings.HasCanary() {
		return s.rollout, nil
	}
	for _, ref := range []config.SecretRef{settings.Smoke.TokenFrom, settings.Smoke.OriginFrom} {
		name := settings.SecretName(ref.Secret)
		content := s.freeze.Identity[identity.Secret+name]
		if content == "" || content == s.configured.Canary[identity.Secret+name] {
			continue
		}
		for _, object := range []string{identity.ObjectName(name, content), name} {
			value, exists, err := s.cluster.SecretValue(ctx, settings.Namespace, object, ref.Key)
			if err != nil {
				return nil, err
			}
			if exists {
				settings = settings.WithSecret(ref, value)
				break
			}
		}
	}
	return s.rollout.With(settings), nil
}
