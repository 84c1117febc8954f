package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// logsFlags are the flags of rollout logs.
type logsFlags struct {
	common
	track    string
	tail     int64
	since    time.Duration
	follow   bool
	previous bool
}

func logsCommand() *cobra.Command {
	var flags logsFlags
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Print the logs of the canary's pods",
		Long: "Print the logs of the canary's pods, each line after the name of its pod, or as an object with -o json.\n\n" +
			"Isolated pods are included: they get no requests but still run.",
		Example: "  rollout logs -s production --follow\n  rollout logs -s production --previous --tail 50",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.track != names.Canary && flags.track != names.Stable {
				return terminal.Usage(fmt.Errorf("--track %q: allowed are %s", flags.track, strings.Join(tracks(), ", ")))
			}
			if flags.previous && flags.follow {
				return terminal.Usage(errors.New("--previous and --follow exclude each other: a container that has ended writes " +
					"no more lines"))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.logs(cmd.Context(), flags)
		},
	}
	flags.bind(cmd)
	set := cmd.Flags()
	set.StringVar(&flags.track, "track", names.Canary, "canary or stable")
	set.Int64Var(&flags.tail, "tail", 200, "number of last lines per pod; 0 for all")
	set.DurationVar(&flags.since, "since", 0, "only lines of this period up to now, such as 10m; 0 for all")
	set.BoolVarP(&flags.follow, "follow", "f", false, "follow the logs until Ctrl-C")
	set.BoolVarP(&flags.previous, "previous", "p", false, "logs of the containers before their last restart")
	complete(cmd, "track", tracks)
	return cmd
}

// logLine is a log line for programs.
type logLine struct {
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Line      string `json:"line"`
}

func (s *session) logs(ctx context.Context, flags logsFlags) error {
	subject := rollout.Subject{Track: flags.track, Version: s.Settings.Release}
	pods, err := s.cluster.DeploymentPods(ctx, s.Settings.Namespace, subject.Deployment(s.Settings))
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return terminal.Unknown(fmt.Errorf("the %s track has no pods in %s; evidence of a rollback: rollout evidence "+
			"list -s %s", flags.track, s.Settings.Namespace, s.stack.Name))
	}
	var writing sync.Mutex
	var group errgroup.Group
	for i := range pods {
		for _, container := range pods[i].Spec.Containers {
			pod, name := pods[i].Name, container.Name
			group.Go(func() error {
				query := kube.LogQuery{Container: name, Previous: flags.previous, Tail: flags.tail, Since: flags.since,
					Follow: flags.follow}
				return s.cluster.EachLogLine(ctx, s.Settings.Namespace, pod, query, func(line string) error {
					writing.Lock()
					defer writing.Unlock()
					return s.logLine(logLine{pod, name, line})
				})
			})
		}
	}
	err = group.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *session) logLine(line logLine) error {
	if s.output.JSON() {
		return s.output.Line(line)
	}
	return s.output.Text(s.output.Style.Faint(line.Pod) + "  " + sanitize.Line(line.Line) + "\n")
}
