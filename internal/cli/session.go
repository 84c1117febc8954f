package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// session is what a command on a rollout works with: the stack, its cluster, where it prints and whom it asks.
type session struct {
	stack    *stack.Stack
	settings *settings.Settings
	cluster  *kube.Client
	output   *terminal.Output
	in       io.Reader
	// progress takes what is told while something happens; outcomes go to output.
	progress io.Writer
	who      string
	now      func() time.Time
}

// begin opens the stack and connects to its cluster.
func (c *common) begin(cmd *cobra.Command) (*session, error) {
	stack, output, err := c.open(cmd)
	if err != nil {
		return nil, err
	}
	return connect(cmd, stack, output)
}

func connect(cmd *cobra.Command, stack *stack.Stack, output *terminal.Output) (*session, error) {
	cluster, err := stack.Connect(cmd.Context())
	if err != nil {
		return nil, err
	}
	return &session{
		stack: stack, settings: stack.Settings, cluster: cluster, output: output,
		in: cmd.InOrStdin(), progress: cmd.ErrOrStderr(), who: rollout.Who(os.Getenv), now: time.Now,
	}, nil
}

// canaries refuses a stack that has no canary.
func (s *session) canaries() error {
	if s.settings.IsSingle() {
		return terminal.Usage(fmt.Errorf("stack %s has one track and no canary: name the stack that has, with --stack",
			s.stack.Name))
	}
	return nil
}

// history is the ledger of a stack that has a canary.
func (s *session) history(ctx context.Context) (*ledger.Ledger, error) {
	if err := s.canaries(); err != nil {
		return nil, err
	}
	return ledger.Read(ctx, s.store())
}

func (s *session) store() ledger.Store { return s.rollout().Ledger() }

// rollout is the session's rollout as the gates see it.
func (s *session) rollout() *rollout.Rollout {
	return &rollout.Rollout{
		Settings: s.settings, Cluster: s.cluster, Prometheus: s.prometheus, Clock: gate.SystemClock{}, Who: s.who,
		Getenv: os.Getenv,
	}
}

func (s *session) prometheus() (soak.Server, error) {
	return prometheus.Connect(endpoint.Way{Proxy: s.cluster}, s.settings.Prometheus)
}

// confirm asks unless it is told not to.
func (s *session) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	return terminal.Confirm(ctx, s.in, s.progress, question)
}

func (s *session) tell(format string, args ...any) {
	fmt.Fprintln(s.progress, sanitize.Text(fmt.Sprintf(format, args...)))
}

// alone sees to it that no other operator changes the rollout meanwhile. With force somebody else's work is no
// obstacle, but told.
func (s *session) alone(ctx context.Context, command string, force bool) (release func(), err error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	identity := fmt.Sprintf("%s@%s (rollout %s, process %d)", s.who, host, command, os.Getpid())
	hold := func(force bool) (func(), error) {
		return s.cluster.Hold(ctx, s.settings.Namespace, names.OperatorLease(s.settings.App), identity, force)
	}
	release, err = hold(false)
	held, ok := errors.AsType[*kube.HeldError](err)
	switch {
	case !ok:
		return release, err
	case force:
		s.tell("warning: another operator changes this rollout: %s: it is not waited for", held)
		return hold(true)
	default:
		return nil, fmt.Errorf("another operator changes this rollout: %w: wait for its end, and look at `rollout status "+
			"-s %s`; one that was killed is forgotten after %s",
			held, s.stack.Name, kube.HoldFor)
	}
}

// record is the position that passed its gate last.
func (s *session) record(ctx context.Context) (map[string]string, error) {
	data, _, err := s.cluster.ConfigMap(ctx, s.settings.Namespace, names.Record(s.settings.App))
	return data, err
}
