package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// moveFlags are how a move is made.
type moveFlags struct {
	common
	to       int
	override string
	yes      bool
}

func advanceCommand() *cobra.Command {
	var flags moveFlags
	cmd := &cobra.Command{
		Use:   "advance",
		Short: "Give the canary the weight of the next stage",
		Long: "Give the canary the weight of the next stage, or the one of --to.\n\n" +
			"The verdict is the one of the advance gate, made afresh. When it lets the move through, you are asked, the\n" +
			"configuration is set and `pulumi up` runs, whose output is shown. It ends with 3 when only time or traffic is\n" +
			"missing, and changes nothing then.",
		Example: "  rollout advance -s production\n  rollout advance -s production --to 30 --yes",
	}
	flags.run(cmd, func(s *session) error {
		to := -1
		if cmd.Flags().Changed("to") {
			to = flags.to
		}
		return s.advance(cmd.Context(), to, flags)
	})
	cmd.Flags().IntVar(&flags.to, "to", 0, "weight in percent; the next stage's when it is not given")
	return cmd
}

func finishCommand() *cobra.Command {
	var flags moveFlags
	cmd := &cobra.Command{
		Use:   "finish",
		Short: "Make the canary's image the stable one, after 100 %",
		Long: "Make the canary's image the stable one, after 100 %.\n\n" +
			"It sets stableImage to the image that passed its gate and canaryWeight to 0, and runs `pulumi up`: the stable " +
			"track\n" +
			"takes the new image and grows to full capacity first, then the canary goes.",
		Example: "  rollout finish -s production",
	}
	flags.run(cmd, func(s *session) error { return s.finish(cmd.Context(), flags) })
	return cmd
}

// run gives a command the flags of a move, and a session to make it in.
func (f *moveFlags) run(cmd *cobra.Command, move func(*session) error) {
	f.bind(cmd)
	cmd.Flags().StringVar(&f.override, "override", "",
		"reason to go against the gate in an emergency; the ledger keeps it")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Args = noArguments
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := f.begin(cmd)
		if err != nil {
			return err
		}
		return move(s)
	}
}

// advance raises the weight.
func (s *session) advance(ctx context.Context, to int, flags moveFlags) error {
	history, err := s.history(ctx)
	if err != nil {
		return err
	}
	state := history.State()
	if to < 0 {
		if to, err = next(s.settings.Stages, state); err != nil {
			return err
		}
	}
	if err := s.expressible(to); err != nil {
		return terminal.Usage(fmt.Errorf("--to %d: %w", to, err))
	}
	if to <= state.Weight && state.Begun == nil {
		return terminal.Usage(fmt.Errorf("--to %d: the rollout stands at %d %% already; to go down: rollout rollback -s "+
			"%s, or `pulumi config set canaryWeight %d -s %s && pulumi up -s %s`",
			to, state.Weight, s.stack.Name, to, s.stack.Name, s.stack.Name))
	}
	canary, err := s.digest(ctx, "image", s.settings.Image)
	if err != nil {
		return err
	}
	stable, err := s.digest(ctx, "stableImage", s.settings.StableImage)
	if err != nil {
		return err
	}
	config := map[string]string{"canaryWeight": strconv.Itoa(to)}
	return s.move(ctx, history, plan.Target{Weight: to, Canary: canary, Stable: stable}, config, "advance", flags)
}

// expressible says what is wrong with a weight, if anything is: where the pods split the requests, they must be able
// to.
func (s *session) expressible(weight int) error {
	if s.settings.IsGateway() {
		_, err := plan.Weigh(s.settings.Week, weight, s.settings.Replicas, s.settings.Replicas)
		return err
	}
	_, err := plan.Split(s.settings.Week, weight, s.settings.Replicas, s.settings.WarmStable)
	return err
}

// next is the weight of the stage that follows, or that of a shift which is under way.
func next(stages plan.Stages, state ledger.State) (int, error) {
	if state.Begun != nil && state.Begun.To > state.Weight {
		return state.Begun.To, nil
	}
	for _, weight := range stages {
		if weight > state.Weight {
			return weight, nil
		}
	}
	return 0, terminal.Usage(fmt.Errorf("the rollout stands at %d %%, and there is no further stage: `rollout finish` "+
		"makes the canary's image the stable one", state.Weight))
}

// finish makes the canary the stable track.
func (s *session) finish(ctx context.Context, flags moveFlags) error {
	history, err := s.history(ctx)
	if err != nil {
		return err
	}
	state := history.State()
	if state.Weight != 100 {
		return terminal.Usage(fmt.Errorf("the rollout stands at %d %%; it is finished from 100 %%: rollout advance -s %s",
			state.Weight, s.stack.Name))
	}
	record, err := s.record(ctx)
	if err != nil {
		return err
	}
	reference := record["image"]
	if names.Digest(reference) != state.Image {
		return fmt.Errorf("the image that passed its gate last is %q, and the ledger has %s at 100 %%: an unchanged "+
			"`pulumi up -s %s` brings them together",
			reference, state.Image, s.stack.Name)
	}
	config := map[string]string{"stableImage": reference, "canaryWeight": "0"}
	return s.move(ctx, history, plan.Target{Weight: 0, Canary: state.Image, Stable: state.Image}, config, "finish", flags)
}

// digest is that of an image of the configuration; a tag is resolved as the program does it.
func (s *session) digest(ctx context.Context, key, reference string) (string, error) {
	if reference == "" {
		return "", terminal.Usage(fmt.Errorf("no %s is configured: pulumi config set %s IMAGE -s %s", key, key, s.stack.Name))
	}
	if s.settings.Build.Context != "" && key == "image" {
		return "", terminal.Usage(errors.New("the image is built by the update, so that the move can be judged by `pulumi " +
			"up` only"))
	}
	if digest := names.Digest(reference); digest != "" {
		return digest, nil
	}
	credentials := image.Options{}
	if s.settings.Registry.Password != "" {
		known, err := s.stack.WithSecrets(ctx)
		if err != nil {
			return "", fmt.Errorf("config %s names a tag, and the registry's password is needed to resolve it: %w", key, err)
		}
		credentials = image.Options{Username: known.Registry.Username, Password: known.Registry.Password.Reveal()}
	}
	resolved, err := image.Resolve(ctx, reference, credentials)
	if err != nil {
		return "", fmt.Errorf("config %s: %w", key, err)
	}
	return names.Digest(resolved.String()), nil
}

// staging is what is known from the stack that verifies.
func (s *session) staging(ctx context.Context) advance.Staging {
	wanted := s.settings.Staging
	if !wanted.Required {
		return advance.Staging{}
	}
	found := advance.Staging{Required: true, Stack: wanted.Stack}
	outputs, err := s.stack.OutputsOf(ctx, wanted.Stack)
	if err != nil {
		found.Err = err
		return found
	}
	verified, _ := outputs["verifiedImage"].(string)
	found.Verified = names.Digest(verified)
	return found
}

// judged is the outcome of a move for programs.
type judged struct {
	Move     string          `json:"move"`
	Allowed  bool            `json:"allowed"`
	Made     bool            `json:"made"`
	Verdict  gate.Verdict    `json:"verdict,omitempty"`
	Refusals []refusal       `json:"refusals,omitempty"`
	Evidence gate.Evaluation `json:"evidence,omitzero"`
}

type refusal struct {
	Cause   string `json:"cause"`
	Found   string `json:"found"`
	Resolve string `json:"resolve"`
}

func judgedOf(decision advance.Decision) judged {
	made := judged{Move: decision.Move.String(), Allowed: decision.Allowed(), Verdict: decision.Verdict()}
	for _, r := range decision.Refusals {
		made.Refusals = append(made.Refusals, refusal{string(r.Cause), r.Reason, r.Resolve})
	}
	if decision.Soak != nil {
		made.Evidence = decision.Soak.Evaluation
	}
	return made
}

// endOf is how a command ends whose move was refused: what time or traffic can cure is a lack of evidence.
func endOf(decision advance.Decision) error {
	switch {
	case decision.Allowed():
		return nil
	case decision.Curable():
		return terminal.ErrTooLittle
	default:
		return terminal.ErrNotInOrder
	}
}

// causesOf names the reasons against a move.
func causesOf(decision advance.Decision) string {
	var causes []string
	for _, refusal := range decision.Refusals {
		causes = append(causes, string(refusal.Cause))
	}
	return strings.Join(slices.Compact(causes), ", ")
}
