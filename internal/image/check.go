package image

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Check asks the registry for an image, also where the reference has a digest, and gives the digest that it has. It
// is for knowing in advance whether a node will be able to pull it.
func Check(ctx context.Context, reference string, options Options) (string, error) {
	pinned, _, err := parse(reference)
	if err != nil {
		return "", err
	}
	if pinned.Digest == "" {
		resolved, err := Resolve(ctx, reference, options)
		return resolved.Digest, err
	}
	ask, err := remoteOptions(reference, options)
	if err != nil {
		return "", err
	}
	timeout := options.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	asked, err := name.NewDigest(pinned.Name + "@" + pinned.Digest)
	if err != nil {
		return "", fmt.Errorf("image reference %q is malformed: %w: give name:tag or name@sha256:digest", reference, err)
	}
	if _, err := remote.Head(asked, append(ask, remote.WithContext(ctx))...); err != nil {
		// Only the answer to GET says why.
		if _, err := remote.Get(asked, append(ask, remote.WithContext(ctx))...); err != nil {
			return "", explain(ctx, reference, asked.Context().Tag(pinned.Digest), err)
		}
	}
	return pinned.Digest, nil
}
