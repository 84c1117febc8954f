// Package image resolves an image reference to the digest that it names now, so that what is deployed cannot change
// under a tag. It talks to registries and to nothing else: it may import neither Kubernetes nor Pulumi.
package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// DefaultTimeout bounds the whole resolution unless Options.Timeout is set.
const DefaultTimeout = 30 * time.Second

// Options say how to ask the registry. The zero value uses the credentials of the container tools' configuration
// (~/.docker/config.json and its helpers), or none.
type Options struct {
	// Username and Password authenticate at the registry. Both or neither.
	Username string
	Password string
	// Platform, such as "linux/amd64", resolves an index to the image of that platform. Empty keeps the index: the node
	// then chooses.
	Platform string
	// Timeout bounds the whole resolution; 0 means DefaultTimeout.
	Timeout time.Duration
	// Transport is used instead of the default one; for tests and proxies.
	Transport http.RoundTripper
}

// Ref is an image pinned to a digest.
type Ref struct {
	// Name is the repository as it was given, with its registry if that was given.
	Name string
	// Tag is the tag that was given; empty when the reference had none but a digest.
	Tag string
	// Digest is "sha256:" and 64 hexadecimal digits.
	Digest string
}

// String is name:tag@digest, or name@digest without a tag. The tag is for people; what is pulled is the digest.
func (r Ref) String() string {
	if r.Tag == "" {
		return r.Name + "@" + r.Digest
	}
	return r.Name + ":" + r.Tag + "@" + r.Digest
}

// Resolve gives the digest that the reference names now. A reference that has a digest already is not asked for: it
// needs no network. A reference must have a tag or a digest; there is no default tag.
//
// Errors name the reference, what the registry answered, and what to do.
func Resolve(ctx context.Context, reference string, options Options) (Ref, error) {
	pinned, tag, err := parse(reference)
	if err != nil || pinned.Digest != "" {
		return pinned, err
	}
	ask, err := remoteOptions(reference, options)
	if err != nil {
		return Ref{}, err
	}
	timeout := options.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	pinned.Digest, err = digest(tag, options.Platform != "", append(ask, remote.WithContext(ctx)))
	if err != nil {
		return Ref{}, explain(ctx, reference, tag, err)
	}
	return pinned, nil
}

// parse splits a reference. With a digest in it, the Ref is complete; otherwise the tag is what to ask for.
func parse(reference string) (Ref, name.Tag, error) {
	if reference == "" {
		return Ref{}, name.Tag{}, errors.New("image reference is empty: give one such as registry.example/team/app:1.2.3")
	}
	whole, err := name.ParseReference(reference)
	if err != nil {
		return Ref{}, name.Tag{}, fmt.Errorf("image reference %q is malformed: %w: give name:tag or name@sha256:digest",
			reference, err)
	}
	base, digest, hasDigest := strings.Cut(reference, "@")
	repository, tag := base, ""
	if colon := strings.LastIndex(base, ":"); colon > strings.LastIndex(base, "/") {
		repository, tag = base[:colon], base[colon+1:]
	}
	if hasDigest && !strings.HasPrefix(digest, "sha256:") {
		// The same image has another digest by each algorithm, and a latch is for one of them.
		return Ref{}, name.Tag{}, fmt.Errorf("image reference %q is malformed: its digest is not by sha256: give "+
			"name:tag or name@sha256:digest", reference)
	}
	if hasDigest {
		return Ref{Name: repository, Tag: tag, Digest: digest}, name.Tag{}, nil
	}
	asked, ok := whole.(name.Tag)
	if !ok || tag == "" {
		return Ref{}, name.Tag{}, fmt.Errorf("image reference %q has neither tag nor digest: a release needs one, for "+
			"example %s:1.2.3; "+
			"there is no default tag, not even latest", reference, repository)
	}
	return Ref{Name: repository, Tag: tag}, asked, nil
}

func remoteOptions(reference string, options Options) ([]remote.Option, error) {
	ask := []remote.Option{remote.WithUserAgent("finance-rollout")}
	switch {
	case options.Username != "" && options.Password != "":
		ask = append(ask, remote.WithAuth(&authn.Basic{Username: options.Username, Password: options.Password}))
	case options.Username != "" || options.Password != "":
		return nil, fmt.Errorf("credentials for %q are incomplete: set both username and password, or neither to use "+
			"those of the "+
			"container tools", reference)
	default:
		ask = append(ask, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	}
	if options.Platform != "" {
		platform, err := v1.ParsePlatform(options.Platform)
		if err != nil || platform.OS == "" || platform.Architecture == "" {
			return nil, fmt.Errorf("platform %q for image %q: want os/architecture, such as linux/amd64", options.Platform,
				reference)
		}
		ask = append(ask, remote.WithPlatform(*platform))
	}
	if options.Transport != nil {
		ask = append(ask, remote.WithTransport(options.Transport))
	}
	return ask, nil
}

// digest asks with HEAD, which counts against no pull limit, and with GET where a registry does not answer that
// fully, where it refuses (only the answer to GET says why), or where the manifest must be read to find the
// platform's image.
func digest(tag name.Tag, platform bool, ask []remote.Option) (string, error) {
	if !platform {
		if descriptor, err := remote.Head(tag, ask...); err == nil {
			return descriptor.Digest.String(), nil
		}
	}
	descriptor, err := remote.Get(tag, ask...)
	if err != nil {
		return "", err
	}
	if !platform {
		return descriptor.Digest.String(), nil
	}
	image, err := descriptor.Image()
	if err != nil {
		return "", err
	}
	hash, err := image.Digest()
	return hash.String(), err
}

// explain says what the registry answered and what to do.
func explain(ctx context.Context, reference string, tag name.Tag, err error) error {
	registry := tag.RegistryStr()
	answer, answered := errors.AsType[*transport.Error](err)
	switch {
	case !answered && ctx.Err() != nil:
		return fmt.Errorf("resolve image %q: registry %s: %w: check that it can be reached from here", reference, registry,
			context.Cause(ctx))
	case !answered:
		return fmt.Errorf("resolve image %q: registry %s: %w: check that it can be reached from here and that it has this "+
			"image",
			reference, registry, err)
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("resolve image %q: registry %s refuses access to %s (status %d): %w: check that the repository "+
			"exists, and "+
			"give credentials that may read it", reference, registry, tag.RepositoryStr(), answer.StatusCode, err)
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("resolve image %q: registry %s does not have %s:%s: %w: push it, or correct the reference",
			reference, registry, tag.RepositoryStr(), tag.TagStr(), err)
	default:
		return fmt.Errorf("resolve image %q: registry %s answered with status %d: %w: try again later", reference, registry,
			answer.StatusCode, err)
	}
}
