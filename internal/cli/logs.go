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

// logsFlags say which lines are wanted.
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
		Long: "Print the logs of the canary's pods, each line behind its pod's name; with -o json, each line as an " +
			"object.\n\n" +
			"Isolated pods are among them: they lost their requests and still run.",
		Example: "  rollout logs -s production --follow\n  rollout logs -s production --previous --tail 50",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.track != names.Canary && flags.track != names.Stable {
				return terminal.Usage(fmt.Errorf("--track %q: allowed are %s", flags.track, strings.Join(tracks(), ", ")))
			}
			if flags.previous && flags.follow {
				return terminal.Usage(errors.New("a container that has ended writes no more: --previous and --follow exclude " +
					"each other"))
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
	set.Int64Var(&flags.tail, "tail", 200, "last lines of each pod; 0 for all")
	set.DurationVar(&flags.since, "since", 0, "only what is newer, such as 10m; 0 for all")
	set.BoolVarP(&flags.follow, "follow", "f", false, "go on until Ctrl-C")
	set.BoolVarP(&flags.previous, "previous", "p", false, "of the containers before their last restart")
	complete(cmd, "track", tracks)
	return cmd
}

// logLine is a line for programs.
type logLine struct {
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Line      string `json:"line"`
}

func (s *session) logs(ctx context.Context, flags logsFlags) error {
	subject := rollout.Subject{Track: flags.track, Version: s.settings.Release}
	pods, err := s.cluster.DeploymentPods(ctx, s.settings.Namespace, subject.Deployment(s.settings))
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return terminal.Unknown(fmt.Errorf("the %s track has no pods in %s; what was kept of a rollback: rollout evidence "+
			"list -s %s", flags.track, s.settings.Namespace, s.stack.Name))
	}
	var writing sync.Mutex
	var group errgroup.Group
	for i := range pods {
		for _, container := range pods[i].Spec.Containers {
			pod, name := pods[i].Name, container.Name
			group.Go(func() error {
				query := kube.LogQuery{Container: name, Previous: flags.previous, Tail: flags.tail, Since: flags.since,
					Follow: flags.follow}
				return s.cluster.EachLogLine(ctx, s.settings.Namespace, pod, query, func(line string) error {
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
