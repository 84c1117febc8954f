package cli

import (
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/scope"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// common are the flags of every command on a stack.
type common struct {
	stack, dir, rollout, format string
}

// bind adds the flags with their completion.
func (c *common) bind(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVarP(&c.stack, "stack", "s", "", "Pulumi stack; omit for PULUMI_STACK, then for the selected stack")
	set.StringVarP(&c.dir, "cwd", "C", "", "folder of the Pulumi project; omit for the working directory")
	set.StringVar(&c.rollout, "rollout", "", "rollout of a stack with several, by the namespace of its configuration")
	set.StringVarP(&c.format, "output", "o", terminal.FormatTable, "table, or json for programs")
	complete(cmd, "stack", func() []string { return stack.Stacks(c.dir) })
	complete(cmd, "rollout", func() []string { return stack.Rollouts(c.dir, c.stack) })
	complete(cmd, "output", terminal.Formats)
}

// complete sets the completion of a flag.
func complete(cmd *cobra.Command, flag string, values func() []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string,
		cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag does not exist: a programming error that every test of the command finds
	}
}

// open opens the stack and the output of a command.
func (c *common) open(cmd *cobra.Command) (*stack.Stack, *terminal.Output, error) {
	output, err := terminal.NewOutput(c.format, cmd.OutOrStdout())
	if err != nil {
		return nil, nil, err
	}
	stack, err := c.openStack(cmd, output)
	return stack, output, err
}

// openStack opens the stack. From then on every command that is printed, in an error too, names the rollout where it is
// needed.
func (c *common) openStack(cmd *cobra.Command, output *terminal.Output) (*stack.Stack, error) {
	opened, err := stack.Open(cmd.Context(), stack.Options{Stack: c.stack, Dir: c.dir, Rollout: c.rollout})
	if opened != nil && opened.Scope() != (scope.Scope{}) {
		output.Rewrite = opened.Scope().Commands
		cmd.Root().SetErr(terminal.Rewriting(cmd.ErrOrStderr(), output.Rewrite))
	}
	return opened, err
}
