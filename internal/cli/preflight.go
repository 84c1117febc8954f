package cli

import (
	"context"
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
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func preflightCommand() *cobra.Command {
	var flags common
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Run the checklist before a deployment",
		Long: "Run the deployment guide's checklist: the cluster and all required permissions, the namespace, secrets, " +
			"images,\n" +
			"Prometheus with its targets, rules and metrics, Alertmanager, Grafana, the OTLP endpoint, the false alarms of " +
			"the\n" +
			"stack's own past, staging, the latch, the stable version, capacity, a rehearsed rollback, backups, and\n" +
			"attestations. Each row shows the finding and the fix. The command changes nothing, and never passes on the\n" +
			"value of a secret.\n\n" +
			"It exits with 0 if everything is in order, with 1 if something is not, and with 3 if a check could not run.",
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
			return prometheus.Connect(endpoint.Way{Proxy: cluster, Login: stack.PrometheusLogin()}, s.Prometheus)
		},
		Alertmanager: stack.AlertmanagerLogin(),
		Image: func(ctx context.Context, reference string) (string, error) {
			credentials, err := stack.Registry(ctx)
			if err != nil {
				return "", err
			}
			return image.Check(ctx, reference, credentials)
		},
		Staging: func(ctx context.Context) (string, error) { return stack.VerifiedBy(ctx, s.Staging.Stack) },
		Past: func(ctx context.Context, now time.Time) (preflight.Past, error) {
			server, err := forecastServer(stack)
			if err != nil {
				return preflight.Past{}, err
			}
			return pastOf(ctx, server, s, now)
		},
	}
}

// checklistText formats the checklist for people, with the fixes below the rows, where they are easy to copy.
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
