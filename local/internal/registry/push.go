package registry

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Push uploads the image under repository:tag of a plain HTTP registry and returns repository@digest.
func Push(ctx context.Context, image v1.Image, registry, repository, tag string) (string, error) {
	ref, err := name.NewTag(registry+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		return "", err
	}
	if err := remote.Write(ref, image, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	return ref.Digest(digest.String()).String(), nil
}

// Exists reports whether the registry holds the reference, repository@digest or repository:tag.
func Exists(ctx context.Context, reference string) bool {
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		return false
	}
	_, err = remote.Head(ref, remote.WithContext(ctx))
	return err == nil
}
