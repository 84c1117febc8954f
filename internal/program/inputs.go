package program

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
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

// gather resolves the images, asks the staging stack and hashes secrets and configuration.
func gather(ctx *pulumi.Context, s *settings.Settings, deps Deps) (inputs, error) {
	in, err := images(ctx, s, deps)
	if err != nil {
		return inputs{}, err
	}
	if in.staging, err = staging(ctx, s); err != nil {
		return inputs{}, err
	}
	in.checksum, err = checksum(s)
	return in, err
}

// images resolves the images of both tracks and of the guard.
func images(ctx *pulumi.Context, s *settings.Settings, deps Deps) (in inputs, err error) {
	in.digests = shift.Images{Canary: shift.KnownDigest(""), Stable: shift.KnownDigest("")}
	resolve := func(key, reference string) (string, error) {
		image, err := deps.Resolve(ctx.Context(), reference, s.Registry)
		if err != nil {
			return "", fmt.Errorf("config %s: %w", key, err)
		}
		return image, nil
	}
	if s.StableImage != "" && !s.IsSingle() {
		image, err := resolve("stableImage", s.StableImage)
		if err != nil {
			return in, err
		}
		in.stableImage, in.digests.Stable = pulumi.String(image), shift.KnownDigest(names.Digest(image))
	}
	switch {
	case s.Build.Context != "":
		if in.image, in.digests.Canary, err = build(ctx, s); err != nil {
			return in, err
		}
	case s.Image != "":
		image, err := resolve("image", s.Image)
		if err != nil {
			return in, err
		}
		in.image, in.digests.Canary = pulumi.String(image), shift.KnownDigest(names.Digest(image))
	}
	if s.IsGuarded() && !s.IsSingle() && in.image != nil {
		in.guardImage, err = resolve("guard.image", s.Guard.Image)
	}
	return in, err
}

// build registers the image that the update builds. Its digest becomes known when it is pushed.
func build(ctx *pulumi.Context, s *settings.Settings) (pulumi.StringInput, *shift.Digest, error) {
	image, err := components.NewImage(ctx, "image", &components.ImageArgs{
		Name: s.Image, Build: s.Build, Registry: s.Registry,
	})
	if err != nil {
		return nil, nil, err
	}
	digest := shift.NewDigest()
	reference := image.Ref.ApplyT(func(reference string) string {
		digest.Set(names.Digest(reference))
		return reference
	}).(pulumi.StringOutput)
	return reference, digest, nil
}

// staging reads which image the staging stack has verified, where the move may need it.
func staging(ctx *pulumi.Context, s *settings.Settings) (advance.Staging, error) {
	if s.IsSingle() || !s.Staging.Required || !s.HasCanary() {
		return advance.Staging{}, nil
	}
	word := advance.Staging{Required: true, Stack: s.Staging.Stack}
	name := s.Staging.Stack
	if !strings.Contains(name, "/") {
		name = ctx.Organization() + "/" + ctx.Project() + "/" + name
	}
	reference, err := pulumi.NewStackReference(ctx, name, nil)
	if err != nil {
		return word, fmt.Errorf("config staging.stack: stack %s: %w", name, err)
	}
	// The answer is awaited here: a hook cannot ask the engine.
	details, err := reference.GetOutputDetails("verifiedImage")
	if err != nil {
		word.Err = err
		return word, nil
	}
	verified, _ := details.Value.(string)
	word.Verified = names.Digest(verified)
	return word, nil
}
