package main

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/names"
)

// images gives the image of the release and that of the stable track, each by digest, and tells the shift of both.
func (s *stack) images() (image, stableImage pulumi.StringInput, err error) {
	if s.settings.StableImage != "" && !s.settings.IsSingle() {
		ref, err := s.edges.resolve(s.ctx.Context(), s.settings.StableImage, s.settings.Registry)
		if err != nil {
			return nil, nil, fmt.Errorf("config stableImage: %w", err)
		}
		stableImage = pulumi.String(ref)
		s.hooks.shift.stable = known(names.Digest(ref))
	}
	s.hooks.shift.canary = known("")
	switch {
	case s.settings.Build.Context != "":
		built, err := components.NewImage(s.ctx, "image", &components.ImageArgs{
			Name: s.settings.Image, Build: s.settings.Build, Registry: s.settings.Registry,
		})
		if err != nil {
			return nil, nil, err
		}
		digest := newPending()
		s.hooks.shift.canary = digest
		image = built.Ref.ApplyT(func(ref string) string {
			digest.set(names.Digest(ref))
			return ref
		}).(pulumi.StringOutput)
	case s.settings.Image != "":
		ref, err := s.edges.resolve(s.ctx.Context(), s.settings.Image, s.settings.Registry)
		if err != nil {
			return nil, nil, fmt.Errorf("config image: %w", err)
		}
		image = pulumi.String(ref)
		s.hooks.shift.canary = known(names.Digest(ref))
	}
	return image, stableImage, nil
}

// staging reads what the staging stack has verified, when the move may need its word.
func (s *stack) staging() error {
	wanted := s.settings.Staging
	if s.settings.IsSingle() || !wanted.Required || !s.settings.HasCanary() {
		return nil
	}
	staging := &s.hooks.shift.staging
	staging.Required, staging.Stack = true, wanted.Stack
	name := wanted.Stack
	if !strings.Contains(name, "/") {
		name = s.ctx.Organization() + "/" + s.ctx.Project() + "/" + name
	}
	reference, err := pulumi.NewStackReference(s.ctx, name, nil)
	if err != nil {
		return fmt.Errorf("config staging.stack: stack %s: %w", name, err)
	}
	// The answer is waited for here: a hook cannot ask the engine.
	details, err := reference.GetOutputDetails("verifiedImage")
	if err != nil {
		staging.Err = err
		return nil
	}
	verified, _ := details.Value.(string)
	staging.Verified = names.Digest(verified)
	return nil
}

// stagingVerified gives the digest of the canary's image when staging has verified it: it has now, or it had when the
// image was let in and has gone on to another one since. Empty otherwise.
func (s *stack) stagingVerified(image pulumi.StringInput) pulumi.StringInput {
	return image.ToStringOutput().ApplyT(func(reference string) string {
		digest := names.Digest(reference)
		if digest == "" || digest == s.hooks.shift.staging.Verified || s.hooks.shift.entered(s.ctx.Context(), digest) {
			return digest
		}
		return ""
	}).(pulumi.StringOutput)
}
