package program

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	textscope "github.com/vextrus/finance-rollout/internal/scope"
)

// scope sets one rollout apart from the others of its stack: where its configuration lies, and how its resources, hooks
// and outputs are called.
type scope struct {
	// name is the rollout's; empty for the only one of its stack.
	name string
	// config is the namespace of its configuration; empty for the project's own.
	config string
}

// prefix begins the names of resources.
func (s scope) prefix() string {
	if s.name == "" {
		return ""
	}
	return s.name + "-"
}

// resource is the name of a resource or a hook.
func (s scope) resource(name string) string { return s.prefix() + name }

// output is the name of a stack's output.
func (s scope) output(name string) string {
	if s.name == "" {
		return name
	}
	return s.name + "." + name
}

// stackReference refers to a stack by its full name.
func (s scope) stackReference(ctx *pulumi.Context, stack string) (*pulumi.StackReference, error) {
	return pulumi.NewStackReference(ctx, s.resource(stack), &pulumi.StackReferenceArgs{Name: pulumi.String(stack)})
}

// options are those of what belonged to no component in earlier versions.
func (s scope) options(parent pulumi.Resource) pulumi.ResourceOption {
	if s.name != "" {
		return pulumi.Parent(parent)
	}
	return pulumi.Composite(pulumi.Parent(parent), pulumi.Aliases([]pulumi.Alias{{NoParent: pulumi.Bool(true)}}))
}

// texts is the scope for texts, whose commands are written for the project's own configuration.
func (s scope) texts() textscope.Scope {
	if s.name == "" {
		return textscope.Scope{Config: s.config}
	}
	return textscope.Scope{Config: s.config, Rollout: s.config, Output: s.name}
}

// commands puts the rollout into the commands of a text.
func (s scope) commands(text string) string { return s.texts().Commands(text) }

// explain is the error with its commands.
func (s scope) explain(err error) error { return s.texts().Error(err) }
