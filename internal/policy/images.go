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
				Description: "Allowed registries, and names in them, compared part by part. docker.io/ stands before a name " +
					"without a registry; the default also allows a registry on the node itself, at any port.",
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
