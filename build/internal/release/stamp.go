package release

import (
	"context"
	"regexp"
	"strings"
)

// Stamp is what a release is called: the same for everybody who builds the commit.
type Stamp struct {
	// Version is the tag of the commit, the newest if it has several; v0.0.0-REVISION without one.
	Version string
	// Revision is the commit.
	Revision string
}

func (s Stamp) String() string { return s.Version + ", revision " + s.Revision }

// tagged are the tags that name a version.
var tagged = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// shortRevision is the part of a commit in the version of one without a tag, as in Go's pseudo-versions.
const shortRevision = 12

// StampOf is the stamp of the commit that a checkout stands at.
func StampOf(ctx context.Context, root string) (Stamp, error) {
	revision, err := output(ctx, root, nil, "git", "rev-parse", "HEAD")
	if err != nil {
		return Stamp{}, err
	}
	// Without the suffix, git takes v1.3.0-rc.1 for newer than v1.3.0.
	tags, err := output(ctx, root, nil, "git", "-c", "versionsort.suffix=-", "tag", "--points-at", "HEAD",
		"--sort=-version:refname")
	if err != nil {
		return Stamp{}, err
	}
	stamp := Stamp{Revision: strings.TrimSpace(revision)}
	stamp.Version = "v0.0.0-" + stamp.Revision[:min(shortRevision, len(stamp.Revision))]
	for tag := range strings.FieldsSeq(tags) {
		if tagged.MatchString(tag) {
			stamp.Version = tag
			break
		}
	}
	return stamp, nil
}

// Labels describe an image of the release, by the names of OCI's annotations.
func (s Stamp) Labels(title, source string) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title": title, "org.opencontainers.image.source": source,
		"org.opencontainers.image.version": s.Version, "org.opencontainers.image.revision": s.Revision,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
}
