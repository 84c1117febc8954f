package main

import (
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/operator"
)

// common are the flags that every command on a stack has.
type common struct {
	stack, dir, format string
}

// bind adds the flags with their completion.
func (c *common) bind(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVarP(&c.stack, "stack", "s", "", "Pulumi stack; empty for PULUMI_STACK, then for the one that is selected")
	set.StringVarP(&c.dir, "cwd", "C", "", "folder of the Pulumi project; empty for the working directory")
	set.StringVarP(&c.format, "output", "o", operator.FormatTable, "table, or json for programs")
	complete(cmd, "stack", func() []string { return operator.Stacks(c.dir) })
	complete(cmd, "output", operator.Formats)
}

// complete offers values for a flag.
func complete(cmd *cobra.Command, flag string, values func() []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is registered above, or the command is wrong from the start
	}
}

// open opens the stack and the output of a command.
func (c *common) open(cmd *cobra.Command) (*operator.Stack, *operator.Output, error) {
	output, err := operator.NewOutput(c.format, cmd.OutOrStdout())
	if err != nil {
		return nil, nil, err
	}
	stack, err := operator.Open(cmd.Context(), operator.Options{Stack: c.stack, Dir: c.dir})
	return stack, output, err
}
