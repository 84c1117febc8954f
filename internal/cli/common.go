package cli

import (
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// common are the flags of every command on a stack.
type common struct {
	stack, dir, format string
}

// bind adds the flags with their completion.
func (c *common) bind(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVarP(&c.stack, "stack", "s", "", "Pulumi stack; omit for PULUMI_STACK, then for the selected stack")
	set.StringVarP(&c.dir, "cwd", "C", "", "folder of the Pulumi project; omit for the working directory")
	set.StringVarP(&c.format, "output", "o", terminal.FormatTable, "table, or json for programs")
	complete(cmd, "stack", func() []string { return stack.Stacks(c.dir) })
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
	stack, err := stack.Open(cmd.Context(), stack.Options{Stack: c.stack, Dir: c.dir})
	return stack, output, err
}
