package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// imageRegistry compares an image's name with the allowed ones part by part: registry.example.com does not let in
// registry.example.com.evil.io.
func imageRegistry(r Resource, limits Limits) []string {
	allowed := limits.words("registries")
	return eachContainer(func(_ property.Value, c container) string {
		image := text(at(c.Value, "image"))
		if image == "" {
			return ""
		}
		parts, ok := partsOf(image)
		if !ok {
			return fmt.Sprintf("image %q is no name of an image; write REGISTRY/NAME@sha256:…", image)
		}
		for _, one := range allowed {
			if within(parts, one) {
				return ""
			}
		}
		return fmt.Sprintf("image %q comes from %s; allowed are %s: push it there, or add its registry to `registries` of "+
			"image-registry in the pack's configuration",
			image, strings.Join(parts[:len(parts)-1], "/")+"/", strings.Join(allowed, ", "))
	})(r, limits)
}

var (
	hostPattern = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|` +
		`\[[0-9a-f:]+\])(?::[0-9]+)?$`)
	namePattern = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$`)
	tagPattern  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// partsOf gives the registry of an image and the parts of its name, without tag and digest. The second result is false
// for what no container runtime takes.
func partsOf(image string) ([]string, bool) {
	name, digest, byDigest := strings.Cut(image, "@")
	if byDigest && (digest == "" || strings.ContainsAny(digest, "/@ ")) {
		return nil, false
	}
	last := strings.LastIndex(name, "/") + 1
	if base, tag, tagged := strings.Cut(name[last:], ":"); tagged {
		if !tagPattern.MatchString(tag) {
			return nil, false
		}
		name = name[:last] + base
	}
	parts := strings.Split(fullName(name), "/")
	parts[0] = registryName(parts[0])
	valid := len(parts) > 1 && hostPattern.MatchString(parts[0]) && !slices.ContainsFunc(parts[1:],
		func(part string) bool { return !namePattern.MatchString(part) })
	return parts, valid
}

// registryName is the one name of a registry that has several.
func registryName(host string) string {
	host = strings.ToLower(host)
	switch strings.TrimSuffix(host, ":443") {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return "docker.io"
	}
	return host
}

// within reports whether an image lies below an allowed name. A registry that ends with a colon stands for each of its
// ports.
func within(parts []string, allowed string) bool {
	wanted := strings.Split(strings.TrimSuffix(allowed, "/"), "/")
	if wanted[0] == "" || len(wanted) > len(parts) {
		return false
	}
	host := registryName(wanted[0])
	if strings.HasSuffix(host, ":") {
		if port, ok := strings.CutPrefix(parts[0], host); !ok || port == "" {
			return false
		}
	} else if parts[0] != host {
		return false
	}
	return slices.Equal(parts[1:len(wanted)], wanted[1:])
}

// fullName puts the registry before the name of an image that has none, as container runtimes do.
func fullName(image string) string {
	first, _, nested := strings.Cut(image, "/")
	switch {
	case nested && (strings.ContainsAny(first, ".:") || first == "localhost" || first != strings.ToLower(first)):
		return image
	case nested:
		return "docker.io/" + image
	default:
		return "docker.io/library/" + image
	}
}
