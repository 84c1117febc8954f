package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// Options choose a stack.
type Options struct {
	// Stack is the name, alone or as organization/project/stack. Empty means PULUMI_STACK, then the selected stack.
	Stack string
	// Dir is a folder in the Pulumi project. Empty means PULUMI_OPTION_CWD, then the working directory.
	Dir string
	// Rollout is the namespace of the rollout's configuration, which is its name unless the program says another one.
	// Empty means the only rollout of the stack.
	Rollout string
}

// Stack is a stack of the project.
type Stack struct {
	// Name is the stack's short name, Project the name of its project, Dir the project's folder.
	Name, Project, Dir string
	// Settings are the stack's settings. Open masks every secret in them.
	Settings *settings.Settings

	qualified string // the name as given
	rollout   string // the namespace of the configuration; empty for the project's own
	several   bool   // the stack has other rollouts beside this one
	file      string
	modified  time.Time // of the file, when it was read

	decrypting sync.Mutex
	decrypted  *settings.Settings
}

// Open reads the stack's settings from its files. It needs nothing else. An unknown stack is a UsageError that lists
// the known ones. A stack of another project is a UsageError too. On a settings.Error the stack is returned as well,
// with the settings that could be read.
func Open(ctx context.Context, options Options) (*Stack, error) {
	project, path, err := findProject(options.Dir)
	if err != nil {
		return nil, err
	}
	stack := &Stack{Project: project.Name.String(), Dir: filepath.Dir(path), qualified: options.Stack}
	if stack.qualified == "" {
		stack.qualified = os.Getenv("PULUMI_STACK")
	}
	if stack.qualified == "" {
		if stack.qualified, err = selected(ctx, stack.Dir); err != nil {
			return nil, err
		}
	}
	if of := projectOf(stack.qualified); of != "" && of != stack.Project {
		return nil, terminal.Usage(fmt.Errorf("stack %s belongs to another project than %s in %s: change to the folder of "+
			"project %s, or pass it with --cwd", stack.qualified, stack.Project, stack.Dir, of))
	}
	stack.Name = stack.qualified[strings.LastIndex(stack.qualified, "/")+1:]
	if _, err := tokens.ParseStackName(stack.Name); err != nil {
		return nil, terminal.Usage(fmt.Errorf("stack %q: %w", stack.Name, err))
	}
	stack.file = workspace.ProjectStackPath(path, project, tokens.QName(stack.Name))
	info, err := os.Stat(stack.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, terminal.Usage(fmt.Errorf("project %s in %s has no stack %q: it has %s", stack.Project, stack.Dir,
			stack.Name, strings.Join(Stacks(options.Dir), ", ")))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", stack.file, err)
	}
	stack.modified = info.ModTime()
	err = stack.load(ctx, project, options.Rollout)
	return stack, err
}

// load reads the settings of the rollout that is meant.
func (s *Stack) load(ctx context.Context, project *workspace.Project, rollout string) error {
	all, err := fromFile(project, s.file)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.file, err)
	}
	if all == nil {
		// Part of the configuration is in a Pulumi ESC environment, which only the CLI can read.
		if all, err = s.fromCLI(ctx, false); err != nil {
			return err
		}
	}
	if err := s.choose(all, rollout); err != nil {
		return err
	}
	s.Settings, err = s.settingsOf(all)
	return err
}

// settingsOf are the rollout's settings. A relative path of the kubeconfig begins in the project's folder, where the
// engine runs the program, and not where the command is typed.
func (s *Stack) settingsOf(all sources) (*settings.Settings, error) {
	loaded, err := settings.Load(s.Name, all.of(s.ConfigNamespace()))
	if path := loaded.Kubeconfig; path != "" && !filepath.IsAbs(path) {
		loaded.Kubeconfig = filepath.Join(s.Dir, path)
	}
	return loaded, err
}

// Reopened is the stack itself while its file is as it was when it was opened, else the stack opened anew.
func (s *Stack) Reopened(ctx context.Context) (*Stack, error) {
	info, err := os.Stat(s.file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.file, err)
	}
	if info.ModTime().Equal(s.modified) {
		return s, nil
	}
	return Open(ctx, s.options())
}

// projectOf returns the project in a name of the form organization/project/stack. It is empty for a shorter name, which
// means the project at hand.
func projectOf(name string) string {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// Sibling opens the rollout in another stack of the same project.
func (s *Stack) Sibling(ctx context.Context, name string) (*Stack, error) {
	options := s.options()
	options.Stack = name
	return Open(ctx, options)
}

// WithSecrets returns the settings with the stack's secrets, which the Pulumi CLI decrypts. They must not be printed:
// pass settings.Settings.Revealed to whatever redacts a text.
func (s *Stack) WithSecrets(ctx context.Context) (*settings.Settings, error) {
	all, err := s.fromCLI(ctx, true)
	if err != nil {
		return nil, err
	}
	return s.settingsOf(all)
}

// Stacks lists the stacks that have a file in the project, sorted, without opening the files. Outside a project it is
// empty.
func Stacks(dir string) []string {
	project, path, err := findProject(dir)
	if err != nil {
		return nil
	}
	pattern := workspace.ProjectStackPath(path, project, "*")
	before, after, _ := strings.Cut(filepath.Base(pattern), "*")
	entries, err := os.ReadDir(filepath.Dir(pattern))
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		name, isStack := strings.CutPrefix(entry.Name(), before)
		name, ends := strings.CutSuffix(name, after)
		if isStack && ends && name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// FindProject is the name and the folder of the project in a folder or above it.
func FindProject(dir string) (name, folder string, err error) {
	project, path, err := findProject(dir)
	if err != nil {
		return "", "", err
	}
	return string(project.Name), filepath.Dir(path), nil
}

func findProject(dir string) (*workspace.Project, string, error) {
	if dir == "" {
		dir = os.Getenv("PULUMI_OPTION_CWD")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", fmt.Errorf("find the project: %w", err)
	}
	path, err := workspace.DetectProjectPathFrom(dir)
	if err != nil {
		return nil, "", terminal.Usage(fmt.Errorf("no Pulumi project in %s or above: change to its folder, or pass it "+
			"with --cwd",
			dir))
	}
	project, err := workspace.LoadProject(path)
	if err != nil {
		return nil, "", fmt.Errorf("read the project: %w", err)
	}
	return project, path, nil
}

// Owner is the value of the owner annotation on the stack's namespaces.
func (s *Stack) Owner() string { return s.Project + "/" + s.Name }

// Connect connects to the stack's cluster with the same kubeconfig and context as the program. It fails when the
// cluster does not answer, and when the stack's namespace is missing or has another owner, because that is not the
// cluster that the stack was rolled out to.
func (s *Stack) Connect(ctx context.Context) (*kube.Client, error) {
	client, err := kube.New(kube.Options{Kubeconfig: s.Settings.Kubeconfig, Context: s.Settings.KubeContext})
	if err != nil {
		return nil, s.Settings.Unreached(err)
	}
	namespace, exists, err := client.NamespaceOwner(ctx, s.Settings.Namespace)
	if err != nil {
		if down := client.Check(ctx); down != nil {
			return nil, down
		}
		return nil, err
	}
	where := fmt.Sprintf("namespace %s at %s", s.Settings.Namespace, client.Origin())
	switch owner := namespace.Annotations[names.Owner]; {
	case !exists:
		return nil, fmt.Errorf("there is no %s: either this is not the cluster of stack %s (compare with "+
			"`pulumi config get kubeContext -s %s`), or the stack was never rolled out (`pulumi up -s %s`)", where, s.Name,
			s.Name, s.Name)
	case owner == "":
		return nil, fmt.Errorf("%s belongs to no stack: this is not the cluster of stack %s; compare with "+
			"`pulumi config get kubeContext -s %s`", where, s.Name, s.Name)
	case owner != s.Owner():
		return nil, fmt.Errorf("%s belongs to %s, not to %s: pass that stack with --stack, or point stack %s at its own "+
			"cluster: pulumi config set kubeContext CONTEXT -s %s", where, owner, s.Owner(), s.Name, s.Name)
	}
	return client, nil
}
