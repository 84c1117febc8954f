// Command rollout is the operator's hand on a rollout. `rollout guard` runs the guard by hand; its image in the cluster holds cmd/guard.
//
// It exits with 0 when it did what it was asked or found it in order, with 1 when it failed or found it not in order, with 2 when
// it was called wrongly, and with 3 when there is not enough evidence to tell.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/guard/command"
	"github.com/vextrus/finance-rollout/internal/operator"
	"github.com/vextrus/finance-rollout/internal/plain"
	"github.com/vextrus/finance-rollout/internal/unasked"
)

func main() {
	unasked.Restore()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends a command that still carries something through.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, rootCommand())
	stop()
	os.Exit(code)
}

func execute(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	if err != nil && !operator.Silent(err) {
		fmt.Fprintln(root.ErrOrStderr(), "error:", plain.Text(err.Error()))
	}
	return operator.ExitCode(err)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "rollout",
		Short:         "Watch and steer the rollout of a service",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return operator.Usage(fmt.Errorf("unknown command %q: `%s --help` lists them", args[0], cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return operator.Usage(fmt.Errorf("%w: `%s --help` lists the flags", err, cmd.CommandPath()))
	})
	root.AddCommand(statusCommand(), advanceCommand(), finishCommand(), rollbackCommand(), resumeCommand(),
		smokeCommand(), logsCommand(), evidenceCommand(), attestCommand(), rehearseCommand(),
	)
	watch := command.New(operator.Usage)
	watch.Args = noArguments
	root.AddCommand(watch)
	root.AddCommand(diagnoseCommand(), reportCommand(), preflightCommand(), simulateCommand())
	return root
}

// noArguments refuses arguments.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return operator.Usage(fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args))
	}
	return nil
}
