package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// Stack is the part of internal/cli/stack's Stack that a move needs.
type Stack interface {
	Values(paths []string) (map[string]string, error)
	Set(ctx context.Context, values map[string]string) error
	Up(ctx context.Context, progress io.Writer, refresh bool) error
	OutputsOf(ctx context.Context, stack string) (map[string]any, error)
	Registry(ctx context.Context) (image.Options, error)
}

// Operation makes moves of one stack.
type Operation struct {
	Rollout *rollout.Rollout
	Stack   Stack
	// StackName appears in commands.
	StackName string
	// Output takes the output of the Pulumi CLI.
	Output io.Writer
	// Progress reports the next step in a sentence.
	Progress func(text string)
}

// Move is a move that can be judged and made.
type Move struct {
	Target plan.Target
	// Override is the reason to go against the gate, empty for none.
	Override string

	config map[string]string
	before *ledger.Ledger
}

// IsUpdateOnly reports whether the configuration asks for the move already.
func (m *Move) IsUpdateOnly() bool { return len(m.config) == 0 }

// NextStage lets Advance choose the weight of the next stage.
const NextStage = -1

// Advance prepares a move up to a weight in percent, or to NextStage.
func (o *Operation) Advance(ctx context.Context, to int) (*Move, error) {
	history, err := o.history(ctx)
	if err != nil {
		return nil, err
	}
	state, s := history.State(), o.Rollout.Settings
	if to == NextStage {
		if to, err = o.next(state); err != nil {
			return nil, err
		}
	}
	if err := expressible(s, to); err != nil {
		return nil, terminal.Usage(fmt.Errorf("--to %d: %w", to, err))
	}
	if to <= state.Weight && state.Begun == nil {
		return nil,
			terminal.Usage(fmt.Errorf("--to %d: the rollout is already at %d %%; to go down: rollout rollback -s %s, "+
				"or `pulumi config set canaryWeight %d -s %s && pulumi up -s %s`",
				to, state.Weight, o.StackName, to, o.StackName, o.StackName))
	}
	canary, err := o.Canary(ctx, state)
	if err != nil {
		return nil, err
	}
	stable, err := o.digest(ctx, "stableImage", s.StableImage)
	if err != nil {
		return nil, err
	}
	return &Move{Target: plan.Target{Weight: to, Canary: canary, Stable: stable}, before: history,
		config: map[string]string{"canaryWeight": strconv.Itoa(to)}}, nil
}

// Finish prepares the move that makes the canary's image stable.
func (o *Operation) Finish(ctx context.Context) (*Move, error) {
	history, err := o.history(ctx)
	if err != nil {
		return nil, err
	}
	state, s := history.State(), o.Rollout.Settings
	if state.Weight != 100 {
		return nil, terminal.Usage(fmt.Errorf("the rollout is at %d %%; a finish needs 100 %%: rollout advance -s %s",
			state.Weight, o.StackName))
	}
	record, _, err := o.Rollout.Cluster.ConfigMap(ctx, s.Namespace, names.Record(s.App))
	if err != nil {
		return nil, err
	}
	reference := record["image"]
	if names.Digest(reference) != state.Image {
		return nil, fmt.Errorf("the image that last passed its gate is %q, but the ledger has %s at 100 %%: reconcile them "+
			"with `pulumi up -s %s`", reference, state.Image, o.StackName)
	}
	config := map[string]string{"stableImage": reference, "canaryWeight": "0"}
	if state.Image == state.Stable && state.Identity != nil {
		// The configuration alone was on trial: the image does not say that the move finishes.
		config["finish"] = state.Identity.Hash()
	}
	return &Move{Target: plan.Target{Weight: 0, Canary: state.Image, Stable: state.Image, Finish: config["finish"]},
		before: history, config: config}, nil
}

func (o *Operation) history(ctx context.Context) (*ledger.Ledger, error) {
	return ledger.Read(ctx, o.Rollout.Ledger())
}

// next returns the weight of the next stage, or of the shift in progress.
func (o *Operation) next(state ledger.State) (int, error) {
	if state.Begun != nil && state.Begun.To > state.Weight {
		return state.Begun.To, nil
	}
	for _, weight := range o.Rollout.Settings.Stages {
		if weight > state.Weight {
			return weight, nil
		}
	}
	return 0, terminal.Usage(fmt.Errorf("the rollout is at %d %%, the last stage: make the canary's image stable with "+
		"`rollout finish -s %s`", state.Weight, o.StackName))
}

// expressible checks that the traffic can be split at a weight. In replicas mode the pod counts limit it.
func expressible(s *settings.Settings, weight int) error {
	if s.IsGateway() {
		_, err := plan.Weigh(s.Week, weight, s.Replicas, s.Replicas)
		return err
	}
	_, err := plan.Split(s.Week, weight, s.Replicas, s.WarmStable)
	return err
}

// Canary returns the digest of the canary's image: the configured one; where none is configured, that of the release
// on trial, or what staging has verified.
func (o *Operation) Canary(ctx context.Context, state ledger.State) (string, error) {
	s := o.Rollout.Settings
	if s.Image != "" || !s.Staging.Required {
		return o.digest(ctx, "image", s.Image)
	}
	if living := state.LivingImage(); living != "" {
		return living, nil
	}
	staging := o.staging(ctx)
	if staging.Err == nil && staging.Verified != "" {
		return staging.Verified, nil
	}
	return "", terminal.Usage(fmt.Errorf("config image is empty, and stack %[1]s has verified no image: pulumi "+
		"up -s %[1]s, or pulumi config set image IMAGE -s %[2]s", s.Staging.Stack, o.StackName))
}

// digest returns the digest of a configured image. It resolves a tag as the program does.
func (o *Operation) digest(ctx context.Context, key, reference string) (string, error) {
	if reference == "" {
		return "", terminal.Usage(fmt.Errorf("config %s is empty: pulumi config set %s IMAGE -s %s", key, key, o.StackName))
	}
	if digest := names.Digest(reference); digest != "" {
		return digest, nil
	}
	credentials, err := o.Stack.Registry(ctx)
	if err != nil {
		return "", fmt.Errorf("config %s is a tag that needs to be resolved: %w", key, err)
	}
	resolved, err := image.Resolve(ctx, reference, credentials)
	if err != nil {
		return "", fmt.Errorf("config %s: %w", key, err)
	}
	return names.Digest(resolved.String()), nil
}

// Judge judges a move as the advance gate will.
func (o *Operation) Judge(ctx context.Context, move *Move) advance.Decision {
	judged := *o.Rollout.Settings
	if move.Override != "" {
		judged.Override = settings.Override{
			Weight: settings.Weight{Percent: move.Target.Weight, Set: true}, Reason: move.Override,
		}
	}
	staging := advance.Staging{}
	if move.Target.Weight > 0 {
		staging = o.staging(ctx)
	}
	state := move.before.State()
	return advance.Decide(o.Rollout.With(&judged).Facts(ctx, state, move.Target, nil, staging, func() advance.Soak {
		o.Progress("reading the evidence of the soak…")
		return o.Rollout.Soak(ctx, state)
	}))
}

// staging reads the digest that the verifying stack has in its outputs.
func (o *Operation) staging(ctx context.Context) advance.Staging {
	configured := o.Rollout.Settings.Staging
	if !configured.Required {
		return advance.Staging{}
	}
	staging := advance.Staging{Required: true, Stack: configured.Stack}
	outputs, err := o.Stack.OutputsOf(ctx, configured.Stack)
	if err != nil {
		staging.Err = err
		return staging
	}
	verified, _ := outputs["verifiedImage"].(string)
	staging.Verified = names.Digest(verified)
	return staging
}

// Make sets the configuration of an allowed move and runs `pulumi up`. If the update moves nothing, Make restores the
// configuration, so that no later update makes a forgotten move.
func (o *Operation) Make(ctx context.Context, move *Move, decision advance.Decision) error {
	config := maps.Clone(move.config)
	if decision.Overridden != nil && move.Override != "" {
		config["override.weight"], config["override.reason"] = strconv.Itoa(move.Target.Weight), move.Override
	}
	former, err := o.set(ctx, config)
	if err != nil {
		return err
	}
	// After a rollback or an interrupted shift the cluster differs from the stack's state.
	failure := o.Stack.Up(ctx, o.Output, move.before.State().Interruption() > 0)
	if failure == nil {
		return nil
	}
	// Check what an interrupted update has left behind, too.
	check := context.WithoutCancel(ctx)
	history, err := o.history(check)
	if err != nil {
		return errors.Join(failure, err)
	}
	was, _ := move.before.LastMove()
	if last, _ := history.LastMove(); last.Seq == was.Seq {
		if len(former) == 0 {
			return fmt.Errorf("%w\nnothing was moved", failure)
		}
		if err := o.Stack.Set(check, former); err != nil {
			return errors.Join(failure, err)
		}
		return fmt.Errorf("%w\nnothing was moved, and the configuration is restored", failure)
	}
	return fmt.Errorf("%w\nthe present state: rollout status -s %s", failure, o.StackName)
}

// set writes the configuration, and gives the values that it had.
func (o *Operation) set(ctx context.Context, config map[string]string) (former map[string]string, err error) {
	if len(config) == 0 {
		return nil, nil
	}
	if former, err = o.Stack.Values(slices.Collect(maps.Keys(config))); err != nil {
		return nil, err
	}
	return former, o.Stack.Set(ctx, config)
}

// Prepare sets the configuration of a move that was allowed and runs no update. A repeated call changes nothing more.
func (o *Operation) Prepare(ctx context.Context, move *Move) error {
	_, err := o.set(ctx, move.config)
	return err
}

// Position describes the position of the rollout by its ledger.
func (o *Operation) Position(ctx context.Context) string {
	history, err := o.history(ctx)
	if err != nil {
		return err.Error()
	}
	state := history.State()
	if state.Weight == 0 {
		return fmt.Sprintf("no canary serves requests, the stable track runs %s", state.Stable)
	}
	return fmt.Sprintf("%s has %d %% of the requests, and its soak begins", state.Release, state.Weight)
}
