package main

import (
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/local/internal/cluster"
	"github.com/vextrus/finance-rollout/local/internal/demo"
)

func demoCommand(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Roll out week 1 of the example service on the running cluster and sum up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return newDemo(cmd, c).Run(cmd.Context())
		},
	}
}

func newDemo(cmd *cobra.Command, c *cluster.Cluster) *demo.Demo {
	return &demo.Demo{Cluster: c, Root: c.Root(), Progress: c.Progress(), Out: cmd.OutOrStdout()}
}
