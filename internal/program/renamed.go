package program

import (
	"context"
	"fmt"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// environmentOutput is the stack's output with the environment of its last update.
const environmentOutput = "environment"

// checkEnvironment refuses another environment than that of the last update, where nobody asked for it or where a
// release lives: labels and Secrets are called after the environment, so that all pods would be replaced. Without a
// setting the environment is the stack's name, which `pulumi stack rename` changes.
func (p *program) checkEnvironment(ctx context.Context) error {
	before, err := p.environmentBefore(ctx)
	if err != nil {
		return err
	}
	after := p.settings.Environment
	if before == "" || before == after {
		return nil
	}
	stack := p.ctx.Stack()
	keep := fmt.Sprintf("to keep it: `pulumi config set environment %s -s %s`", before, stack)
	if given, _ := (configuration{p.ctx, p.scope}).Get("environment"); given == "" {
		return fmt.Errorf("the environment of stack %[1]s was %[2]s and would be %[3]s, the stack's name, which renames "+
			"Secrets and labels and replaces all pods; %[4]s; to change it on purpose: `pulumi config set environment %[3]s "+
			"-s %[1]s` while no release is on trial", stack, before, after, keep)
	}
	living, err := p.living(ctx)
	if err != nil {
		return fmt.Errorf("the environment would change from %s to %s, which needs the ledger: %w; %s", before, after, err,
			keep)
	}
	if living != "" {
		return fmt.Errorf("the environment would change from %[1]s to %[2]s while %[3]s is on trial, which renames Secrets "+
			"and labels and replaces all pods; %[4]s; to change it, take %[3]s out or let it finish before: `rollout "+
			"rollback -s %[5]s` or `rollout finish -s %[5]s`", before, after, living, keep, stack)
	}
	return p.log().Warn(fmt.Sprintf("the environment changes from %s to %s: Secrets and labels are renamed, and all "+
		"pods are replaced", before, after))
}

// environmentBefore is the environment of the last update; empty for none. After a destroy or with a new state the
// namespace alone remembers it.
func (p *program) environmentBefore(ctx context.Context) (string, error) {
	if p.memory.environment != "" {
		return p.memory.environment, nil
	}
	namespace, _, err := p.cluster.NamespaceOwner(ctx, p.settings.Namespace)
	if err != nil || namespace.Labels[names.ManagedBy] != names.Program {
		return "", err
	}
	return namespace.Labels[names.Environment], nil
}

// living is the name of the release that lives; empty for none.
func (p *program) living(ctx context.Context) (string, error) {
	if p.settings.IsSingle() {
		return "", nil
	}
	history, err := ledger.Read(ctx, p.rollout.Ledger())
	if err != nil {
		return "", err
	}
	return history.State().Living(), nil
}
