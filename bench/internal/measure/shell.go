package measure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Shell runs commands in the environment of .local/env, as a user's shell does.
type Shell struct {
	// Root is the checkout.
	Root string
	// Project is the folder of a Pulumi project with its own state; empty for the demo's.
	Project string
}

// Run runs a command and returns its output.
func (s Shell) Run(ctx context.Context, name string, args ...string) (string, error) {
	words := []string{"-c", `. "$0" && exec env "$@"`, filepath.Join(s.Root, ".local", "env")}
	if s.Project != "" {
		words = append(words, "PULUMI_OPTION_CWD="+s.Project, "PULUMI_BACKEND_URL=file://"+filepath.Join(s.Project, "state"))
	}
	command := exec.CommandContext(ctx, "sh", append(append(words, name), args...)...)
	command.Dir = s.Root
	// An interrupted command gets the time to release the lock of its state.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, output)
	}
	return string(output), nil
}

// Pulumi runs the Pulumi CLI and returns its output.
func (s Shell) Pulumi(ctx context.Context, args ...string) (string, error) {
	return s.Run(ctx, "pulumi", args...)
}

// Time returns how long do took.
func Time(do func() error) (time.Duration, error) {
	start := time.Now()
	err := do()
	return time.Since(start), err
}
