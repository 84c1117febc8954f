package program

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// headOutput is the stack's output with the end of the ledger. Nothing in the cluster can change it: it tells of a
// ledger that was cut even where the release record went with it.
const headOutput = "ledgerHead"

// memory is what the stack's own outputs remember of its last update.
type memory struct {
	// cluster is the identity of the cluster; empty for none.
	cluster string
	// environment is the name of the environment; empty for none.
	environment string
	// head is the end of the ledger; the zero head for none.
	head ledger.Head
}

// remember reads the stack's own outputs. They outlive a refresh, which forgets every resource that another cluster
// does not have.
func remember(ctx *pulumi.Context, of scope) (memory, error) {
	name := ctx.Organization() + "/" + ctx.Project() + "/" + ctx.Stack()
	fail := func(err error) (memory, error) {
		return memory{}, fmt.Errorf("read the outputs of stack %s: %w", name, err)
	}
	reference, err := of.stackReference(ctx, name)
	if err != nil {
		return fail(err)
	}
	cluster, err := reference.GetOutputDetails(of.output(clusterOutput))
	if err != nil {
		return fail(err)
	}
	environment, err := reference.GetOutputDetails(of.output(environmentOutput))
	if err != nil {
		return fail(err)
	}
	kept, err := reference.GetOutputDetails(of.output(headOutput))
	if err != nil {
		return fail(err)
	}
	var known memory
	known.cluster, _ = cluster.Value.(string)
	known.environment, _ = environment.Value.(string)
	text, _ := kept.Value.(string)
	if known.head, err = ledger.ParseHead(text); err != nil {
		return fail(fmt.Errorf("output %s: %w", headOutput, err))
	}
	return known, nil
}

// exportHead exports the end that the ledger has after the update, and lets the release record keep it. A ledger that
// has lost entries leaves both as they were. A preview exports what is remembered: it moves nothing. The engine calls
// hooks in an update alone, and every entry of an update comes from one: where none ran, the record is left alone, as
// in `pulumi destroy --run-program` and `pulumi refresh --run-program`, which run the program as well.
func (p *program) exportHead(release *components.Release) {
	before := p.memory.head.String()
	if p.ctx.DryRun() || p.settings.IsSingle() {
		if before != "" {
			p.ctx.Export(p.scope.output(headOutput), pulumi.String(before))
		}
		return
	}
	p.ctx.Export(p.scope.output(headOutput), release.Weight.ApplyT(func(int) (string, error) {
		read := ledger.Read
		if p.hooks.ran.Load() {
			read = ledger.KeepHead
		}
		history, err := read(p.ctx.Context(), p.rollout.Ledger())
		switch {
		case errors.Is(err, ledger.ErrCut):
			return before, nil
		case err != nil:
			// The update is done: the head lags behind until the next one.
			return before, p.log().Warn(err.Error())
		}
		return history.Head().String(), nil
	}))
}
