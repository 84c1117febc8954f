package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/evidence"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func evidenceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "evidence",
		Short: "Show the evidence of rolled-back canaries",
		Long: "Show the evidence of rolled-back canaries: logs, events, the state of the pods, and the numbers behind the\n" +
			"decision.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(evidenceListCommand(), evidenceGetCommand())
	return cmd
}

func evidenceListCommand() *cobra.Command {
	var flags common
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the evidence, the newest first",
		Example: "  rollout evidence list -s production",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.listEvidence(cmd.Context())
		},
	}
	flags.bind(cmd)
	return cmd
}

func evidenceGetCommand() *cobra.Command {
	var flags common
	var withLogs bool
	cmd := &cobra.Command{
		Use:   "get [NAME]",
		Short: "Show the evidence of one rollback, by default the newest",
		Example: "  rollout evidence get -s production --logs\n  rollout evidence get " +
			"finance-service-evidence-20260302-101500 -s production -o json > evidence.json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return terminal.Usage(fmt.Errorf("%s takes one name, got %q", cmd.CommandPath(), args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.getEvidence(cmd.Context(), strings.Join(args, ""), withLogs)
		},
	}
	flags.bind(cmd)
	cmd.Flags().BoolVar(&withLogs, "logs", false, "print the logs, too")
	return cmd
}

func (s *session) listEvidence(ctx context.Context) error {
	list, err := evidence.List(ctx, s.cluster, s.Settings.Namespace, s.Settings.App)
	if err != nil {
		return err
	}
	return s.output.Print(list, func(terminal.Style) string {
		if len(list) == 0 {
			return "no evidence: no canary was rolled back in " + s.Settings.Namespace
		}
		var rows [][]string
		for _, item := range list {
			rows = append(rows, []string{item.Name, item.Time.UTC().Format("2006-01-02 15:04:05"), fmt.Sprint(item.Pods),
				fmt.Sprint(item.Events), sanitize.Line(item.Reason)})
		}
		return terminal.Table([]string{"NAME", "TIME (UTC)", "PODS", "EVENTS", "REASON"}, rows)
	})
}

func (s *session) getEvidence(ctx context.Context, name string, withLogs bool) error {
	archives, err := s.cluster.Evidence(ctx, s.Settings.Namespace, s.Settings.App)
	if err != nil {
		return err
	}
	var names []string
	for _, archive := range archives {
		names = append(names, archive.Name)
		if name != "" && archive.Name != name {
			continue
		}
		evidence, err := rollback.Unpack(archive.Archive)
		if err != nil {
			return err
		}
		return s.output.Print(evidence, func(style terminal.Style) string {
			return evidenceText(style, archive.Name, evidence,
				withLogs)
		})
	}
	if len(names) == 0 {
		return terminal.Usage(fmt.Errorf("no evidence: no canary was rolled back in %s", s.Settings.Namespace))
	}
	return terminal.Usage(fmt.Errorf("no evidence %q: the cluster has %s", name, strings.Join(names, ", ")))
}

func evidenceText(style terminal.Style, name string, evidence rollback.Evidence, withLogs bool) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s   %s\n%s\n", style.Bold(name), evidence.Time.UTC().Format("2006-01-02 15:04:05"),
		sanitize.Text(evidence.Reason))
	for _, key := range slices.Sorted(maps.Keys(evidence.Numbers)) {
		fmt.Fprintf(&out, "\n%s\n%s\n", style.Bold(key), sanitize.Text(evidence.Numbers[key]))
	}
	var rows [][]string
	for _, pod := range evidence.Pods {
		restarts, state := podstate.Restarts(pod.Status), string(pod.Status.Phase)
		for _, container := range pod.Status.ContainerStatuses {
			if container.State.Waiting != nil {
				state = container.State.Waiting.Reason
			}
		}
		lines := 0
		for _, log := range pod.Logs {
			lines += strings.Count(log, "\n")
		}
		rows = append(rows, []string{pod.Name, state, fmt.Sprint(restarts), fmt.Sprint(lines),
			strings.Join(pod.Images, ", ")})
	}
	out.WriteString("\n" + terminal.Table([]string{"POD", "STATE", "RESTARTS", "LOG LINES", "IMAGE"}, rows))
	if len(evidence.Events) > 0 {
		fmt.Fprintf(&out, "\n%s\n%s\n", style.Bold("events"), sanitize.Text(strings.Join(evidence.Events, "\n")))
	}
	for _, missing := range evidence.Missing {
		fmt.Fprintf(&out, "%s %s\n", style.Warn("not kept:"), sanitize.Line(missing))
	}
	if !withLogs {
		return out.String()
	}
	for _, pod := range evidence.Pods {
		for _, container := range slices.Sorted(maps.Keys(pod.Logs)) {
			fmt.Fprintf(&out, "\n%s\n%s\n", style.Bold("log of "+pod.Name+", "+container), sanitize.Text(pod.Logs[container]))
		}
	}
	return out.String()
}
