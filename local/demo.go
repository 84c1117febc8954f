package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/vextrus/finance-rollout/local/internal/cluster"
	"github.com/vextrus/finance-rollout/local/internal/demo"
)

func demoCommand(open opener) *cobra.Command {
	var kubeconfig string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Roll out week 1 of the example service on the running cluster and print a summary",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if kubeconfig == "" {
				return newDemo(cmd, c).Run(cmd.Context())
			}
			if kubeconfig, err = filepath.Abs(kubeconfig); err != nil {
				return err
			}
			external := demo.FromEnvironment(kubeconfig, os.Getenv)
			if term.IsTerminal(int(os.Stdin.Fd())) {
				external.Input = os.Stdin
			}
			return newDemo(cmd, c).RunOn(cmd.Context(), &external)
		},
	}
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "use the cluster of this kubeconfig instead of the local one")
	return cmd
}

func newDemo(cmd *cobra.Command, c *cluster.Cluster) *demo.Demo {
	return &demo.Demo{Cluster: c, Root: c.Root(), Progress: c.Progress(), Out: cmd.OutOrStdout()}
}

// stacksCommand derives further stacks on the same cluster, for tests.
func stacksCommand(open opener) *cobra.Command {
	var dir, suffix string
	var port int
	var compiled bool
	cmd := &cobra.Command{
		Use:    "stacks --dir DIR --suffix SUFFIX --node-port PORT",
		Short:  "Derive stacks with their own folder and namespaces",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if dir, err = filepath.Abs(dir); err != nil {
				return err
			}
			apart := newDemo(cmd, c)
			apart.Dir, apart.Suffix, apart.Backend = dir, suffix, "file://"+filepath.Join(dir, "state")
			apart.Compiled = compiled
			apart.Ports = map[string]int{"production": port, "staging": port + 1}
			if err := os.MkdirAll(filepath.Join(dir, "state"), 0o755); err != nil {
				return err
			}
			return apart.Prepare(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder to write")
	cmd.Flags().StringVar(&suffix, "suffix", "", "what to append to the names of the namespaces")
	cmd.Flags().BoolVar(&compiled, "compiled", false,
		"make updates run the program as it is compiled now, without asking go whether it has changed")
	cmd.Flags().IntVar(&port, "node-port", 0, "the node port of production; that of staging is the next")
	return cmd
}

func trafficCommand(open opener) *cobra.Command {
	var restart bool
	cmd := &cobra.Command{
		Use:   "traffic",
		Short: "Send customers' requests to the production stack for " + demo.CustomersStay.String(),
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
	cmd.Flags().BoolVar(&restart, "restart", false, "send them in the background and stop the earlier ones")
	return cmd
}
