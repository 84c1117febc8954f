package move

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// Action is the next thing to do about a rollout that advances by itself.
type Action string

// Actions, in the order in which a stage goes through them.
const (
	// Wait: nothing may be done now.
	Wait Action = "wait"
	// Set: the next stage may be entered, and the stack's file does not ask for it yet.
	Set Action = "set"
	// Update: the stack's file asks for the next stage, and no update has made the move yet.
	Update Action = "update"
)

// Readiness is what a scheduled `rollout advance --when-ready` finds.
type Readiness struct {
	Action Action
	// Reason is why, in one line.
	Reason string
	// Move is the move to make, and Decision the gate's word on it; both are nil while the ledger and the configuration
	// alone say that there is none.
	Move     *Move
	Decision *advance.Decision
}

// wait is a readiness that does nothing.
func wait(format string, args ...any) Readiness {
	return Readiness{Action: Wait, Reason: fmt.Sprintf(format, args...)}
}

// WhenReady finds out whether the stack may go on by itself, and how. It changes nothing. The ledger says where the
// rollout stands and the stack's file what it is to become, so that a run that was killed at any point is taken up by
// the next one and no move is made twice.
func (o *Operation) WhenReady(ctx context.Context) (Readiness, error) {
	if !o.Rollout.Settings.IsAuto() {
		return wait("advance is manual: `pulumi config set advance auto -s %s` lets the stages follow each other by "+
			"themselves", o.StackName), nil
	}
	history, err := o.history(ctx)
	if err != nil {
		return Readiness{}, err
	}
	state := history.State()
	if reason := o.unsettled(state); reason != "" {
		return wait("%s", reason), nil
	}
	if state.Weight == 100 && (state.Begun == nil || state.Begun.To == 0) {
		return o.finishWhenReady(ctx)
	}
	return o.raiseWhenReady(ctx, state)
}

// unsettled is why a rollout is for a person to settle before it goes on by itself; empty when nothing is.
func (o *Operation) unsettled(state ledger.State) string {
	begun, lowered := state.Begun, state.Lowered
	isFinish := begun != nil && begun.Finishes()
	switch {
	case state.Unfinished != nil:
		return fmt.Sprintf("the rollback of %s is not complete: rollout status -s %s", state.Unfinished.Release, o.StackName)
	case state.Quarantine != nil:
		return fmt.Sprintf("%s is in quarantine since %s", state.Release, timestamp(state.Quarantine.Time))
	case begun != nil && begun.To < state.Weight && !isFinish:
		return fmt.Sprintf("the shift down from %d %% to %d %% is not complete: pulumi up -s %s", state.Weight, begun.To,
			o.StackName)
	case lowered != nil && state.Weight > 0:
		return o.keptDown(*lowered)
	default:
		return ""
	}
}

// keptDown says that a person took the weight down: only a person raises it again.
func (o *Operation) keptDown(lowered ledger.Entry) string {
	return fmt.Sprintf("%s took %s from %d %% to %d %% at %s, and what a person lowers only a person raises: "+
		"rollout advance -s %s", lowered.Who, lowered.Release, lowered.From, lowered.To, timestamp(lowered.Time), o.StackName)
}

// finishWhenReady makes the image stable that has all requests.
func (o *Operation) finishWhenReady(ctx context.Context) (Readiness, error) {
	move, err := o.Finish(ctx)
	if err != nil {
		return Readiness{}, err
	}
	stable, err := o.digest(ctx, "stableImage", o.Rollout.Settings.StableImage)
	if err != nil {
		return Readiness{}, err
	}
	// Without the identity, where the image is stable's already, the configuration asks for the way down.
	isAsked := stable == move.Target.Stable &&
		(move.Target.Finish == "" || o.Rollout.Settings.Finish == move.Target.Finish)
	if weight := o.Rollout.Settings.Position().Weight; weight == 0 && isAsked {
		move.config = nil
	} else if weight < 100 {
		return o.behind(100), nil
	}
	return o.judged(ctx, move), nil
}

// raiseWhenReady enters, goes on to the next stage, or completes a shift that was interrupted.
func (o *Operation) raiseWhenReady(ctx context.Context, state ledger.State) (Readiness, error) {
	to, err := o.next(state)
	if err != nil {
		return Readiness{}, err
	}
	move, err := o.Advance(ctx, to)
	if err != nil {
		return Readiness{}, err
	}
	target, living := move.Target, state.LivingImage()
	switch {
	case living == "" && target.Canary == target.Stable:
		return wait("no release waits: stable runs %s already", short(target.Canary)), nil
	case living != "" && target.Canary != living:
		return wait("the configuration names %s, but %s is on trial with %s: `pulumi up -s %s` decides which", short(
			target.Canary), state.Living(), short(living), o.StackName), nil
	case state.Lowered != nil && state.Lowered.Image == target.Canary:
		return wait("%s", o.keptDown(*state.Lowered)), nil
	}
	switch given := o.Rollout.Settings.Position().Weight; {
	case given < state.Weight:
		return o.behind(state.Weight), nil
	case given == to:
		move.config = nil
	case given > to && state.Weight > 0:
		return wait("the configuration asks for %d %%, and the next stage is %d %%: %s", given, to, o.asking(to)), nil
	case given > state.Weight && given < to:
		// A person chose a weight between two stages.
		move.Target.Weight, move.config = given, nil
	default:
		move.config = o.configOf(to)
	}
	return o.judged(ctx, move), nil
}

// behind waits while the configuration asks for less than the rollout has: somebody wants it down, or a move was not
// committed.
func (o *Operation) behind(weight int) Readiness {
	return wait("the configuration asks for %d %%, and the rollout is at %d %%: go down with `pulumi up -s %s`, or keep "+
		"it with %s", o.Rollout.Settings.Position().Weight, weight, o.StackName, o.asking(weight))
}

// configOf is the configuration of a weight: the week of the stage, which canaryWeight would override.
func (o *Operation) configOf(weight int) map[string]string {
	s := o.Rollout.Settings
	at := slices.Index(s.Stages, weight)
	if at < 0 {
		return map[string]string{"canaryWeight": strconv.Itoa(weight)}
	}
	config := map[string]string{"week": strconv.Itoa(at + 1)}
	if s.CanaryWeight.Set {
		config["canaryWeight"] = ""
	}
	return config
}

// asking is the command that lets the configuration ask for a weight.
func (o *Operation) asking(weight int) string {
	return fmt.Sprintf("`pulumi config set canaryWeight %d -s %s`", weight, o.StackName)
}

// judged asks the gate about a move.
func (o *Operation) judged(ctx context.Context, move *Move) Readiness {
	decision := o.Judge(ctx, move)
	ready := Readiness{Action: Set, Move: move, Decision: &decision}
	switch {
	case decision.RollBack:
		ready.Action, ready.Reason = Wait, fmt.Sprintf("%s is refused, and the canary should be rolled back with "+
			"`rollout rollback -s %s`: %s", decision.Move, o.StackName, reasons(decision))
	case !decision.Allowed():
		ready.Action, ready.Reason = Wait, fmt.Sprintf("%s waits: %s", decision.Move, reasons(decision))
	case move.IsUpdateOnly():
		ready.Action, ready.Reason = Update, fmt.Sprintf("%s is allowed and set, and its update has not run",
			decision.Move)
	default:
		ready.Reason = fmt.Sprintf("%s is allowed", decision.Move)
		if decision.Move.Kind == plan.Finish {
			ready.Reason += ": " + short(move.Target.Stable) + " becomes stable"
		}
	}
	return ready
}

// reasons are those of the refusals in one line.
func reasons(decision advance.Decision) string {
	var list []string
	for _, refusal := range decision.Refusals {
		list = append(list, fmt.Sprintf("%s: %s", refusal.Cause, strings.Join(strings.Fields(refusal.Reason), " ")))
	}
	return strings.Join(list, "; ")
}

// short is a digest cut to the length that people compare.
func short(digest string) string {
	const length = len("sha256:") + 12
	return digest[:min(len(digest), length)]
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
