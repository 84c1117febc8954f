package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// shift is the one move that a run of the program makes. It is judged once, whichever resource asks first, and noted
// in the ledger when it is let through.
type shift struct {
	settings *settings.Settings
	cluster  cluster
	edges    edges
	dryRun   bool
	// canary and stable are the digests that the configuration asks for.
	canary, stable *pending
	// staging is what is known from staging.
	staging advance.Staging
	// say tells the user something.
	say speaker

	once    sync.Once
	verdict error
	// begun is the number of the ledger's entry with the shift that this run carries out, 0 when it is to stay where it
	// is. It is unknown while the ledger could not be read.
	begun int
	// interruption is the number of the last entry that left the cluster otherwise than the stack's state tells, and
	// unfinished that of the shift which was under way when this run began; both are 0 for none.
	interruption, unfinished int
}

// unknown stands for a number of an entry.
const unknown = -1

// speaker reports to the user of the Pulumi CLI.
type speaker interface {
	info(text string) error
	warn(text string) error
}

// pending is a value that is known later: the digest of an image that the update itself builds.
type pending struct {
	known chan struct{}
	once  sync.Once
	value string
}

func newPending() *pending { return &pending{known: make(chan struct{})} }

// known makes a value that needs no waiting.
func known(value string) *pending {
	p := newPending()
	p.set(value)
	return p
}

func (p *pending) set(value string) {
	p.once.Do(func() {
		p.value = value
		close(p.known)
	})
}

func (p *pending) get(ctx context.Context) (string, error) {
	select {
	case <-p.known:
		return p.value, nil
	case <-ctx.Done():
		return "", fmt.Errorf("wait for the image: %w", context.Cause(ctx))
	}
}

// isKnown tells whether the value is there already.
func (p *pending) isKnown() bool {
	select {
	case <-p.known:
		return true
	default:
		return false
	}
}

func (s *shift) store() ledger.Store { return rollout.Ledger(s.cluster, s.settings) }

// entered tells whether the ledger holds that staging had verified the image when it was let in. A ledger that cannot
// be read holds nothing here: the advance gate says what is wrong with it.
func (s *shift) entered(ctx context.Context, image string) bool {
	history, err := ledger.Read(ctx, s.store())
	return err == nil && slices.ContainsFunc(history.Entries(), func(entry ledger.Entry) bool {
		return entry.Kind == ledger.StagingVerified && entry.Image == image
	})
}

// judge lets the move through or refuses it. On preview nothing is written, and what time or traffic can still cure
// is a warning.
func (s *shift) judge(ctx context.Context) error {
	s.once.Do(func() { s.verdict = s.judgeOnce(ctx) })
	return s.verdict
}

func (s *shift) judgeOnce(ctx context.Context) error {
	if s.dryRun && !s.canary.isKnown() {
		return s.say.info("the image is built by the update, and the move is judged then")
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	history, err := ledger.Read(ctx, s.store())
	if err != nil {
		s.begun = unknown
		if target.Weight == 0 {
			// Nothing may keep a canary in traffic, not even a broken ledger.
			return s.say.warn(fmt.Sprintf("the way down to 0 %% is open, but: %s", err))
		}
		return fmt.Errorf("the move to %d %% is refused: %w", target.Weight, err)
	}
	facts := s.facts(ctx, history, target)
	decision := advance.Decide(facts)
	if s.dryRun {
		return s.preview(decision)
	}
	return s.carryOut(ctx, history, target, decision)
}

// target is what the configuration asks for.
func (s *shift) target(ctx context.Context) (plan.Target, error) {
	canary, err := s.canary.get(ctx)
	if err != nil {
		return plan.Target{}, err
	}
	stable, err := s.stable.get(ctx)
	return plan.Target{Weight: s.settings.Position().Weight, Canary: canary, Stable: stable}, err
}

// digest is that of the image that a track shall run.
func (s *shift) digest(ctx context.Context, track string) (string, error) {
	if track == names.Canary {
		return s.canary.get(ctx)
	}
	return s.stable.get(ctx)
}

func (s *shift) facts(ctx context.Context, history *ledger.Ledger, target plan.Target) advance.Facts {
	state, now := history.State(), s.edges.now()
	return rollout.Facts(s.settings, state, target, s.staging, now,
		func() advance.Soak { return s.lookAtSoak(ctx, state, now) })
}

// lookAtSoak gathers the evidence of the stage that the rollout stands at, afresh.
func (s *shift) lookAtSoak(ctx context.Context, state ledger.State, now time.Time) advance.Soak {
	server := func() (soak.Server, error) { return s.edges.prometheus(s.cluster, s.settings.Prometheus) }
	return rollout.LookAtSoak(ctx, s.settings, s.cluster, server, state, now)
}

// preview tells what an update would do.
func (s *shift) preview(decision advance.Decision) error {
	switch {
	case decision.Allowed() && decision.Move.Kind == plan.Stay:
		return nil
	case decision.Allowed():
		return s.say.info(decision.String())
	case decision.Curable():
		return s.say.warn(fmt.Sprintf("an update now would be refused: %s\n%s", decision.Move, decision))
	default:
		return &advance.RefusedError{Decision: decision}
	}
}

// carryOut notes the decision, and rolls back where the evidence asks for it.
func (s *shift) carryOut(ctx context.Context, history *ledger.Ledger, target plan.Target,
	decision advance.Decision) error {
	refused := &advance.RefusedError{Decision: decision}
	switch {
	case decision.RollBack:
		outcome := s.rollBack(ctx, history.State().Image, history.State().Release,
			"the soak failed: "+decision.Refusals[len(decision.Refusals)-1].Reason,
			map[string]string{"soak": decision.Soak.Evaluation.String()})
		return fmt.Errorf("%w\n%s", refused, outcome)
	case !decision.Allowed() && decision.Soak != nil:
		return errors.Join(refused, s.note(ctx, *decision.Soak))
	case !decision.Allowed():
		return refused
	case decision.Move.Kind == plan.Stay && s.settings.Latch.Release == 0:
		s.begun = history.State().Shift()
		return nil
	}
	if err := s.begin(ctx, history, target, decision); err != nil {
		return err
	}
	return s.say.info(decision.String())
}

// begin notes what was let through. It looks again at what the decision rests on: somebody may have rolled back
// meanwhile.
func (s *shift) begin(ctx context.Context, history *ledger.Ledger, target plan.Target,
	decision advance.Decision) error {
	judged := history.State().Shift()
	written, err := ledger.Append(ctx, s.store(), s.edges.now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		latch, latched := state.Latch(target.Canary)
		released := latched && latch.Seq == s.settings.Latch.Release
		if latched && !released && target.Weight > 0 {
			return nil, fmt.Errorf("the canary was rolled back by %s while the move was judged: %s; look at `pulumi preview`",
				latch.Who, latch.Reason)
		}
		if decision.Move.Kind != plan.Stay && (standsAt(state, target) || isUnderWay(state, target)) {
			return nil, nil // somebody else has moved it there, or is about to
		}
		if state.Weight != decision.Move.From && decision.Move.Kind != plan.Enter {
			return nil, fmt.Errorf("the rollout was moved to %d %% while this move was judged: an unchanged `pulumi up` "+
				"judges it anew", state.Weight)
		}
		// Whoever goes down need not mind who goes up.
		if decision.Move.Kind != plan.Retreat {
			if err := overtaken(current, judged, target); err != nil {
				return nil, err
			}
		}
		return s.entries(target, decision, latch, released), nil
	})
	if err != nil {
		return err
	}
	s.begun = written.State().Shift()
	return nil
}

// latest says no when somebody else has moved the rollout since this run's shift was let through. It is asked before
// capacity is taken away, because another update or a rollback may count on it.
func (s *shift) latest(ctx context.Context) error {
	if s.begun == unknown || s.settings.IsSingle() {
		return nil
	}
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	current, err := ledger.Read(ctx, s.store())
	if err != nil {
		return err
	}
	return overtaken(current, s.begun, target)
}

// goesOn says no when somebody else has moved the rollout since this run's shift was let through, or has rolled its
// canary back.
func (s *shift) goesOn(ctx context.Context) error {
	if err := s.latest(ctx); err != nil {
		return err
	}
	digest, err := s.canary.get(ctx)
	if err != nil {
		return err
	}
	current, err := ledger.Read(ctx, s.store())
	if err != nil {
		return err
	}
	if latch, latched := current.State().Latch(digest); latched {
		return &overtakenError{by: latch}
	}
	return nil
}

// overtaken is an error when the ledger's shift is another one than the numbered one, unless somebody else has
// reached the same target.
func overtaken(current *ledger.Ledger, shift int, target plan.Target) error {
	state := current.State()
	if shift == unknown || state.Shift() == shift || standsAt(state, target) {
		return nil
	}
	by, _ := current.LastMove()
	return &overtakenError{by: by}
}

// standsAt tells whether the rollout stands at the target and no shift is under way.
func standsAt(state ledger.State, target plan.Target) bool {
	return state.Weight == target.Weight && state.Stable == target.Stable && state.Begun == nil &&
		(state.Image == target.Canary || target.Weight == 0)
}

// isUnderWay tells whether a shift to the target was begun and is not completed.
func isUnderWay(state ledger.State, target plan.Target) bool {
	begun := state.Begun
	return begun != nil && begun.To == target.Weight && begun.Image == target.Canary && begun.Stable == target.Stable
}

// overtakenError says that somebody else moved the rollout during an update.
type overtakenError struct{ by ledger.Entry }

// Error tells who, and what to do.
func (e *overtakenError) Error() string {
	return fmt.Sprintf("the rollout was moved on by %s at %s, to %d %% (%s, entry %d of the ledger), while this update "+
		"was under way: "+
		"`pulumi up --refresh` goes on from there", e.by.Who, e.by.Time.Format(time.RFC3339), e.by.To, e.by.Kind, e.by.Seq)
}

func (s *shift) entries(target plan.Target, decision advance.Decision, latch ledger.Entry,
	released bool) []ledger.Entry {
	who := s.edges.who()
	var entries []ledger.Entry
	if released {
		entries = append(entries, ledger.Entry{Kind: ledger.LatchReleased, Who: who, Image: target.Canary, Ref: latch.Seq,
			Reason: s.settings.Latch.Reason})
	}
	if decision.Overridden != nil {
		entries = append(entries, ledger.Entry{Kind: ledger.Overridden, Who: who, Image: target.Canary, To: target.Weight,
			Reason: decision.Overridden.Reason + "; against: " + causes(decision)})
	}
	// A shift that goes on was noted when it was let through.
	if decision.Move.Kind == plan.Stay || decision.Move.Kind == plan.Resume {
		return entries
	}
	if decision.Move.Kind == plan.Enter {
		entry := ledger.Entry{Kind: ledger.StagingVerified, Who: who, Image: target.Canary, Stack: s.staging.Stack}
		if !s.staging.Required {
			entry.Kind, entry.Stack, entry.Reason = ledger.Overridden, "",
				"config staging.required is false: no stack has verified the image"
		}
		entries = append(entries, entry)
	}
	if decision.Soak != nil {
		entries = append(entries, ledger.Entry{Kind: ledger.Verdict, Who: who, Image: target.Canary, To: decision.Move.From,
			Verdict: string(decision.Verdict()), Numbers: soak.Numbers(decision.Soak.Evaluation),
			Soaked: int64(decision.Soak.Soaked / time.Second)})
	}
	return append(entries, ledger.Entry{Kind: ledger.ShiftBegun, Who: who, Release: s.settings.Release,
		Image: target.Canary, Stable: target.Stable,
		From: decision.Move.From, To: target.Weight, Reason: string(decision.Move.Kind)})
}

func causes(decision advance.Decision) string {
	var list []string
	for _, refusal := range decision.Refusals {
		list = append(list, string(refusal.Cause))
	}
	return strings.Join(list, ", ")
}

// reached notes that the target passed its gate. A finish makes the canary's image the stable one.
func (s *shift) reached(ctx context.Context) error {
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	_, err = ledger.Append(ctx, s.store(), s.edges.now, func(current *ledger.Ledger) ([]ledger.Entry, error) {
		state := current.State()
		if latch, latched := state.Latch(target.Canary); latched && target.Weight > 0 {
			return nil, fmt.Errorf("the canary was rolled back by %s while it was verified: %s", latch.Who, latch.Reason)
		}
		if standsAt(state, target) {
			return nil, nil
		}
		if err := overtaken(current, s.begun, target); err != nil {
			return nil, err
		}
		entry := ledger.Entry{Kind: ledger.ShiftReached, Who: s.edges.who(), Release: s.settings.Release,
			Image: target.Canary, Stable: target.Stable, From: state.Weight, To: target.Weight, Ref: s.unfinished}
		if state.Weight == 100 && target.Weight == 0 && target.Stable == state.Image {
			entry.Kind, entry.Image, entry.Release = ledger.Finished, state.Image, state.Release
		}
		return []ledger.Entry{entry}, nil
	})
	_, moved := errors.AsType[*overtakenError](err)
	if err != nil && target.Weight == 0 && !moved && !errors.Is(err, ledger.ErrConflict) {
		return s.say.warn(fmt.Sprintf("the position is reached, but: %s", err))
	}
	return err
}
