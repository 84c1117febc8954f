package settings

import (
	"regexp"
	"strings"
)

// ImageFromStaging reports whether the canary's image is the one that the staging stack has verified: the stack has a
// canary, names no image, and asks for one that staging has verified.
func (s *Settings) ImageFromStaging() bool {
	return s.Image == "" && s.HasCanary() && s.Staging.Required && s.Staging.Stack != ""
}

func (s *Settings) validateImages(found *problems) {
	if s.Build.Context != "" {
		s.validateBuild(found)
	} else if s.Image == "" && (s.IsSingle() || s.HasCanary() && !s.ImageFromStaging()) {
		found.add("image", "", found.set("image", "vextrus/finance:TAG"), "no image is given; it names the release")
	}
	if s.StableImage == "" && !s.IsSingle() {
		found.add("stableImage", "", found.set("stableImage", "vextrus/finance@sha256:DIGEST"),
			"no image is given; it names what runs on the stable track")
	}
	s.validateRegistry(found)
}

// validateBuild checks what the Docker provider would refuse halfway through an update, or not at all.
func (s *Settings) validateBuild(found *problems) {
	example := "registry.example.com/vextrus/finance:TAG"
	if host := s.Registry.Server; registryHost.MatchString(host) {
		example = host + "/vextrus/finance:TAG"
	}
	host, repository, _ := strings.Cut(s.Image, "/")
	switch {
	case !s.IsSingle():
		found.add("build.context", s.Build.Context, found.remove("build"), "builds belong to stacks with strategy %q: the "+
			"staging stack builds and verifies an image, and a stack with a canary takes that one", StrategySingle)
	case s.Image == "":
		found.add("image", "", found.set("image", example), "no image is given; it names what is built and pushed")
	case strings.Contains(s.Image, "@"):
		found.add("image", s.Image, found.set("image", example), "an image that is built is named by a tag, not by a digest")
	case !isHost(host) || host == "index.docker.io" || repository == "":
		found.add("image", s.Image, found.set("image", example), "an image that is built is pushed: its name "+
			"begins with the host of a registry, such as docker.io/vextrus/finance:TAG")
	case host == "docker.io" && !strings.Contains(repository, "/"):
		found.add("image", s.Image, found.set("image", "docker.io/library/"+repository), "on docker.io a name has "+
			"a user or an organization, or library")
	case !builtName.MatchString(s.Image):
		found.add("image", s.Image, found.set("image", example), "allowed are lower case letters, digits, ., _ "+
			"and - between slashes, and a tag behind a colon")
	case s.Registry.Username != "" && s.Registry.Server != "" && serverHost(s.Registry.Server) != host:
		found.add("registry.server", s.Registry.Server, found.setPath("registry.server", host),
			"the image is pushed to %s, and the credentials are for another registry", host)
	}
}

// validateRegistry checks the credentials, which the push and the pods' pull secret name by the registry's host.
func (s *Settings) validateRegistry(found *problems) {
	r := s.Registry
	switch {
	case r.Server == "" && (r.Password != "" || r.Username != "" && s.Build.Context != ""):
		found.add("registry.server", "", found.setPath("registry.server", "registry.example.com"),
			"missing; it is the host of the registry that the credentials are for")
	case r.Server != "" && r.Server != dockerHub && !registryHost.MatchString(r.Server):
		found.add("registry.server", r.Server, found.setPath("registry.server", "registry.example.com"),
			"allowed is a host, with a port where it has one of its own, or %s", dockerHub)
	case s.Build.Context != "" && (r.Username == "") != (r.Password == ""):
		found.add("registry.username", "", found.setPath("registry.username", "NAME"),
			"username and password are needed both, or neither for this machine's credentials")
	}
}

// dockerHub is what the container tools call the registry docker.io.
const dockerHub = "https://index.docker.io/v1/"

// serverHost is the host in the images' names of a registry's server.
func serverHost(server string) string {
	if server == dockerHub || server == "index.docker.io" {
		return "docker.io"
	}
	return server
}

// isHost tells a registry's host from the first part of a repository's name, as the container tools do.
func isHost(text string) bool {
	return registryHost.MatchString(text) && (strings.ContainsAny(text, ".:") || text == "localhost")
}

var (
	registryHost = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?$`)
	builtName    = regexp.MustCompile(
		`^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
)
