package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"

	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// ErrLocked says that somebody else updates the stack at this moment.
var ErrLocked = errors.New("another update of the stack is running")

// openWorkspace opens the project's folder as the Automation API sees it.
func openWorkspace(ctx context.Context, dir string) (auto.Workspace, error) {
	return openWorkspaceWith(ctx, dir, command{patience: writeLimit})
}

func openWorkspaceWith(ctx context.Context, dir string, cli command) (auto.Workspace, error) {
	base, err := auto.NewPulumiCommand(nil)
	if err != nil {
		return nil, fmt.Errorf("the Pulumi CLI cannot be used: %w: install it, or put it on the PATH", err)
	}
	cli.PulumiCommand = base
	// The folder is given; a relative one in the environment would be looked for below it.
	opened, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(dir), auto.Pulumi(cli),
		auto.EnvVars(map[string]string{"PULUMI_OPTION_CWD": dir}))
	if err != nil {
		return nil, fmt.Errorf("open the project in %s: %w", dir, err)
	}
	return opened, nil
}

// selected is the stack that `pulumi stack select` has selected.
func selected(ctx context.Context, dir string) (string, error) {
	const choose = "name a stack with --stack"
	opened, err := openWorkspace(ctx, dir)
	if err != nil {
		return "", terminal.Usage(fmt.Errorf("no stack is named, and none can be found selected: %w: %s", err, choose))
	}
	stack, err := opened.Stack(ctx)
	if err != nil {
		return "", terminal.Usage(fmt.Errorf("no stack is named, and none can be found selected: %w: %s",
			withoutTranscript(err), choose))
	}
	if stack == nil {
		return "", terminal.Usage(fmt.Errorf("no stack is named and none is selected in %s: %s, or select one with "+
			"`pulumi stack select`; there are %s",
			dir, choose, strings.Join(Stacks(dir), ", ")))
	}
	return stack.Name, nil
}

// fromCLI reads the configuration as the engine hands it to the program.
func (s *Stack) fromCLI(ctx context.Context, secrets bool) (settings.Source, error) {
	opened, err := openWorkspace(ctx, s.Dir)
	if err != nil {
		return nil, err
	}
	values, err := opened.GetAllConfigWithOptions(ctx, s.qualified, &auto.GetAllConfigOptions{ShowSecrets: secrets})
	if err != nil {
		return nil, fmt.Errorf("read the configuration of stack %s: %w", s.Name, withoutTranscript(err))
	}
	read := newSource()
	for key, value := range values {
		if name, own := strings.CutPrefix(key, s.Project+":"); own {
			read.values[name], read.secrets[name] = value.Value, value.Secret
		}
	}
	return read, nil
}

// Outputs are the stack's outputs: what was reached last, not what is asked for. An output that is a secret is left
// out.
func (s *Stack) Outputs(ctx context.Context) (map[string]any, error) {
	return s.OutputsOf(ctx, s.qualified)
}

// OutputsOf are the outputs of another stack, which may be of another project.
func (s *Stack) OutputsOf(ctx context.Context, name string) (map[string]any, error) {
	opened, err := openWorkspace(ctx, s.Dir)
	if err != nil {
		return nil, err
	}
	found, err := opened.StackOutputs(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read the outputs of stack %s: %w", name, withoutTranscript(err))
	}
	outputs := map[string]any{}
	for name, output := range found {
		if !output.Secret {
			outputs[name] = output.Value
		}
	}
	return outputs, nil
}

// Set changes values of the stack's file, none of them secret, by the path of their key; an empty value removes the
// key. It does not change Settings: open the stack again for that.
func (s *Stack) Set(ctx context.Context, values map[string]string) error {
	opened, err := openWorkspace(ctx, s.Dir)
	if err != nil {
		return err
	}
	given, removed := auto.ConfigMap{}, []string{}
	for path, value := range values {
		if value == "" {
			removed = append(removed, path)
			continue
		}
		given[path] = auto.ConfigValue{Value: value}
	}
	byPath := &auto.ConfigOptions{Path: true}
	if len(given) > 0 {
		err = opened.SetAllConfigWithOptions(ctx, s.qualified, given, byPath)
	}
	if err == nil && len(removed) > 0 {
		err = opened.RemoveAllConfigWithOptions(ctx, s.qualified, removed, byPath)
	}
	if err != nil {
		return fmt.Errorf("set the configuration of stack %s: %w", s.Name, withoutTranscript(err))
	}
	return nil
}

// Up runs `pulumi up` without asking again, and with refresh brings the state in line with the cluster first. Its
// output goes to progress as it comes. When the context ends, the update is asked to stop and given the time to end
// what it has begun and to write its state. The error is ErrLocked when another update holds the stack; else the
// output tells what went wrong.
func (s *Stack) Up(ctx context.Context, progress io.Writer, refresh bool) error {
	progress = &serial{to: progress}
	patience := s.longestStep() + writeLimit
	opened, err := openWorkspaceWith(ctx, s.Dir, command{patience: patience, interrupted: func() {
		fmt.Fprintf(progress, "interrupted: Pulumi begins nothing more, and ends what it has begun, within %v at most. A "+
			"second Ctrl-C does not wait for it: "+
			"it may then leave its lock, which `pulumi cancel -s %s` takes away\n", patience, s.Name)
	}})
	if err != nil {
		return err
	}
	// To select a stack would change what the next command without --stack is about: the one that was selected is
	// selected again.
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
	options := []optup.Option{optup.ProgressStreams(progress), optup.ErrorProgressStreams(progress),
		optup.SuppressOutputs(), optup.UserAgent("finance-rollout")}
	if refresh {
		options = append(options, optup.Refresh())
	}
	_, err = stack.Up(ctx, options...)
	switch {
	case err == nil:
		return nil
	case auto.IsConcurrentUpdateError(err):
		return fmt.Errorf("pulumi up -s %s: %w: wait for its end; one that was killed leaves its lock behind, which "+
			"`pulumi cancel -s %s` takes away", s.Name, ErrLocked, s.Name)
	case ctx.Err() != nil:
		return fmt.Errorf("pulumi up -s %s was interrupted: %w: an unchanged `pulumi up` goes on, after `pulumi cancel -s "+
			"%s` if it finds the stack locked", s.Name, context.Cause(ctx), s.Name)
	default:
		return fmt.Errorf("pulumi up -s %s failed; its output tells why", s.Name)
	}
}

// longestStep is how long a step of an update may take that Pulumi does not break off: a hook waits for pods, or runs
// the smoke suite on both tracks, each after a wait for its pods, and bakes, at most twice as long while requests are
// missing.
func (s *Stack) longestStep() time.Duration {
	given := s.Settings
	return max(time.Duration(given.ProgressLimit),
		4*time.Duration(given.Smoke.Timeout)+2*time.Duration(given.Bake.Duration))
}

// serial lets several write to one writer.
type serial struct {
	one sync.Mutex
	to  io.Writer
}

func (s *serial) Write(text []byte) (int, error) {
	s.one.Lock()
	defer s.one.Unlock()
	return s.to.Write(text)
}

// withoutTranscript is an error of the Automation API without the transcript that it carries.
func withoutTranscript(err error) error {
	text := err.Error()
	_, problem, found := strings.Cut(text, "\nstderr: ")
	if !found {
		return err
	}
	problem = strings.TrimPrefix(strings.TrimSpace(problem), "error: ")
	what, _, _ := strings.Cut(text, "\n")
	if problem == "" {
		return errors.New(what)
	}
	return errors.New(problem)
}
