// Package rollout rolls a service out from a Pulumi program of its user's own, which may hold several rollouts and
// other resources. Everything that `pulumi up` does for the program of this module, it does for each of them: the
// configuration, its checks, the gates and the guard are the same.
//
// Two rollouts of a stack differ in their names and their configuration. The name begins the names of a rollout's
// resources, its hooks and its outputs, which are exported as NAME.verifiedImage for example. The configuration of a
// rollout lies in a namespace of its own: what docs/configuration.md calls week is payments:week in the stack's file.
// Each needs a Kubernetes namespace of its own.
//
// The rollout command finds the only rollout of a stack by itself. Where there are several it takes the namespace of
// the configuration: `rollout status -s production --rollout payments`.
package rollout

import (
	"cmp"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/program"
)

// Args are the arguments of New.
type Args struct {
	// Config is the namespace of the rollout's configuration; empty for its name.
	Config string
}

// Rollout is all that one service is rolled out with, and the position that it has reached.
type Rollout = program.Rollout

// New rolls a service out.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Rollout, error) {
	if name == "" {
		return nil, errors.New("rollout: a name is required: it sets this rollout apart from the others of its stack")
	}
	if args == nil {
		args = &Args{}
	}
	return program.New(ctx, program.Options{Name: name, Config: cmp.Or(args.Config, name)}, program.RealDeps(), opts...)
}
