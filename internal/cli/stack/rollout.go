package stack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"github.com/vextrus/finance-rollout/internal/scope"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// rollouts are the namespaces that hold a rollout, sorted.
func (s sources) rollouts() []string {
	var list []string
	for namespace, source := range s {
		if settings.IsRollout(source) {
			list = append(list, namespace)
		}
	}
	slices.Sort(list)
	return list
}

// choose finds the namespace of the rollout that is meant. The only rollout of a stack needs no name, wherever its
// configuration lies.
func (s *Stack) choose(all sources, wanted string) error {
	list := all.rollouts()
	s.several = len(list) > 1
	switch {
	case wanted == "" && s.several:
		return terminal.Usage(fmt.Errorf("stack %s has %d rollouts, %s: name one with --rollout: rollout status -s %s "+
			"--rollout %s", s.Name, len(list), strings.Join(list, ", "), s.Name, list[0]))
	case wanted == "" && len(list) == 1:
		wanted = list[0]
	case wanted == "":
		wanted = s.Project // the settings say what is missing
	case wanted != s.Project && len(all.of(wanted).values) == 0:
		return terminal.Usage(fmt.Errorf("stack %s has no rollout %q: %s", s.Name, wanted, s.known(list)))
	}
	if s.rollout = wanted; wanted == s.Project {
		s.rollout = ""
	}
	return nil
}

// known says which rollouts there are, with a command that names one.
func (s *Stack) known(list []string) string {
	if len(list) == 0 {
		return fmt.Sprintf("its file configures none, neither as %s:week nor as NAME:week; compare with `pulumi config "+
			"-s %s`", s.Project, s.Name)
	}
	return fmt.Sprintf("it has %s: rollout status -s %s --rollout %s", strings.Join(list, ", "), s.Name, list[0])
}

// Rollouts lists the rollouts of a stack by its file, sorted. It is empty where the file cannot be read.
func Rollouts(dir, name string) []string {
	project, path, err := findProject(dir)
	if err != nil {
		return nil
	}
	name = name[strings.LastIndex(name, "/")+1:]
	all, err := fromFile(project, workspace.ProjectStackPath(path, project, tokens.QName(name)))
	if err != nil {
		return nil
	}
	return all.rollouts()
}

// ConfigNamespace is where the rollout's configuration lies: the part of its keys in front of the colon.
func (s *Stack) ConfigNamespace() string { return cmp.Or(s.rollout, s.Project) }

// key is the key of the Pulumi CLI for a path in the rollout's configuration.
func (s *Stack) key(path string) string {
	if s.rollout == "" {
		return path
	}
	return s.rollout + ":" + path
}

// options open the stack with the same rollout again.
func (s *Stack) options() Options {
	return Options{Stack: s.qualified, Dir: s.Dir, Rollout: s.ConfigNamespace()}
}

// Scope is the rollout in texts. Where the stack has one rollout, commands need no name.
func (s *Stack) Scope() scope.Scope {
	of := scope.Scope{Config: s.rollout, Output: s.rollout}
	if s.several {
		of.Rollout = s.ConfigNamespace()
	}
	return of
}

// outputs are those of the rollout, without its name.
func (s *Stack) outputs(all map[string]any) map[string]any {
	name := s.rollout
	for output, value := range all {
		if of, ok := strings.CutSuffix(output, "."+scope.ConfigurationOutput); ok && value == s.ConfigNamespace() {
			name = of
		}
	}
	if name == "" {
		return all
	}
	outputs := map[string]any{}
	for output, value := range all {
		if of, ok := strings.CutPrefix(output, name+"."); ok {
			outputs[of] = value
		}
	}
	return outputs
}
