// Command local is the embedded default environment: it builds or finds the pinned tools and runs a one-node
// Kubernetes with monitoring, a registry and PostgreSQL on this machine. It is scaffolding for the demo and the
// tests: nothing of the product imports it, and it imports nothing of the product. The tools that check and release
// the code are those of the command build.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/build/progress"
	"github.com/vextrus/finance-rollout/build/toolchain"
	"github.com/vextrus/finance-rollout/local/internal/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	if err == nil {
		return
	}
	if interrupted {
		fmt.Fprintln(os.Stderr, "interrupted; run the same command again to continue")
	} else {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(1)
}

// newCommand returns the command with everything below it.
func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "local",
		Short:         "Run a local one-node Kubernetes for the demo and the tests",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var checkout string
	root.PersistentFlags().StringVar(&checkout, "root", "",
		"the checkout to work in (default: the one around the current directory)")
	open := func() (*cluster.Cluster, error) { return openCluster(checkout) }
	root.AddCommand(
		toolsCommand(open), upCommand(open), downCommand(open), statusCommand(open), envCommand(open), pushCommand(open),
		demoCommand(open), trafficCommand(open), stacksCommand(open), runCommand(open),
		packagesCommand(open), registryCommand(), launchCommand(),
	)
	return root
}

func openCluster(checkout string) (*cluster.Cluster, error) {
	if checkout == "" {
		var err error
		if checkout, err = os.Getwd(); err != nil {
			return nil, err
		}
	}
	root, err := toolchain.FindRoot(checkout)
	if err != nil {
		return nil, err
	}
	return cluster.New(root, progress.New(os.Stderr))
}

type opener func() (*cluster.Cluster, error)

func toolsCommand(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "tools [NAME...]",
		Short: "Find or build the pinned tools in .local/bin",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Builder().Provide(cmd.Context(), args...)
		},
	}
}

func upCommand(open opener) *cobra.Command {
	var options cluster.Options
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the cluster or its stopped parts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if err := c.Up(cmd.Context(), options); err != nil {
				return err
			}
			if err := newDemo(cmd, c).Prepare(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "the local cluster runs; to use it: . %s\n", c.EnvFile())
			return nil
		},
	}
	gatewayFlag(cmd, &options)
	return cmd
}

// gatewayFlag adds --gateway to a command that starts the cluster.
func gatewayFlag(cmd *cobra.Command, options *cluster.Options) {
	cmd.Flags().BoolVar(&options.Gateway, "gateway", false,
		"also run Traefik as a Gateway of the Gateway API; it is built when it is missing")
}

func downCommand(open opener) *cobra.Command {
	var reset, purge bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End the cluster; the next up continues where it ended",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			keep := cluster.KeepAll
			switch {
			case purge:
				keep = cluster.KeepNothing
			case reset:
				keep = cluster.KeepTools
			}
			return c.Down(cmd.Context(), keep)
		},
	}
	cmd.Flags().BoolVar(&reset, "reset", false, "also delete all data: cluster, database, registry and local Pulumi "+
		"stacks; keep tools and secrets")
	cmd.Flags().BoolVar(&purge, "purge", false, "also delete .local wholly, the built tools included")
	return cmd
}

func statusCommand(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the running parts; exit with 1 if a part of the cluster does not run",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Status(cmd.Context(), cmd.OutOrStdout())
		},
	}
}

func envCommand(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print the environment of the cluster for a shell: eval \"$(local env)\"",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			content, err := os.ReadFile(c.EnvFile())
			if errors.Is(err, os.ErrNotExist) {
				return errors.New("there is no local cluster yet: run `make cluster`")
			}
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(content)
			return err
		},
	}
}
