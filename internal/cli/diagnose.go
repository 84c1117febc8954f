package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/cli/diagnose/live"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// diagnoseLimit is the time limit of a diagnosis. It lists the parts that did not answer by then.
const diagnoseLimit = time.Minute

func diagnoseCommand() *cobra.Command {
	var flags common
	var window time.Duration
	var health string
	cmd := &cobra.Command{
		Use:   "diagnose",
		Short: "Find out why pods do not start, fail or are slow",
		Long: "Check Deployments, pods, events, logs, the pods' health reports and Prometheus, and list the causes, the\n" +
			"likeliest first, each with its evidence and the next command. The command changes nothing, shows no secrets, " +
			"and\n" +
			"lists the parts that it could not read.\n\n" +
			"It exits with 0 if nothing is wrong, with 1 if something is, and with 3 if it found no problem but could not " +
			"read\n" +
			"everything.",
		Example: "  rollout diagnose -s production\n  rollout diagnose -s production -o json | jq -r '.findings[0].cause'",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if window < 30*time.Second || window > 6*time.Hour {
				return terminal.Usage(fmt.Errorf("--window %s: allowed are 30s to 6h", window))
			}
			if health != "" && !strings.HasPrefix(health, "/") {
				return terminal.Usage(fmt.Errorf("--health-path %q: allowed are paths that begin with /, or an empty path for "+
					"no request", health))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			diagnosis := s.diagnose(cmd.Context(), window, health)
			if err := s.output.Print(diagnosis, func(style terminal.Style) string {
				return paint(diagnosis,
					style)
			}); err != nil {
				return err
			}
			switch {
			case len(diagnosis.Findings) > 0:
				return terminal.ErrNotInOrder
			case len(diagnosis.Unseen) > 0:
				return terminal.ErrTooLittle
			default:
				return nil
			}
		},
	}
	flags.bind(cmd)
	cmd.Flags().DurationVar(&window, "window", 5*time.Minute, "period of the Prometheus queries, up to now, 30s to 6h")
	cmd.Flags().StringVar(&health, "health-path", "/health",
		"path of a pod's health report; empty for no request")
	return cmd
}

func (s *session) diagnose(ctx context.Context, window time.Duration, health string) diagnose.Diagnosis {
	ctx, cancel := context.WithTimeoutCause(ctx, diagnoseLimit, fmt.Errorf("not read within %v", diagnoseLimit))
	defer cancel()
	var server live.Server
	var unreachable error
	if s.Settings.Prometheus == "" {
		unreachable = errors.New("config prometheus is not set")
	} else {
		server, unreachable = s.Prometheus()
	}
	if unreachable != nil {
		server = nil
	}
	options := live.OptionsOf(s.Settings, s.stack.Name, window, health, s.Clock.Now)
	if !s.standsAtPlan(ctx) {
		options = options.Unplanned()
	}
	snapshot := live.Gather(ctx, s.cluster, server, options)
	if unreachable != nil {
		snapshot.Unseen = append(snapshot.Unseen, "Prometheus: "+unreachable.Error())
	}
	return diagnose.Diagnose(snapshot)
}

// standsAtPlan reports whether the rollout stands at the configured weight, or is on its way there, by its ledger. A
// weight that was configured and not carried out yet says nothing about the pods.
func (s *session) standsAtPlan(ctx context.Context) bool {
	history, err := ledger.Read(ctx, s.Ledger())
	if err != nil || len(history.Entries()) == 0 {
		return false
	}
	state := history.State()
	weight := state.Weight
	if state.Begun != nil {
		weight = state.Begun.To
	}
	return !s.Settings.IsSingle() && weight == s.Settings.Position().Weight
}

// paint formats the diagnosis with coloured headings.
func paint(diagnosis diagnose.Diagnosis, style terminal.Style) string {
	if len(diagnosis.Findings) == 0 && len(diagnosis.Unseen) == 0 {
		return style.Good(strings.TrimSpace(diagnosis.String()))
	}
	lines := strings.Split(diagnosis.String(), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "   $ "):
			lines[i] = style.Bold(line)
		case strings.HasPrefix(line, "not checked: "):
			lines[i] = style.Warn(line)
		case line != "" && line[0] >= '1' && line[0] <= '9':
			lines[i] = style.Bad(line)
		}
	}
	return strings.Join(lines, "\n")
}
