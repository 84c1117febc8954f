package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/cli/adopt"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/takeover"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// settleFor is how long the nodes may take to follow a Service that leads elsewhere, before an old pod ends.
const settleFor = 15 * time.Second

// adoptFlags are the flags of rollout adopt.
type adoptFlags struct {
	common
	service string
	plan    bool
	remove  bool
	release bool
	yes     bool
}

func adoptCommand() *cobra.Command {
	var flags adoptFlags
	cmd := &cobra.Command{
		Use:   "adopt",
		Short: "Take over a service that runs already",
		Long: "Take over a service that runs already as the stable track.\n\n" +
			"The command reads what runs behind the Service, shows the settings and the steps, and asks. Then it writes the\n" +
			"settings into the stack's file, gives a Deployment that has the stable track's name another one, and runs\n" +
			"`pulumi up`: the new pods start beside the old ones, and the Service leads to them when they are ready. The old\n" +
			"pods end last. Their Deployment stays with 0 replicas, and ConfigMap APP-adopted keeps the manifests.\n\n" +
			"Objects that somebody else keeps, such as Helm or Argo CD, are refused with the command that resolves it. The\n" +
			"command exits with 1 then, and has changed nothing. Run it again after an interruption: it goes on.\n\n" +
			"--release is the way out: the stack lets go of the stable Deployment, its Service and what they need. These run\n" +
			"on untouched, and the guard, the rules and the release record go. It is refused while a canary has requests.",
		Example: "  rollout adopt -s production --plan\n  rollout adopt -s production\n  rollout adopt --release -s " +
			"production",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return flags.run(cmd) },
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&flags.service, "service", "", "Service that clients use; omit for the stack's serviceName")
	cmd.Flags().BoolVar(&flags.plan, "plan", false, "show the settings and the steps, and change nothing")
	cmd.Flags().BoolVar(&flags.remove, "delete", false,
		"delete the old Deployments at the end, in place of keeping them with 0 replicas")
	cmd.Flags().BoolVar(&flags.release, "release", false,
		"let the service go: its pods, its Service and what they need stay, and the rollout's own objects go")
	cmd.Flags().BoolVarP(&flags.yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

// adopted is the outcome for programs.
type adopted struct {
	*takeover.Plan
	// Problems are what the stack's settings would still lack.
	Problems []string `json:"problems,omitempty"`
	Done     bool     `json:"done"`
}

func (f *adoptFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	output, err := terminal.NewOutput(f.format, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	opened, err := f.openStack(cmd, output)
	if opened == nil || opened.Settings == nil {
		return err
	}
	if opened.Settings.IsSingle() {
		return terminal.Usage(fmt.Errorf("stack %s has one track, which a running service cannot become step by step: pass "+
			"a stack that has a canary with --stack", opened.Name))
	}
	cluster, err := kube.New(kube.Options{Kubeconfig: opened.Settings.Kubeconfig, Context: opened.Settings.KubeContext})
	if err != nil {
		return opened.Settings.Unreached(err)
	}
	target, err := f.target(opened)
	if err != nil {
		return err
	}
	live, err := adopt.Gather(ctx, cluster, target)
	if err != nil {
		if down := cluster.Check(ctx); down != nil {
			return down
		}
		return err
	}
	if f.release {
		s := &session{
			Rollout: rollout.New(opened.Settings, cluster, opened.PrometheusLogin(), os.Getenv), stack: opened, cluster: cluster,
			output: output, in: cmd.InOrStdin(), progress: cmd.ErrOrStderr(),
		}
		return s.letGo(ctx, f, target, live)
	}
	outcome := &adopted{Plan: takeover.New(target, live)}
	wanted, err := opened.With(outcome.Settings)
	if wanted == nil {
		return err
	}
	if err != nil && len(outcome.Settings) > 0 && len(outcome.Refusals) == 0 {
		outcome.Problems = strings.Split(err.Error(), "\n")
	}
	s := &session{
		Rollout: rollout.New(wanted, cluster, opened.PrometheusLogin(), os.Getenv), stack: opened, cluster: cluster,
		output: output, in: cmd.InOrStdin(), progress: cmd.ErrOrStderr(),
	}
	return s.carryOut(ctx, f, target, outcome)
}

func (f *adoptFlags) target(opened *stack.Stack) (takeover.Target, error) {
	given, err := opened.Given()
	s := opened.Settings
	target := takeover.Target{
		App: s.App, Namespace: s.Namespace, ServiceName: s.ServiceName, Stack: opened.Name, Owner: opened.Owner(),
		Gateway: s.IsGateway(), Given: given, Delete: f.remove,
	}
	if f.service != "" {
		target.ServiceName = f.service
	}
	return target, err
}

// carryOut shows the plan, asks, and carries it out.
func (s *session) carryOut(ctx context.Context, f *adoptFlags, target takeover.Target, outcome *adopted) error {
	refused := len(outcome.Refusals) > 0 || len(outcome.Problems) > 0
	if !s.output.JSON() {
		if err := s.output.Text(planText(outcome, s.output.Style)); err != nil {
			return err
		}
	}
	if refused || f.plan || len(outcome.Steps) == 0 {
		if s.output.JSON() {
			if err := s.output.Print(outcome, nil); err != nil {
				return err
			}
		}
		if refused {
			return terminal.ErrNotInOrder
		}
		return nil
	}
	question := fmt.Sprintf("Take over service %s/%s at %s as the stable track of stack %s?", target.Namespace,
		target.ServiceName, s.cluster.Origin(), s.stack.Name)
	if err := s.confirm(ctx, f.yes, question); err != nil {
		return err
	}
	release, err := s.lock(ctx, "adopt", false)
	if err != nil {
		return err
	}
	defer release()
	operation := &adopt.Operation{
		Cluster: s.cluster, Target: target, Patience: time.Duration(s.Settings.ProgressLimit), Settle: settleFor,
		Replicas: func() int { return s.Settings.Position().Stable }, Report: s.report,
		Write:  func(values takeover.Values) error { return s.stack.Write(values) },
		Update: s.updateAdopted,
	}
	if err := operation.Run(ctx, outcome.Plan); err != nil {
		return err
	}
	outcome.Done = true
	return s.output.Print(outcome, func(style terminal.Style) string {
		return style.Good(fmt.Sprintf("service %s/%s is the stable track of stack %s", target.Namespace,
			target.ServiceName, s.stack.Name)) + "\n"
	})
}

// updateAdopted runs `pulumi up` with the settings that were just written.
func (s *session) updateAdopted(ctx context.Context) error {
	opened, err := s.stack.Reopen(ctx)
	if err != nil {
		return err
	}
	return opened.Up(ctx, s.progress, false)
}

// planText formats a plan for people.
func planText(outcome *adopted, style terminal.Style) string {
	var text strings.Builder
	for _, refusal := range outcome.Refusals {
		fmt.Fprintf(&text, "%s %s: %s\n  to resolve: %s\n", style.Bad("refused"), refusal.Object, refusal.Reason, refusal.Fix)
	}
	if len(outcome.Settings) > 0 {
		fmt.Fprintln(&text, style.Bold("settings"))
		for _, key := range slices.Sorted(maps.Keys(outcome.Settings)) {
			text.WriteString(indented(settingText(key, outcome.Settings[key])))
		}
	}
	for _, problem := range outcome.Problems {
		fmt.Fprintf(&text, "%s %s\n", style.Bad("missing"), sanitize.Text(problem))
	}
	for _, note := range outcome.Notes {
		fmt.Fprintf(&text, "%s %s\n", style.Warn("note"), sanitize.Text(note))
	}
	if len(outcome.Steps) > 0 {
		fmt.Fprintln(&text, style.Bold("steps"))
	}
	for i, step := range outcome.Steps {
		fmt.Fprintf(&text, "  %d. %s: %s\n", i+1, step.Object, step.Text)
	}
	return text.String()
}

// settingText is a setting as the stack's file has it.
func settingText(key string, value any) string {
	encoded, err := yaml.Marshal(map[string]any{key: value})
	if err != nil {
		return fmt.Sprintf("%s: %v\n", key, value)
	}
	return sanitize.Text(string(encoded))
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}
