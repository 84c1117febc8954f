package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/build/gotest"
)

// testCommand runs go test and reports how long its tests take.
func testCommand(open opener) *cobra.Command {
	var log string
	var slowest int
	cmd := &cobra.Command{
		Use:     "test [--log FILE] -- ARGUMENT...",
		Short:   "Run go test and print each long test as it ends, the output of those that fail, and the slowest",
		Example: "  build test -- -tags e2e ./e2e",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			record := io.Discard
			if log != "" {
				if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
					return err
				}
				file, err := os.Create(log)
				if err != nil {
					return err
				}
				defer file.Close()
				record = file
			}
			began := time.Now()
			run, err := c.goTest(cmd, args, record)
			if run != nil {
				out := cmd.OutOrStdout()
				fmt.Fprintf(out, "\n%d tests in %s; the slowest:\n", len(run.Ended), time.Since(began).Round(time.Second))
				for _, test := range run.Slowest(slowest) {
					fmt.Fprintf(out, "%8s  %s\n", test.Took.Round(time.Second), test)
				}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&log, "log", "", "also write everything that go test -json prints to this file")
	cmd.Flags().IntVar(&slowest, "slowest", 10, "how many of the slowest tests to list")
	return cmd
}

// goTest runs go test -json. An interrupt reaches go test directly, as it is in the same process group; goTest waits
// for it, so that the tests can clean up.
func (c checkout) goTest(cmd *cobra.Command, args []string, record io.Writer) (*gotest.Run, error) {
	command := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	command.Dir, command.Stderr = c.root, cmd.ErrOrStderr()
	events, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start go test: %w", err)
	}
	run, err := gotest.Read(io.TeeReader(events, record), cmd.OutOrStdout())
	if err != nil {
		_ = command.Process.Signal(syscall.SIGTERM)
		return nil, errors.Join(err, command.Wait())
	}
	if err := command.Wait(); err != nil {
		return run, fmt.Errorf("go test: %w", err)
	}
	return run, nil
}
