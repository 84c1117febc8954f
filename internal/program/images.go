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
		return verified, i.ctx.Log.Info(fmt.Sprintf("image: %s, which stack %s has verified", verified, word.Stack), nil)
	}
	record, _, err := i.cluster.ConfigMap(i.ctx.Context(), s.Namespace, names.Record(s.App))
	reference := record["image"]
	if err != nil || names.Digest(reference) != living {
		reference = repository(verified) + "@" + living
	}
	return reference, i.ctx.Log.Info(fmt.Sprintf("image: %s, which is on trial; stack %s has verified %s "+
		"since, which can enter once the release is at 0 %%", reference, word.Stack, verified), nil)
}

// repository is a reference without its tag and digest.
func repository(reference string) string {
	base, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndex(base, ":"); colon > strings.LastIndex(base, "/") {
		return base[:colon]
	}
	return base
}

// build registers the image that the update builds. Its digest becomes known when it is pushed.
func (i imageSource) build() (pulumi.StringInput, *shift.Digest, error) {
	s := i.settings
	image, err := components.NewImage(i.ctx, "image", &components.ImageArgs{
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
