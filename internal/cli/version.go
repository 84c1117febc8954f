package cli

import (
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/version"
)

func versionCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version and the commit of this program",
		Example: "  rollout version\n  rollout version -o json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			output, err := terminal.NewOutput(format, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			info := version.Get()
			return output.Print(info, func(terminal.Style) string { return info.String() })
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", terminal.FormatTable, "table, or json for programs")
	complete(cmd, "output", terminal.Formats)
	return cmd
}
