package stack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
)

// ExportState gives the stack's state as Pulumi has it. Its secrets stay encrypted: the Automation API would decrypt
// them.
func (s *Stack) ExportState(ctx context.Context) ([]byte, error) {
	output, err := s.call(ctx, nil, "stack", "export")
	return []byte(output), err
}

// ImportState replaces the stack's state.
func (s *Stack) ImportState(ctx context.Context, state []byte) error {
	_, err := s.call(ctx, bytes.NewReader(state), "stack", "import")
	return err
}

// call runs a command of the Pulumi CLI on the stack.
func (s *Stack) call(ctx context.Context, input io.Reader, words ...string) (string, error) {
	opened, err := openWorkspace(ctx, s.Dir)
	if err != nil {
		return "", err
	}
	var env []string
	for key, value := range opened.GetEnvVars() {
		env = append(env, key+"="+value)
	}
	output, problem, _, err := opened.PulumiCommand().Run(ctx, s.Dir, input, nil, nil, env,
		append(words, "--stack", s.qualified)...)
	if err != nil {
		return "", fmt.Errorf("pulumi %s -s %s: %w: %s", strings.Join(words, " "), s.Name, err,
			strings.TrimPrefix(strings.TrimSpace(problem), "error: "))
	}
	return output, nil
}

// Destroy runs `pulumi destroy --yes`. Objects that the state says to retain stay in the cluster. Its output goes to
// progress as it comes.
func (s *Stack) Destroy(ctx context.Context, progress io.Writer) error {
	progress = &serial{to: progress}
	opened, err := openWorkspaceWith(ctx, s.Dir, command{patience: s.longestStep() + writeLimit})
	if err != nil {
		return err
	}
	before, err := opened.Stack(ctx)
	if err != nil {
		return fmt.Errorf("look for stack %s: %w", s.Name, withoutTranscript(err))
	}
	stack, err := auto.SelectStack(ctx, s.qualified, opened)
	if err != nil {
		return fmt.Errorf("look for stack %s: %w", s.Name, withoutTranscript(err))
	}
	if before != nil {
		defer func() { _ = opened.SelectStack(context.WithoutCancel(ctx), before.Name) }()
	}
	_, err = stack.Destroy(ctx, optdestroy.ProgressStreams(progress), optdestroy.ErrorProgressStreams(progress),
		optdestroy.SuppressOutputs(), optdestroy.UserAgent("finance-rollout"))
	switch {
	case err == nil:
		return nil
	case auto.IsConcurrentUpdateError(err):
		return fmt.Errorf("pulumi destroy -s %s: %w: wait until it ends; if it was killed, remove its lock: pulumi cancel "+
			"-s %s", s.Name, ErrLocked, s.Name)
	default:
		return fmt.Errorf("pulumi destroy -s %s failed: see its output", s.Name)
	}
}
