// Command pulumi-resource-kubernetes is the Pulumi Kubernetes provider, built from its published Go module for
// machines that cannot download the released plugin. It adds nothing: the provider's own Serve does everything.
//
// The provider embeds its schema, 8 MB of JSON that the module carries beside its own main package. The builder in
// local/ copies both files to generated/ and sets the schema's version before it compiles this command.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed generated/schema.json
var schema []byte

//go:embed generated/terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}
