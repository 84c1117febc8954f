package program

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
)

// imageSource is where the images of an update come from: the registry, the staging stack, or the update itself.
type imageSource struct {
	ctx      *pulumi.Context
	settings *settings.Settings
	cluster  Cluster
	resolve  func(ctx context.Context, image string, registry settings.Registry) (string, error)
	log      log
	// name is that of the image's component, options are its further ones.
	name    string
	options func() (pulumi.ResourceOption, error)
}

// images resolves the images of both tracks and of the guard.
func (i imageSource) images(word advance.Staging, verified string) (in inputs, err error) {
	s := i.settings
	in.digests = shift.Images{Canary: shift.KnownDigest(""), Stable: shift.KnownDigest("")}
	if s.StableImage != "" && !s.IsSingle() {
		image, err := i.resolved("stableImage", s.StableImage)
		if err != nil {
			return in, err
		}
		in.stableImage, in.digests.Stable = pulumi.String(image), shift.KnownDigest(names.Digest(image))
	}
	reference := s.Image
	if s.ImageFromStaging() {
		if reference, err = i.fromStaging(word, verified); err != nil {
			return in, err
		}
	}
	switch {
	case s.Build.Context != "":
		if in.image, in.digests.Canary, err = i.build(); err != nil {
			return in, err
		}
	case reference != "":
		image, err := i.resolved("image", reference)
		if err != nil {
			return in, err
		}
		in.image, in.digests.Canary = pulumi.String(image), shift.KnownDigest(names.Digest(image))
	}
	if s.IsGuarded() && in.image != nil {
		in.guardImage, err = i.resolved("guard.image", s.Guard.Image)
	}
	return in, err
}

// resolved is an image of the configuration by its digest.
func (i imageSource) resolved(key, reference string) (string, error) {
	image, err := i.resolve(i.ctx.Context(), reference, i.settings.Registry)
	if err != nil {
		return "", fmt.Errorf("config %s: %w", key, err)
	}
	return image, nil
}

// fromStaging is the image of a stack that names none: what staging has verified. A release that lives keeps its image
// when staging goes on to the next one.
func (i imageSource) fromStaging(word advance.Staging, verified string) (string, error) {
	stack, s := i.ctx.Stack(), i.settings
	if word.Err != nil {
		return "", fmt.Errorf("config image is empty, which means the image that stack %s has verified, and that "+
			"stack cannot be read: %w: `pulumi config set image IMAGE -s %s`", word.Stack, word.Err, stack)
	}
	if word.Verified == "" {
		return "", fmt.Errorf("config image is empty, which means the image that stack %[1]s has verified, and it "+
			"has verified none: `pulumi up -s %[1]s`, or `pulumi config set image IMAGE -s %[2]s`", word.Stack, stack)
	}
	living := ""
	if history, err := ledger.Read(i.ctx.Context(), rollout.LedgerIn(i.cluster, s)); err == nil {
		// The gate reports a ledger that cannot be read.
		living = history.State().LivingImage()
	}
	if living == "" || living == word.Verified {
		return verified, i.log.Info(fmt.Sprintf("image: %s, which stack %s has verified", verified, word.Stack))
	}
	record, _, err := i.cluster.ConfigMap(i.ctx.Context(), s.Namespace, names.Record(s.App))
	reference := record["image"]
	if err != nil || names.Digest(reference) != living {
		reference = names.Repository(verified) + "@" + living
	}
	return reference, i.log.Info(fmt.Sprintf("image: %s, which is on trial; stack %s has verified %s "+
		"since, which can enter once the release is at 0 %%", reference, word.Stack, verified))
}

// build registers the image that the update builds. Its digest becomes known when it is pushed and the registry has
// confirmed it.
func (i imageSource) build() (pulumi.StringInput, *shift.Digest, error) {
	s := i.settings
	if i.ctx.DryRun() {
		note := fmt.Sprintf("image: %s is built from %s; the update builds and pushes it where its sources have changed, "+
			"and its digest is known then", s.Image, s.Build.Context)
		if err := i.log.Info(note); err != nil {
			return nil, nil, err
		}
	}
	options, err := i.options()
	if err != nil {
		return nil, nil, err
	}
	image, err := components.NewImage(i.ctx, i.name, &components.ImageArgs{
		Name: s.Image, Build: s.Build, Registry: s.Registry,
	}, options)
	if err != nil {
		return nil, nil, err
	}
	digest := shift.NewDigest()
	reference := image.Ref.ApplyT(func(reference string) (string, error) {
		if err := i.confirm(reference); err != nil {
			return "", err
		}
		digest.Set(names.Digest(reference))
		return reference, nil
	}).(pulumi.StringOutput)
	return reference, digest, nil
}

// confirm asks the registry which image has the tag that was built. Providers report what their daemon's store says of
// a push, which may be another image of the same repository.
func (i imageSource) confirm(reported string) error {
	s := i.settings
	digest := names.Digest(reported)
	if !strings.HasPrefix(digest, "sha256:") {
		return fmt.Errorf("image %s: the build reports no digest of what it pushed, but %q: look into the daemon's log, "+
			"then `pulumi up -s %s`", s.Image, reported, i.ctx.Stack())
	}
	there, err := i.resolve(i.ctx.Context(), s.Image, s.Registry)
	if err != nil {
		return fmt.Errorf("the image that was pushed: %w", err)
	}
	if names.Digest(there) != digest {
		return fmt.Errorf("image %[1]s: the build reports %[2]s, and the registry has %[3]s under this tag: somebody has "+
			"pushed over it since, or the report is wrong. Build under a tag that nobody else uses: `pulumi config set image "+
			"%[4]s:TAG -s %[5]s`", s.Image, digest, names.Digest(there), names.Repository(s.Image), i.ctx.Stack())
	}
	return nil
}
