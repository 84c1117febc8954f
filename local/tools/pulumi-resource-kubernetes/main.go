// Command pulumi-resource-kubernetes is the Pulumi Kubernetes provider, built from its published Go module for
// machines that cannot download the released plugin. It adds nothing: the provider's own Serve does everything.
package main

import (
	_ "embed"
	"encoding/json"
	"log"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)
