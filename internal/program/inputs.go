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
	// key is that of identities, and identities are what the configuration makes of each track.
	key        keyed
	identities shift.Identities
}

// compared are the identities that the move is judged by; none where the key is unknown.
func (in inputs) compared() shift.Identities {
	if in.key.unknown {
		return shift.Identities{}
	}
	return in.identities
}

// gather asks the staging stack, resolves the images, and hashes secrets and configuration.
func (p *program) gather(deps Deps) (inputs, error) {
	s := p.settings
	word, verified, err := staging(p.ctx, p.scope, s)
	if err != nil {
		return inputs{}, err
	}
	source := imageSource{ctx: p.ctx, settings: s, cluster: p.cluster, resolve: deps.Resolve, log: p.log(),
		name: p.scope.resource("image"), options: p.inComponent}
	in, err := source.images(word, verified)
	if err != nil {
		return inputs{}, err
	}
	in.staging = word
	if in.checksum, err = checksum(s); err != nil {
		return in, err
	}
	if in.key, err = readKey(p.ctx, s, p.cluster); err != nil {
		return in, err
	}
	in.identities, err = identities(s, in.key.key)
	return in, err
}

// staging reads which image the staging stack has verified, where the move may need it: its word for the gate, and the
// image's reference.
func staging(ctx *pulumi.Context, of scope, s *settings.Settings) (word advance.Staging, verified string, err error) {
	if s.IsSingle() || !s.Staging.Required || !s.HasCanary() {
		return advance.Staging{}, "", nil
	}
	word = advance.Staging{Required: true, Stack: s.Staging.Stack}
	name := s.Staging.Stack
	if !strings.Contains(name, "/") {
		name = ctx.Organization() + "/" + ctx.Project() + "/" + name
	}
	reference, err := of.stackReference(ctx, name)
	if err != nil {
		return word, "", fmt.Errorf("config staging.stack: stack %s: %w", name, err)
	}
	// The answer is awaited here: a hook cannot ask the engine.
	details, err := reference.GetOutputDetails(of.output("verifiedImage"))
	if err != nil {
		word.Err = err
		return word, "", nil
	}
	verified, _ = details.Value.(string)
	word.Verified = names.Digest(verified)
	return word, verified, nil
}
