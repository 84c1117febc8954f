package policy

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

func imagePolicies() []Policy {
	return []Policy{
		{
			Name:        "image-digest",
			Description: "Every image is named by digest, so that what was tested is what runs.",
			Resource:    eachContainer(imageDigest),
		},
		{
			Name:        "image-registry",
			Description: "Images come from allowed registries.",
			Limits: []Limit{{
				Name: "registries",
				Description: "Allowed beginnings of an image's full name. docker.io/ stands before a name without a registry; " +
					"the default also allows a registry on the node itself.",
				Default: []string{"docker.io/vextrus/", "ghcr.io/vextrus/", "localhost:", "127.0.0.1:"},
			}},
			Resource: imageRegistry,
		},
	}
}

var digestPattern = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

func imageDigest(_ property.Value, c container) string {
	image := at(c.Value, "image")
	switch {
	case unknown(image):
		return ""
	case text(image) == "":
		return "it has no image; name one by digest, as NAME@sha256:…"
	case strings.HasSuffix(nameAndTag(text(image)), ":latest"):
		return fmt.Sprintf("image %q says latest, which is another image tomorrow; "+
			"name a release by digest, for example `pulumi config set image vextrus/finance@sha256:…`", text(image))
	case !digestPattern.MatchString(text(image)):
		return fmt.Sprintf("image %q is not named by digest, and its tag may be moved; "+
			"name it as NAME@sha256:…, or let the program resolve the tag by `pulumi config set image NAME:TAG`", text(image))
	}
	return ""
}

func nameAndTag(image string) string {
	name, _, _ := strings.Cut(image, "@")
	return name
}

func imageRegistry(r Resource, limits Limits) []string {
	allowed := limits.words("registries")
	return eachContainer(func(_ property.Value, c container) string {
		image := text(at(c.Value, "image"))
		if image == "" {
			return ""
		}
		full := fullName(image)
		for _, prefix := range allowed {
			if strings.HasPrefix(full, prefix) {
				return ""
			}
		}
		return fmt.Sprintf("image %q comes from %s; allowed are %s: push it there, or add its registry to `registries` of "+
			"image-registry in the pack's configuration",
			image, full[:strings.LastIndex(full, "/")+1], strings.Join(allowed, ", "))
	})(r, limits)
}

// fullName puts the registry before the name of an image that has none, as container runtimes do.
func fullName(image string) string {
	first, _, nested := strings.Cut(image, "/")
	switch {
	case nested && (strings.ContainsAny(first, ".:") || first == "localhost"):
		return image
	case nested:
		return "docker.io/" + image
	default:
		return "docker.io/library/" + image
	}
}
