// Command finance-rollout is the Pulumi program that takes a service from "stable everywhere" to "new release
// everywhere" in weekly stages. It is run by the Pulumi CLI, not by hand: see README.md.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		return program(ctx, realEdges())
	})
}
