package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/muesli/termenv"
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

const (
	// lookWait is how long a status waits for the evidence of the soak; lookEvery is how often --watch looks at it anew.
	lookWait  = 700 * time.Millisecond
	lookEvery = 15 * time.Second
	// leastInterval keeps --watch from being a burden.
	leastInterval = 500 * time.Millisecond
)

func statusCommand() *cobra.Command {
	var flags common
	var watch bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show where the rollout stands",
		Long: "Show where the rollout stands, on one screen: tracks and pods, the weight that is asked for, reached and\n" +
			"measured, the soak with its evidence, alerts, latch, guard, and the last entries of the ledger.\n\n" +
			"It ends with 0 when the rollout is in order, with 1 when it needs a person, and with 3 when too little could be " +
			"read.",
		Example: "  rollout status -s production\n  rollout status -s production --watch\n  rollout status -s production " +
			"-o json | jq .phase",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < leastInterval {
				return terminal.Usage(fmt.Errorf("--interval %s: at least %s", interval, leastInterval))
			}
			stack, output, err := flags.open(cmd)
			if err != nil {
				return err
			}
			source, err := statusSource(cmd.Context(), stack)
			if err != nil {
				return err
			}
			if watch {
				return watchStatus(cmd.Context(), source, output, interval)
			}
			found := status.Gather(cmd.Context(), source)
			if err := output.Print(found, found.Render); err != nil {
				return err
			}
			return terminal.OfVerdict(found.Verdict())
		},
	}
	flags.bind(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "draw it again and again until Ctrl-C; with -o json, one line each")
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "time between two drawings of --watch")
	return cmd
}

func statusSource(ctx context.Context, stack *stack.Stack) (status.Source, error) {
	client, err := stack.Connect(ctx)
	if err != nil {
		return status.Source{}, err
	}
	return status.Source{
		Stack: stack.Name, Origin: client.Origin(), Settings: stack.Settings, Cluster: client,
		Prometheus: func() (soak.Server, error) {
			return prometheus.Connect(endpoint.Way{Proxy: client}, stack.Settings.Prometheus)
		},
		Evidence: &status.EvidenceCache{Wait: lookWait, Every: lookEvery}, Now: time.Now,
	}, nil
}

// watchStatus draws the status over itself until the context ends, which is no failure.
func watchStatus(ctx context.Context, source status.Source, output *terminal.Output, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		found := status.Gather(ctx, source)
		if ctx.Err() != nil {
			return nil
		}
		if err := draw(output, found); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func draw(output *terminal.Output, found *status.Status) error {
	if !output.JSON() && output.Terminal() {
		screen := termenv.NewOutput(output.Writer)
		screen.MoveCursor(1, 1)
		screen.ClearScreen()
	}
	if output.JSON() {
		return output.Line(found)
	}
	return output.Text(found.Render(output.Style) + "\n")
}
