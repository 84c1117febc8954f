package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/muesli/termenv"
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

const (
	// evidenceWait is how long a status waits for the evidence of the soak, evidenceEvery how often --watch reads it.
	evidenceWait  = 700 * time.Millisecond
	evidenceEvery = 15 * time.Second
	// leastInterval limits the load of --watch.
	leastInterval = 500 * time.Millisecond
)

func statusCommand() *cobra.Command {
	var flags common
	var watch bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of the rollout",
		Long: "Show the state of the rollout on one screen: tracks and pods, the configured, current and measured weight, " +
			"the\n" +
			"soak with its evidence, alerts, latch, guard, and the last entries of the ledger.\n\n" +
			"The command exits with 0 if the rollout is in order, with 1 if it needs a person, and with 3 if too little " +
			"could\n" +
			"be read.",
		Example: "  rollout status -s production\n  rollout status -s production --watch\n  rollout status -s production " +
			"-o json | jq .phase",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < leastInterval {
				return terminal.Usage(fmt.Errorf("--interval %s: allowed are intervals of at least %s", interval, leastInterval))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			if watch {
				return watchStatus(cmd.Context(), s.follow(), s.output, interval)
			}
			current := status.Gather(cmd.Context(), s.statusSource())
			if err := s.output.Print(current, current.Render); err != nil {
				return err
			}
			return terminal.OfVerdict(current.Verdict())
		},
	}
	flags.bind(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "redraw until Ctrl-C; with -o json, one line each")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "time between two redraws of --watch, at least 500ms")
	return cmd
}

func (s *session) statusSource() status.Source {
	return status.Source{
		Rollout: s.Rollout, Cluster: s.cluster, Stack: s.stack.Name, Origin: s.cluster.Origin(),
		Staging: func(ctx context.Context) (string, error) {
			return s.stack.VerifiedBy(ctx, s.Settings.Staging.Stack)
		},
		Evidence: &status.EvidenceCache{Wait: evidenceWait, Every: evidenceEvery},
	}
}

// watchStatus redraws the status until the context ends, which is no error.
func watchStatus(ctx context.Context, rollout *following, output *terminal.Output, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		current := rollout.status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := draw(output, current); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func draw(output *terminal.Output, current *status.Status) error {
	if !output.JSON() && output.Terminal() {
		screen := termenv.NewOutput(output.Writer)
		screen.MoveCursor(1, 1)
		screen.ClearScreen()
	}
	if output.JSON() {
		return output.Line(current)
	}
	return output.Text(current.Render(output.Style) + "\n")
}
