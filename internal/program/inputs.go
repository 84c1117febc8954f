package program

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// inputs are all that an update gathers before it makes its move.
type inputs struct {
	// image is the release's, stableImage the stable track's; nil for none. Both are references by digest.
	image, stableImage pulumi.StringInput
	// digests are those of the images, for the move. That of an image which the update builds becomes known later.
	digests shift.Images
	// guardImage is the guard's, by digest; empty where no guard watches.
	guardImage string
	// staging is the word of the staging stack.
	staging advance.Staging
	// checksum changes when a secret or a configuration value does.
	checksum string
}

// gather asks the staging stack, resolves the images, and hashes secrets and configuration.
func gather(ctx *pulumi.Context, s *settings.Settings, cluster Cluster, deps Deps) (inputs, error) {
	word, verified, err := staging(ctx, s)
	if err != nil {
		return inputs{}, err
	}
	source := imageSource{ctx: ctx, settings: s, cluster: cluster, resolve: deps.Resolve}
	in, err := source.images(word, verified)
	if err != nil {
		return inputs{}, err
	}
	in.staging = word
	in.checksum, err = checksum(s)
	return in, err
}

// staging reads which image the staging stack has verified, where the move may need it: its word for the gate, and the
// image's reference.
func staging(ctx *pulumi.Context, s *settings.Settings) (word advance.Staging, verified string, err error) {
	if s.IsSingle() || !s.Staging.Required || !s.HasCanary() {
		return advance.Staging{}, "", nil
	}
	word = advance.Staging{Required: true, Stack: s.Staging.Stack}
	name := s.Staging.Stack
	if !strings.Contains(name, "/") {
		name = ctx.Organization() + "/" + ctx.Project() + "/" + name
	}
	reference, err := pulumi.NewStackReference(ctx, name, nil)
	if err != nil {
		return word, "", fmt.Errorf("config staging.stack: stack %s: %w", name, err)
	}
	// The answer is awaited here: a hook cannot ask the engine.
	details, err := reference.GetOutputDetails("verifiedImage")
	if err != nil {
		word.Err = err
		return word, "", nil
	}
	verified, _ = details.Value.(string)
	word.Verified = names.Digest(verified)
	return word, verified, nil
}
