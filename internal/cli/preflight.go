package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/cli/preflight/live"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func preflightCommand() *cobra.Command {
	var flags common
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Go through the checklist before a deployment",
		Long: "Go through the deployment guide's checklist: the cluster and every permission that is needed, the " +
			"namespace, secrets,\n" +
			"images, Prometheus with its targets, rules and metrics, Alertmanager, Grafana, the OTLP endpoint, staging, the " +
			"latch,\n" +
			"the stable version, capacity, a rehearsed rollback, backups, and what people attest. Each row says what was " +
			"found and\n" +
			"how to fix it. It changes nothing, and no value of a secret leaves the place where it is read.\n\n" +
			"It ends with 0 when all is in order, with 1 when something is not, and with 3 when something could not be " +
			"looked at.",
		Example: "  rollout preflight -s production\n  rollout preflight -s production -o json | jq -r '.rows[] | " +
			"select(.state != \"ok\") | .name'",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stack, output, err := flags.open(cmd)
			if err != nil {
				return err
			}
			facts := live.Gather(cmd.Context(), checklistSource(stack))
			if err := cmd.Context().Err(); err != nil {
				return fmt.Errorf("interrupted: %w", err)
			}
			list := preflight.Check(stack.Settings, facts)
			if err := output.Print(list, func(style terminal.Style) string { return checklistText(list, style) }); err != nil {
				return err
			}
			return terminal.OfVerdict(map[preflight.State]gate.Verdict{preflight.OK: gate.Pass,
				preflight.Failed: gate.Fail}[list.State()])
		},
	}
	flags.bind(cmd)
	return cmd
}

func checklistSource(stack *stack.Stack) live.Source {
	s := stack.Settings
	return live.Source{
		Stack: stack.Name, Owner: stack.Owner(), Settings: s, Now: time.Now, HTTP: &http.Client{},
		Cluster: func() (live.Cluster, error) {
			return kube.New(kube.Options{Kubeconfig: s.Kubeconfig, Context: s.KubeContext})
		},
		Prometheus: func(cluster live.Cluster) (live.Server, error) {
			return prometheus.Connect(endpoint.Way{Proxy: cluster}, s.Prometheus)
		},
		Image:   registry(stack),
		Staging: func(ctx context.Context) (string, error) { return verifiedBy(ctx, stack) },
	}
}

// registry asks with the stack's credentials, which the Pulumi CLI decrypts, or else with those of the container tools.
func registry(stack *stack.Stack) func(context.Context, string) (string, error) {
	return func(ctx context.Context, reference string) (string, error) {
		options := image.Options{Username: stack.Settings.Registry.Username}
		if options.Username != "" {
			known, err := stack.WithSecrets(ctx)
			if err != nil {
				return "", fmt.Errorf("the registry's password: %w", err)
			}
			options.Password = known.Registry.Password.Reveal()
		}
		return image.Check(ctx, reference, options)
	}
}

// verifiedBy is the digest that the stack which verifies images has recorded in its cluster.
func verifiedBy(ctx context.Context, stack *stack.Stack) (string, error) {
	name := stack.Settings.Staging.Stack
	if strings.Contains(name, "/") && !strings.HasSuffix(name, stack.Project+"/"+name[strings.LastIndex(name, "/")+1:]) {
		return "", fmt.Errorf("stack %s is of another project: look at `pulumi stack output verifiedImage -s %s`", name, name)
	}
	sibling, err := stack.Sibling(ctx, name)
	if err != nil {
		return "", fmt.Errorf("config staging.stack: %w", err)
	}
	client, err := sibling.Connect(ctx)
	if err != nil {
		return "", err
	}
	record, version, err := client.ConfigMap(ctx, sibling.Settings.Namespace, names.Record(sibling.Settings.App))
	switch {
	case err != nil:
		return "", err
	case version == "":
		return "", nil
	}
	digest := names.Digest(record["image"])
	if digest == "" {
		return "", errors.New("the record of stack " + name + " names no digest")
	}
	return digest, nil
}

// checklistText is the checklist for people: the fixes below the rows, where they can be copied.
func checklistText(list preflight.Checklist, style terminal.Style) string {
	colors := map[preflight.State]func(string) string{
		preflight.OK: style.Good, preflight.Failed: style.Bad, preflight.Unknown: style.Warn, preflight.Skipped: style.Faint,
	}
	var rows [][]string
	var fixes strings.Builder
	for _, row := range list.Rows {
		rows = append(rows, []string{row.Name, colors[row.State](string(row.State)), row.Found})
		if row.Fix != "" {
			fmt.Fprintf(&fixes, "%s: %s\n", style.Bold(row.Name), row.Fix)
		}
	}
	text := terminal.Table([]string{"CHECK", "STATE", "FOUND"}, rows)
	if fixes.Len() > 0 {
		text += "\nto fix\n" + fixes.String()
	}
	return text + fmt.Sprintf("\n%d ok, %d failed, %d unknown, %d skipped\n",
		list.Count(preflight.OK), list.Count(preflight.Failed), list.Count(preflight.Unknown), list.Count(preflight.Skipped))
}
