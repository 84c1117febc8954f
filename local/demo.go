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

func trafficCommand(open opener) *cobra.Command {
	var restart bool
	cmd := &cobra.Command{
		Use:   "traffic",
		Short: "Send customers' requests to the production stack, until they have stayed for " + demo.CustomersStay.String(),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if restart {
				if err := c.StopTraffic(cmd.Context()); err != nil {
					return err
				}
				return c.StartTraffic(cmd.Context())
			}
			secret, err := c.Secret("jwt-secret")
			if err != nil {
				return err
			}
			return demo.Customers(cmd.Context(), secret)
		},
	}
	cmd.Flags().BoolVar(&restart, "restart", false, "send them in the background, in place of those that come already")
	return cmd
}
