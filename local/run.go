package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/local/internal/cluster"
)

// runGrace is how long an interrupted command and its descendants may take to end by themselves.
const runGrace = 20 * time.Second

func runCommand(open opener) *cobra.Command {
	var options cluster.Options
	cmd := &cobra.Command{
		Use:     "run -- COMMAND [ARGUMENT...]",
		Short:   "Run a command with the cluster and its environment; end the cluster afterwards unless it ran before",
		Example: "  local run -- go test -tags e2e ./internal/kube",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.While(cmd.Context(), options, func(ctx context.Context) error {
				if err := newDemo(cmd, c).Prepare(ctx); err != nil {
					return err
				}
				return runWith(ctx, c.EnvFile(), runGrace, args)
			})
		},
	}
	gatewayFlag(cmd, &options)
	return cmd
}

// runWith runs a command in the environment that the file describes. When the context ends, the command and all that
// it started get an interrupt and the time of grace. Nothing of it outlives the call.
func runWith(ctx context.Context, envFile string, grace time.Duration, args []string) error {
	source := append([]string{"-c", `. "$0" && exec "$@"`, envFile}, args...)
	cmd := exec.CommandContext(ctx, "/bin/sh", source...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// A separate process group, so that each process in it gets the interrupt exactly once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", args[0], err)
	}
	err := cmd.Wait()
	if err := endGroup(cmd.Process.Pid, grace); err != nil {
		return fmt.Errorf("end what %s started: %w", args[0], err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return nil
}

// endGroup waits until no process of the group is left, and kills those that stay.
func endGroup(group int, grace time.Duration) error {
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err := syscall.Kill(-group, 0); errors.Is(err, syscall.ESRCH) {
			return nil
		}
	}
	if err := syscall.Kill(-group, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// packagesCommand serves the unit tests, some of which need PostgreSQL.
func packagesCommand(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "packages",
		Short: "Install the system packages that the cluster and the tests need",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.InstallPackages(cmd.Context())
		},
	}
}
