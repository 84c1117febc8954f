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
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// diagnoseLimit bounds a diagnosis: what does not answer by then is named and not looked at.
const diagnoseLimit = time.Minute

func diagnoseCommand() *cobra.Command {
	var flags common
	var window time.Duration
	var health string
	cmd := &cobra.Command{
		Use:   "diagnose",
		Short: "Find out why pods do not start, fail or are slow",
		Long: "Look at the Deployments, pods, events, logs, the pods' own health reports and Prometheus, and name the " +
			"likeliest cause\n" +
			"first: each with what it was seen by and the command to go on with. It changes nothing, shows no secret, and says\n" +
			"what it was not allowed to look at.\n\n" +
			"It ends with 0 when nothing is wrong, with 1 when something is, and with 3 when nothing was found and not\n" +
			"everything could be looked at.",
		Example: "  rollout diagnose -s production\n  rollout diagnose -s production -o json | jq -r '.findings[0].cause'",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if window < 30*time.Second || window > 6*time.Hour {
				return terminal.Usage(fmt.Errorf("--window %s: allowed are 30s to 6h", window))
			}
			if health != "" && !strings.HasPrefix(health, "/") {
				return terminal.Usage(fmt.Errorf("--health-path %q: it begins with /, or is empty for none", health))
			}
			stack, output, err := flags.open(cmd)
			if err != nil {
				return err
			}
			snapshot, err := snapshotOf(cmd.Context(), stack, window, health)
			if err != nil {
				return err
			}
			found := diagnose.Diagnose(snapshot)
			if err := output.Print(found, func(style terminal.Style) string { return paint(found, style) }); err != nil {
				return err
			}
			switch {
			case len(found.Findings) > 0:
				return terminal.ErrNotInOrder
			case len(found.Unseen) > 0:
				return terminal.ErrTooLittle
			default:
				return nil
			}
		},
	}
	flags.bind(cmd)
	cmd.Flags().DurationVar(&window, "window", 5*time.Minute, "how far back Prometheus is asked")
	cmd.Flags().StringVar(&health, "health-path", "/health",
		"where a pod reports on what it depends on; empty asks no pod")
	return cmd
}

// snapshotOf reads what there is to see of a stack.
func snapshotOf(ctx context.Context, stack *stack.Stack, window time.Duration, health string) (diagnose.Snapshot,
	error) {
	client, err := stack.Connect(ctx)
	if err != nil {
		return diagnose.Snapshot{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, diagnoseLimit, fmt.Errorf("not read within %v", diagnoseLimit))
	defer cancel()
	s := stack.Settings
	spec := rollout.SoakSpec(s)
	options := live.Options{
		Stack: stack.Name, Environment: s.Environment, Namespace: s.Namespace, Targets: diagnosed(s), Port: int(s.Container),
		HealthPath: health,
		Criteria:   spec.Criteria, Window: window, Now: time.Now,
		// The settings hold no secrets here: what looks like one is taken out by its form.
		Redact: func(text string) string { return redact.Text(text, nil) },
	}
	var server live.Server
	var blind error
	if s.Prometheus == "" {
		blind = errors.New("config prometheus is not set")
	} else {
		server, blind = prometheus.Connect(endpoint.Way{Proxy: client}, s.Prometheus)
	}
	if blind != nil {
		server = nil
	}
	snapshot := live.Gather(ctx, client, server, options)
	if blind != nil {
		snapshot.Unseen = append(snapshot.Unseen, "Prometheus: "+blind.Error())
	}
	return snapshot, nil
}

// diagnosed are the Deployments that the stack's position has.
func diagnosed(s *settings.Settings) []live.Target {
	spec := rollout.SoakSpec(s)
	var targets []live.Target
	add := func(name, track, version string) {
		metrics := spec.Series(track, version)
		targets = append(targets, live.Target{Name: name, Metrics: &metrics})
	}
	if s.HasCanary() {
		add(names.CanaryDeployment(s.App, s.Release), names.Canary, s.Release)
	}
	add(rollout.StableDeployment(s), names.Stable, "")
	return targets
}

// paint is the diagnosis with its headings in colour.
func paint(found diagnose.Diagnosis, style terminal.Style) string {
	if len(found.Findings) == 0 && len(found.Unseen) == 0 {
		return style.Good(strings.TrimSpace(found.String()))
	}
	lines := strings.Split(found.String(), "\n")
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
