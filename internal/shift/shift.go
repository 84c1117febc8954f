package shift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
)

// Log reports to the user of the Pulumi CLI.
type Log interface {
	Info(text string) error
	Warn(text string) error
}

// Images are the digests that the configuration asks for.
type Images struct{ Canary, Stable *Digest }

// Identities are what the configuration makes of each track, without the images; nil where nobody made them out.
type Identities struct{ Canary, Stable identity.Identity }

// Options are the inputs of a move.
type Options struct {
	Rollout    *rollout.Rollout
	Cluster    Cluster
	Images     Images
	Identities Identities
	// Staging is the word of the staging stack.
	Staging advance.Staging
	Log     Log
	// DryRun judges the move and writes nothing.
	DryRun bool
}

// Shift is the one move that an update makes. It is judged once, by the first resource that asks, and noted in the
// ledger when it is allowed. It is safe for concurrent use once [Shift.Look] has returned.
type Shift struct {
	rollout *rollout.Rollout
	cluster Cluster
	images  Images
	// configured are the identities by the configuration, without the images.
	configured Identities
	staging    advance.Staging
	log        Log
	dryRun     bool

	once    sync.Once
	verdict error
	// begun is the number of the ledger's entry with the shift that this update carries out, 0 when it is to stay where
	// it is. It is unknown while the ledger could not be read.
	begun int
	// interruption is the number of the last entry that left the cluster in another state than the stack's, and
	// unfinished that of the shift which was under way when this update began; both are 0 for none.
	interruption, unfinished int
	// errand is what this update has to do in the ledger before it changes anything; empty for nothing.
	errand string
	// express is the change that both tracks get in this update; nil for none.
	express *Express
	// expressFrom is the position that it leaves as it is.
	expressFrom plan.Standing
	// freeze is what the stable track keeps in this update; see [Shift.Freeze].
	freeze Freeze
	// identifiedBefore is true when the ledger knew what stable runs when this update began.
	identifiedBefore bool
}

// New makes the move of an update. Nothing is read before [Shift.Look].
func New(options Options) *Shift {
	return &Shift{
		rollout: options.Rollout, cluster: options.Cluster, images: options.Images, staging: options.Staging,
		configured: options.Identities, log: options.Log, dryRun: options.DryRun,
	}
}

// Interruption is the number of the ledger's last entry after which the cluster is in another state than the stack's,
// 0 for none. It is known after [Shift.Look].
func (s *Shift) Interruption() int { return s.interruption }

// VerifiedByStaging is true when staging has verified the image: it has now, or it had when the image entered and has
// moved on to another one since. A ledger that cannot be read counts as no: the advance gate reports it.
func (s *Shift) VerifiedByStaging(ctx context.Context, image string) bool {
	return image != "" && (image == s.staging.Verified || s.verifiedBefore(ctx, image))
}

// verifiedBefore is true when the ledger holds that staging had verified the image when it entered.
func (s *Shift) verifiedBefore(ctx context.Context, image string) bool {
	history, err := ledger.Read(ctx, s.rollout.Ledger())
	return err == nil && slices.ContainsFunc(history.Entries(), func(entry ledger.Entry) bool {
		return entry.Kind == ledger.StagingVerified && entry.Image == image
	})
}

// Judge allows the move or refuses it, once for all callers. On preview nothing is written, and a refusal that time
// or traffic can still cure is a warning.
func (s *Shift) Judge(ctx context.Context) error {
	s.once.Do(func() { s.verdict = s.judge(ctx) })
	return s.verdict
}

func (s *Shift) judge(ctx context.Context) error {
	if s.dryRun && !s.images.Canary.IsKnown() {
		return s.log.Info("the image is built by the update, and the move is judged then")
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	history, err := ledger.Read(ctx, s.rollout.Ledger())
	if err != nil {
		s.begun = unknown
		if target.Weight == 0 && !s.rollout.Settings.IsSingle() {
			// Nothing may keep a canary in traffic, not even a broken ledger.
			return s.log.Warn(fmt.Sprintf("the way down to 0 %% is open, but: %s", err))
		}
		return fmt.Errorf("the move to %d %% is refused: %w%s", target.Weight, err, s.acceptance(err))
	}
	state := history.State()
	if s.isAlone(state) {
		return nil
	}
	release, err := s.release(ctx)
	if err != nil {
		return err
	}
	facts := s.rollout.Facts(ctx, state, target, release, s.staging, func() advance.Soak {
		return s.rollout.Soak(ctx, state)
	})
	facts.OfFinish = identity.Describe(identity.Changes(state.Identity, s.configured.Stable.With(target.Stable)))
	decision := advance.Decide(facts)
	if s.express != nil && decision.Move.Kind != plan.Stay {
		return fmt.Errorf("the express lane takes an update of its own: %s", decision.Move)
	}
	if s.dryRun {
		return s.preview(decision)
	}
	err = s.carryOut(ctx, history, target, decision)
	s.rollout.Refused(ctx, history, target.Canary, decision)
	return err
}

// isAlone is true on a stack with one track that has no rollout in its ledger, as staging has none: there is no move.
// Where there is one, the change to one track is a move of it: what was on trial leaves, and stable gets an image.
func (s *Shift) isAlone(state ledger.State) bool {
	return s.rollout.Settings.IsSingle() && state.Weight == 0 && state.Stable == "" && state.Image == "" &&
		state.Begun == nil
}

// target is the position that the configuration asks for. The image of a stack with one track is its stable one.
func (s *Shift) target(ctx context.Context) (plan.Target, error) {
	canary, err := s.images.Canary.Get(ctx)
	if err != nil {
		return plan.Target{}, err
	}
	if s.rollout.Settings.IsSingle() {
		return plan.Target{Stable: canary, StableConfiguration: s.configured.Stable.Configuration()}, nil
	}
	stable, err := s.images.Stable.Get(ctx)
	target := plan.Target{Weight: s.rollout.Settings.Position().Weight, Canary: canary, Stable: stable,
		Configuration: s.configured.Canary.Configuration(), StableConfiguration: s.configured.Stable.Configuration(),
		Finish: s.rollout.Settings.Finish}
	if s.freeze.Frozen {
		target.StableConfiguration = s.freeze.Identity.Configuration()
	}
	if s.express != nil {
		// The position stays, whatever the tracks are made of: the lane has its own rules.
		target.Configuration, target.StableConfiguration = s.expressFrom.Configuration, s.expressFrom.StableConfiguration
	}
	return target, err
}

// release is the identity on the canary track by the configuration, or on the only track.
func (s *Shift) release(ctx context.Context) (identity.Identity, error) {
	digest, err := s.images.Canary.Get(ctx)
	if s.rollout.Settings.IsSingle() {
		return s.configured.Stable.With(digest), err
	}
	return s.configured.Canary.With(digest), err
}

// digest is that of the image that a track is to run.
func (s *Shift) digest(ctx context.Context, track string) (string, error) {
	if track == names.Canary {
		return s.images.Canary.Get(ctx)
	}
	return s.images.Stable.Get(ctx)
}

// preview reports the outcome of an update without making it.
func (s *Shift) preview(decision advance.Decision) error {
	switch {
	case decision.Allowed() && decision.Move.Kind == plan.Stay:
		return nil
	case decision.Allowed():
		return s.log.Info(decision.String())
	case decision.Curable():
		return s.log.Warn(fmt.Sprintf("an update now would be refused: %s\n%s", decision.Move, decision))
	default:
		return &advance.RefusedError{Decision: decision}
	}
}

// carryOut notes the decision, and rolls back where the evidence asks for it.
func (s *Shift) carryOut(ctx context.Context, history *ledger.Ledger, target plan.Target,
	decision advance.Decision) error {
	refused := &advance.RefusedError{Decision: decision}
	state := history.State()
	switch {
	case decision.RollBack:
		outcome := s.rollBack(ctx, state.Image, state.Release,
			"the soak failed: "+decision.Refusals[len(decision.Refusals)-1].Reason,
			map[string]string{"soak": decision.Soak.Evaluation.String()})
		return fmt.Errorf("%w\n%s", refused, outcome)
	case !decision.Allowed() && decision.Soak != nil:
		return errors.Join(refused, s.note(ctx, *decision.Soak))
	case !decision.Allowed():
		return refused
	case s.express != nil:
		return s.beginExpress(ctx)
	case decision.Move.Kind == plan.Stay && s.rollout.Settings.Latch.Release == 0:
		s.begun = state.Shift()
		return s.identify(ctx, state)
	}
	if err := s.begin(ctx, history, target, decision); err != nil {
		return err
	}
	return s.log.Info(decision.String())
}

// begin notes a move that was allowed, unless the ledger has changed so that it is allowed no longer.
func (s *Shift) begin(ctx context.Context, history *ledger.Ledger, target plan.Target,
	decision advance.Decision) error {
	judged := history.State().Shift()
	release, err := s.release(ctx)
	if err != nil {
		return err
	}
	written, err := ledger.Append(ctx, s.rollout.Ledger(), s.rollout.Clock.Now,
		func(current *ledger.Ledger) ([]ledger.Entry, error) {
			admitted, err := admit(current, judged, target, release, decision, s.rollout.Settings.Latch.Release)
			if err != nil || admitted.noted {
				return nil, err
			}
			return s.identified(current.State(), target, s.entries(target, decision, admitted.released)), nil
		})
	if err != nil {
		return err
	}
	s.begun = written.State().Shift()
	return nil
}
