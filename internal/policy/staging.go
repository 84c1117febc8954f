package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/names"
)

func stagingPolicies(facts Facts) []Policy {
	level := Mandatory
	if facts.Preview {
		// A pull request comes before staging has seen its image, and must not fail for that.
		level = Advisory
	}
	return []Policy{{
		Name:        "staging-verified",
		Description: "Staging has verified the very image that a canary brings into production.",
		Level:       level,
		Limits: []Limit{{
			Name:        "environments",
			Description: "Values of the environment label that the rule is for.",
			Default:     []string{production},
		}},
		Resource: stagingVerified,
	}}
}

// stagingVerified compares the image of a canary with the digest that the program noted on its Deployment.
func stagingVerified(r Resource, limits Limits) []string {
	canaries := canariesOf([]Resource{r})
	if len(canaries) == 0 || !slices.Contains(limits.words("environments"), canaries[0].environment) {
		return nil
	}
	pod, _ := r.pod()
	verified := r.at("metadata", "annotations", names.StagingVerified)
	if unknown(verified) {
		return nil
	}
	return eachContainer(func(_ property.Value, c container) string {
		_, digest, byDigest := strings.Cut(text(at(c.Value, "image")), "@")
		// Another container of the pod comes from elsewhere and is named by digest: image-digest sees to it.
		if !byDigest || c.where != mainContainer(pod, canaries[0].app) || digest == text(verified) {
			return ""
		}
		return fmt.Sprintf("staging has not verified %s; run `pulumi up -s staging` with this image first, and keep the "+
			"check on: `pulumi config set --path staging.required true`", digest)
	})(r, limits)
}

// mainContainer names the container with the app's name, or the only one.
func mainContainer(pod property.Value, app string) string {
	all, list := items(at(pod, keyContainers)), containersOf(pod, keyContainers)
	for _, c := range list {
		if text(at(c.Value, "name")) == app {
			return c.where
		}
	}
	if len(all) == 1 && len(list) == 1 {
		return list[0].where
	}
	return ""
}
