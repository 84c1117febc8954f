package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/redact"
)

// Build asks for an image build, on a stack with one track. An empty Context means that no build is wanted. Dockerfile
// is relative to Context.
type Build struct {
	Context    string `json:"context"`
	Dockerfile string `json:"dockerfile"`
	Target     string `json:"target"`
	// Platform is one platform, or several with commas between them.
	Platform string `json:"platform"`
	// Args are build arguments. They stay in the image's history.
	Args Values `json:"args"`
	// Secrets are build secrets by their ids. A RUN instruction mounts them, and no layer keeps them.
	Secrets map[string]Secret `json:"secrets"`
	// CacheFrom are images to take layers from, CacheTo are images to keep them in.
	CacheFrom []string `json:"cacheFrom"`
	CacheTo   []string `json:"cacheTo"`
}

// Platforms are the platforms that the image is built for.
func (b Build) Platforms() []string {
	var platforms []string
	for platform := range strings.SplitSeq(b.Platform, ",") {
		if platform = strings.TrimSpace(platform); platform != "" {
			platforms = append(platforms, platform)
		}
	}
	return platforms
}

// NeedsBuildKit reports whether the build asks for what a Docker daemon alone does not do: secrets, several platforms
// and a cache that is written.
func (b Build) NeedsBuildKit() bool {
	return len(b.Secrets) > 0 || len(b.CacheTo) > 0 || len(b.Platforms()) > 1
}

// validateBuild checks what the provider would refuse halfway through an update, or not at all.
func (s *Settings) validateBuild(errs *problems) {
	if !s.IsSingle() {
		errs.add("build.context", s.Build.Context, errs.remove("build"), "builds belong to stacks with strategy %q: the "+
			"staging stack builds and verifies an image, and a stack with a canary takes that one", StrategySingle)
		return
	}
	s.validateBuiltName(errs)
	s.Build.validate(errs)
	s.Build.validateSecrets(errs, s.buildEncrypted)
}

// validateBuiltName checks the name under which the image is pushed.
func (s *Settings) validateBuiltName(errs *problems) {
	example := "registry.example.com/vextrus/finance:TAG"
	if host := s.Registry.Server; registryHost.MatchString(host) {
		example = host + "/vextrus/finance:TAG"
	}
	host, repository, _ := strings.Cut(s.Image, "/")
	switch {
	case s.Image == "":
		errs.add("image", "", errs.set("image", example), "no image is given; it names what is built and pushed")
	case strings.Contains(s.Image, "@"):
		errs.add("image", s.Image, errs.set("image", example), "an image that is built is named by a tag, not by a digest")
	case !isHost(host) || host == "index.docker.io" || repository == "":
		errs.add("image", s.Image, errs.set("image", example), "an image that is built is pushed: its name "+
			"begins with the host of a registry, such as docker.io/vextrus/finance:TAG")
	case host == "docker.io" && !strings.Contains(repository, "/"):
		errs.add("image", s.Image, errs.set("image", "docker.io/library/"+repository), "on docker.io a name has "+
			"a user or an organization, or library")
	case !builtName.MatchString(s.Image):
		errs.add("image", s.Image, errs.set("image", example), "allowed are lower case letters, digits, ., _ "+
			"and - between slashes, and a tag behind a colon")
	case s.Registry.Username != "" && s.Registry.Server != "" && serverHost(s.Registry.Server) != host:
		errs.add("registry.server", s.Registry.Server, errs.setPath("registry.server", host),
			"the image is pushed to %s, and the credentials are for another registry", host)
	}
}

// validate checks what is built, and of what.
func (b Build) validate(errs *problems) {
	if strings.Contains(b.Context, "://") || strings.HasPrefix(b.Context, "git@") {
		errs.add("build.context", redact.Text(b.Context, nil), errs.setPath("build.context", "../finance"), "a folder of "+
			"this machine is needed: check the repository out, and name its folder")
	}
	platforms := b.Platforms()
	if len(platforms) == 0 {
		errs.add("build.platform", b.Platform, errs.setPath("build.platform", "linux/amd64"), "no platform is given")
	}
	for _, platform := range platforms {
		if !platformName.MatchString(platform) {
			errs.add("build.platform", b.Platform, errs.setPath("build.platform", "linux/amd64"), "%q is no platform: "+
				"allowed are os/architecture and os/architecture/variant, several with commas between them", platform)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		if redact.KindOf(name, b.Args[name]) != "" {
			errs.add("build.args."+name, "", errs.remove("build.args."+name)+" && "+errs.setSecret("build.secrets."+name),
				"this looks like a credential, and a build argument stays in the image's history; a build secret does not: "+
					"RUN --mount=type=secret,id=%s reads it", name)
		}
	}
	for key, images := range map[string][]string{"build.cacheFrom": b.CacheFrom, "build.cacheTo": b.CacheTo} {
		for i, image := range images {
			if host, _, _ := strings.Cut(image, "/"); !isHost(host) || !builtName.MatchString(image) {
				path := fmt.Sprintf("%s[%d]", key, i)
				errs.add(path, image, errs.setPath(path, "registry.example.com/vextrus/finance:cache"),
					"an image with the host of its registry and a tag is needed")
			}
		}
	}
}

// validateSecrets checks the build's secrets; encrypted tells that they are so in the stack's file.
func (b Build) validateSecrets(errs *problems, encrypted bool) {
	for _, id := range slices.Sorted(maps.Keys(b.Secrets)) {
		path := "build.secrets." + id
		switch {
		case !secretID.MatchString(id):
			errs.add(path, "", errs.remove("build.secrets"), "no id for a secret: allowed are letters, digits, ., _ and -")
		case b.Secrets[id].IsPlaceholder():
			errs.add(path, "", errs.setSecret(path), "empty, or still a placeholder")
		case !encrypted:
			errs.add(path, "", errs.setSecret(path), "its value lies in the stack's file in plain text")
		}
	}
}

var (
	platformName = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$`)
	secretID     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
)
