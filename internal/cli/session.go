package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// session is what a command on a rollout works with: the rollout, its stack and its cluster, and the terminal.
type session struct {
	*rollout.Rollout
	stack *stack.Stack
	// cluster is the rollout's cluster, with all that commands ask of it.
	cluster *kube.Client
	output  *terminal.Output
	in      io.Reader
	// progress takes reports on work in progress; outcomes go to output.
	progress io.Writer
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
	return newSession(cmd.Context(), stack, session{output: output, in: cmd.InOrStdin(), progress: cmd.ErrOrStderr()})
}

// newSession is a session on the stack, with the terminal of another one.
func newSession(ctx context.Context, stack *stack.Stack, on session) (*session, error) {
	cluster, err := stack.Connect(ctx)
	if err != nil {
		return nil, err
	}
	warn := func(text string) { fmt.Fprintln(on.progress, sanitize.Text("warning: "+text)) }
	// A name that the settings do not go with is for the program to refuse; looking and rolling back need none.
	configured := rollout.New(stack.Settings, cluster, stack.PrometheusLogin(), os.Getenv)
	configured.Dir, configured.Name = stack.Dir, stack.Scope().Rollout
	onTrial, err := configured.Named(ctx, names.Digest(stack.Settings.Image))
	if err != nil {
		warn(err.Error())
	}
	stack.Settings = onTrial.Settings
	onTrial.Secrets = stack.WithSecrets
	onTrial.Warn = warn
	on.Rollout, on.stack, on.cluster = onTrial, stack, cluster
	return &on, nil
}

// requireCanary refuses a stack that has no canary.
func (s *session) requireCanary() error { return requireCanary(s.stack) }

func requireCanary(stack *stack.Stack) error {
	if stack.Settings.IsSingle() {
		return terminal.Usage(fmt.Errorf("stack %s has one track, and so neither a canary nor a ledger: pass a stack that "+
			"has a canary with --stack", stack.Name))
	}
	return nil
}

// history reads the ledger of a stack that has a canary.
func (s *session) history(ctx context.Context) (*ledger.Ledger, error) {
	if err := s.requireCanary(); err != nil {
		return nil, err
	}
	return ledger.Read(ctx, s.Ledger())
}

// confirm asks the question unless yes is set.
func (s *session) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	return terminal.Confirm(ctx, s.in, s.progress, question)
}

// report prints a line on work in progress.
func (s *session) report(text string) { fmt.Fprintln(s.progress, sanitize.Text(text)) }

// lock takes the operators' Lease, so that no two commands change the rollout at once. With force it takes the Lease
// over from another operator, and says so.
func (s *session) lock(ctx context.Context, command string, force bool) (release func(), err error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	identity := fmt.Sprintf("%s@%s (rollout %s, process %d)", s.Who, host, command, os.Getpid())
	hold := func(force bool) (func(), error) {
		return s.cluster.Hold(ctx, s.Settings.Namespace, names.OperatorLease(s.Settings.App), identity, force)
	}
	release, err = hold(false)
	held, ok := errors.AsType[*kube.HeldError](err)
	switch {
	case !ok:
		return release, err
	case force:
		s.report(fmt.Sprintf("warning: another operator changes this rollout: %s: not waiting for it", held))
		return hold(true)
	default:
		return nil, fmt.Errorf("another operator changes this rollout: %w: wait until that command ends, and check "+
			"`rollout status -s %s`; the lock of a killed command expires after %s", held, s.stack.Name, kube.HoldFor)
	}
}
