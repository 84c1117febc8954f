// Command finance-rollout is the Pulumi program that takes a service from "stable everywhere" to "new release
// everywhere" in weekly stages. The Pulumi CLI runs it: see README.md.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/program"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error { return program.Run(ctx, program.RealDeps()) })
}
