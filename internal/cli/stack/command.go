package stack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
)

// writeLimit is how long an interrupted command of the Pulumi CLI may take to write its state.
const writeLimit = 2 * time.Minute

// command runs the Pulumi CLI in a process group of its own. Otherwise a Ctrl-C would reach the CLI twice, from the
// terminal and through the context, and the second one makes it drop its state.
type command struct {
	auto.PulumiCommand
	// patience is how long an interrupted CLI may take to end before it is killed, which leaves its lock behind.
	patience time.Duration
	// interrupted is called when the CLI is interrupted; it may be nil.
	interrupted func()
}

// Run implements auto.PulumiCommand.
func (c command) Run(ctx context.Context, dir string, stdin io.Reader, out, problems []io.Writer, env []string,
	args ...string) (stdout, stderr string, code int, err error) {
	run := exec.CommandContext(ctx, "pulumi", append([]string{"--non-interactive"}, args...)...)
	run.Dir, run.Stdin = dir, stdin
	run.Env = append(append(os.Environ(), env...), "PULUMI_AUTOMATION_API=true", "PULUMI_SKIP_UPDATE_CHECK=true")
	var output, errorOutput bytes.Buffer
	run.Stdout = io.MultiWriter(append(out[:len(out):len(out)], &output)...)
	run.Stderr = io.MultiWriter(append(problems[:len(problems):len(problems)], &errorOutput)...)
	run.SysProcAttr = ownGroup()
	run.WaitDelay = c.patience
	run.Cancel = func() error {
		if c.interrupted != nil {
			c.interrupted()
		}
		return run.Process.Signal(os.Interrupt)
	}
	err = run.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	}
	return output.String(), errorOutput.String(), code, err
}
