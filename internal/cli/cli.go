// Package cli is the operator's command `rollout`. Each command has a file with its flags and its output, and a package
// below this one for its work, unless that is a few lines.
package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/guarded"
	"github.com/vextrus/finance-rollout/internal/guard/command"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// Run executes the command line of this process and returns its exit code.
func Run(ctx context.Context) int { return execute(ctx, rootCommand()) }

func execute(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	if err != nil && !terminal.Silent(err) {
		fmt.Fprintln(root.ErrOrStderr(), "error:", sanitize.Text(err.Error()))
	}
	return terminal.ExitCode(err)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "rollout",
		Short:         "Operate the rollout of a service",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return terminal.Usage(fmt.Errorf("unknown command %q: `%s --help` lists the commands", args[0], cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return terminal.Usage(fmt.Errorf("%w: `%s --help` lists the flags", err, cmd.CommandPath()))
	})
	root.AddCommand(adoptCommand(), statusCommand(), dashboardCommand(), advanceCommand(), finishCommand(),
		rollbackCommand(), unlatchCommand(), smokeCommand(), logsCommand(), evidenceCommand(), attestCommand(),
		approveCommand(), ledgerCommand(), rehearseCommand(),
	)
	watch := command.New(terminal.Usage, guarded.New)
	watch.Args = noArguments
	root.AddCommand(watch)
	root.AddCommand(diagnoseCommand(), reportCommand(), preflightCommand(), simulateCommand(), forecastCommand(),
		initCommand(), metricsCommand(), admissionCommand(), versionCommand())
	return root
}

// noArguments refuses arguments.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return terminal.Usage(fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args))
	}
	return nil
}
