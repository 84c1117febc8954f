package operator

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

// stopLimit is how long an interrupted update may take to write its state.
const stopLimit = 2 * time.Minute

// command runs the Pulumi CLI in a process group of its own. A Ctrl-C at the terminal would otherwise reach it twice, from the
// terminal and through the context, and the second one makes it drop its state.
type command struct{ auto.PulumiCommand }

// Run implements auto.PulumiCommand.
func (c command) Run(ctx context.Context, dir string, stdin io.Reader, out, problems []io.Writer, env []string, args ...string) (stdout, stderr string, code int, err error) {
	run := exec.CommandContext(ctx, "pulumi", append([]string{"--non-interactive"}, args...)...)
	run.Dir, run.Stdin = dir, stdin
	run.Env = append(append(os.Environ(), env...), "PULUMI_AUTOMATION_API=true", "PULUMI_SKIP_UPDATE_CHECK=true")
	var output, errorOutput bytes.Buffer
	run.Stdout = io.MultiWriter(append(out[:len(out):len(out)], &output)...)
	run.Stderr = io.MultiWriter(append(problems[:len(problems):len(problems)], &errorOutput)...)
	run.SysProcAttr = ownGroup()
	run.Cancel, run.WaitDelay = func() error { return run.Process.Signal(os.Interrupt) }, stopLimit
	err = run.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	}
	return output.String(), errorOutput.String(), code, err
}
