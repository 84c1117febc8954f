// Command two-services is a Pulumi program that rolls out two services in one stack, each at its own pace.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/rollout"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error { return services(ctx, rollout.New) })
}

// services rolls out the services by a function of the form of [rollout.New].
func services(ctx *pulumi.Context, roll func(ctx *pulumi.Context, name string, args *rollout.Args,
	opts ...pulumi.ResourceOption) (*rollout.Rollout, error)) error {
	weights := pulumi.IntMap{}
	for _, name := range []string{"payments", "invoices"} {
		service, err := roll(ctx, name, nil)
		if err != nil {
			return err
		}
		weights[name] = service.Weight
	}
	ctx.Export("weights", weights)
	return nil
}
