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

	"github.com/vextrus/finance-rollout/internal/terminal"
)

// ErrLocked is returned when another update holds the stack's lock.
var ErrLocked = errors.New("another update of the stack is running")

// openWorkspace opens the project's folder with the Automation API.
func openWorkspace(ctx context.Context, dir string) (auto.Workspace, error) {
	return openWorkspaceWith(ctx, dir, command{patience: writeLimit})
}

func openWorkspaceWith(ctx context.Context, dir string, cli command) (auto.Workspace, error) {
	base, err := auto.NewPulumiCommand(nil)
	if err != nil {
		return nil, fmt.Errorf("the Pulumi CLI is not usable: %w: install it, or put it on the PATH", err)
	}
	cli.PulumiCommand = base
	// Dir is absolute. The CLI would resolve a relative PULUMI_OPTION_CWD against it.
	opened, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(dir), auto.Pulumi(cli),
		auto.EnvVars(map[string]string{"PULUMI_OPTION_CWD": dir}))
	if err != nil {
		return nil, fmt.Errorf("open the project in %s: %w", dir, err)
	}
	return opened, nil
}

// selected returns the name of the stack that `pulumi stack select` selected.
func selected(ctx context.Context, dir string) (string, error) {
	const choose = "name a stack with --stack"
	opened, err := openWorkspace(ctx, dir)
	if err != nil {
		return "", terminal.Usage(fmt.Errorf("no stack is named, and the selected one cannot be read: %w: %s", err, choose))
	}
	stack, err := opened.Stack(ctx)
	if err != nil {
		return "", terminal.Usage(fmt.Errorf("no stack is named, and the selected one cannot be read: %w: %s",
			withoutTranscript(err), choose))
	}
	if stack == nil {
		return "", terminal.Usage(fmt.Errorf("no stack is named and none is selected in %s: %s, or select one with "+
			"`pulumi stack select`; the project has %s",
			dir, choose, strings.Join(Stacks(dir), ", ")))
	}
	return stack.Name, nil
}

// fromCLI reads the configuration as the engine passes it to the program.
func (s *Stack) fromCLI(ctx context.Context, secrets bool) (sources, error) {
	opened, err := openWorkspace(ctx, s.Dir)
	if err != nil {
		return nil, err
	}
	values, err := opened.GetAllConfigWithOptions(ctx, s.qualified, &auto.GetAllConfigOptions{ShowSecrets: secrets})
	if err != nil {
		return nil, fmt.Errorf("read the configuration of stack %s: %w", s.Name, withoutTranscript(err))
	}
	read := sources{}
	for key, value := range values {
		if namespace, name, ok := strings.Cut(key, ":"); ok {
			of := read.of(namespace)
			of.values[name], of.secrets[name] = value.Value, value.Secret
		}
	}
	return read, nil
}

// OutputsOf returns the rollout's outputs of another stack, which may belong to another project. They describe its last
// update and not its configuration. It omits secret outputs.
func (s *Stack) OutputsOf(ctx context.Context, name string) (map[string]any, error) {
	opened, err := openWorkspace(ctx, s.Dir)
	if err != nil {
		return nil, err
	}
	all, err := opened.StackOutputs(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read the outputs of stack %s: %w", name, withoutTranscript(err))
	}
	outputs := map[string]any{}
	for name, output := range all {
		if !output.Secret {
			outputs[name] = output.Value
		}
	}
	return s.outputs(outputs), nil
}

// Set writes values that are no secrets to the stack's file, by the path of their key. An empty value removes the key.
// Set does not change Settings: open the stack again for that.
func (s *Stack) Set(ctx context.Context, values map[string]string) error {
	opened, err := openWorkspace(ctx, s.Dir)
	if err != nil {
		return err
	}
	given, removed := auto.ConfigMap{}, []string{}
	for path, value := range values {
		path = s.key(path)
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

// Up runs `pulumi up --yes`; refresh first brings the state in line with the cluster. Its output goes to progress as it
// comes. When the context ends, Up interrupts the update and waits until it has finished its current steps and
// written its state. The error is ErrLocked when another update holds the stack's lock.
func (s *Stack) Up(ctx context.Context, progress io.Writer, refresh bool) error {
	progress = &serial{to: progress}
	patience := s.longestStep() + writeLimit
	opened, err := openWorkspaceWith(ctx, s.Dir, command{patience: patience, interrupted: func() {
		fmt.Fprintf(progress,
			"interrupted: Pulumi starts no further step and finishes the current ones, within %v. A second "+
				"Ctrl-C does not wait for them; the lock that it may leave behind is removed by `pulumi cancel -s %s`\n", patience,
			s.Name)
	}})
	if err != nil {
		return err
	}
	// The Automation API selects the stack. Restore the selection, or the next command without --stack would use it.
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
		return fmt.Errorf("pulumi up -s %s: %w: wait until it ends; if it was killed, remove its lock: pulumi cancel -s %s",
			s.Name, ErrLocked, s.Name)
	case ctx.Err() != nil:
		return fmt.Errorf("pulumi up -s %s was interrupted: %w: continue with `pulumi up -s %s`, after "+
			"`pulumi cancel -s %s` if the stack is locked", s.Name, context.Cause(ctx), s.Name, s.Name)
	default:
		return fmt.Errorf("pulumi up -s %s failed: see its output", s.Name)
	}
}

const (
	// lockWait is how long Settle waits for another update of the stack, lockRetry the time between two attempts.
	lockWait  = 10 * time.Minute
	lockRetry = 5 * time.Second
)

// Settle sets values as Set does and runs `pulumi up --refresh`. It waits up to 10 minutes for another update of the
// stack to end.
func (s *Stack) Settle(ctx context.Context, values map[string]string, progress io.Writer) error {
	return s.settle(ctx, values, progress, lockWait, lockRetry)
}

func (s *Stack) settle(ctx context.Context, values map[string]string, progress io.Writer,
	wait, retry time.Duration) error {
	if err := s.Set(ctx, values); err != nil {
		return err
	}
	waited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		err := s.Up(ctx, progress, true)
		if !errors.Is(err, ErrLocked) {
			return err
		}
		fmt.Fprintln(progress, "waiting for another update of the stack to end")
		select {
		case <-waited.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(retry):
		}
	}
}

// longestStep bounds the longest step that Pulumi does not abort. A hook either waits for pods, or runs the smoke suite
// on both tracks, each after a wait for its pods, and then bakes, for up to twice the duration while requests are few.
func (s *Stack) longestStep() time.Duration {
	given := s.Settings
	return max(time.Duration(given.ProgressLimit),
		4*time.Duration(given.Smoke.Timeout)+2*time.Duration(given.Bake.Duration))
}

// serial is a writer for concurrent use.
type serial struct {
	one sync.Mutex
	to  io.Writer
}

func (s *serial) Write(text []byte) (int, error) {
	s.one.Lock()
	defer s.one.Unlock()
	return s.to.Write(text)
}

// withoutTranscript reduces an error of the Automation API to its message: the API appends the whole transcript.
func withoutTranscript(err error) error {
	text := err.Error()
	_, problem, ok := strings.Cut(text, "\nstderr: ")
	if !ok {
		return err
	}
	problem = strings.TrimPrefix(strings.TrimSpace(problem), "error: ")
	summary, _, _ := strings.Cut(text, "\n")
	if problem == "" {
		return errors.New(summary)
	}
	return errors.New(problem)
}
