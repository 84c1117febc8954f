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

func (s *Settings) validateImages(errs *problems) {
	if s.Build.Context != "" {
		s.validateBuild(errs)
	} else if s.Image == "" && (s.IsSingle() || s.HasCanary() && !s.ImageFromStaging()) {
		errs.add("image", "", errs.set("image", "vextrus/finance:TAG"), "no image is given; it names the release")
	}
	if s.StableImage == "" && !s.IsSingle() {
		errs.add("stableImage", "", errs.set("stableImage", "vextrus/finance@sha256:DIGEST"),
			"no image is given; it names what runs on the stable track")
	}
	s.validateRegistry(errs)
}

// validateRegistry checks the credentials, which the push and the pods' pull secret name by the registry's host.
func (s *Settings) validateRegistry(errs *problems) {
	r := s.Registry
	switch {
	case r.Server == "" && (r.Password != "" || r.Username != "" && s.Build.Context != ""):
		errs.add("registry.server", "", errs.setPath("registry.server", "registry.example.com"),
			"missing; it is the host of the registry that the credentials are for")
	case r.Server != "" && r.Server != dockerHub && !registryHost.MatchString(r.Server):
		errs.add("registry.server", r.Server, errs.setPath("registry.server", "registry.example.com"),
			"allowed is a host, with a port where it has one of its own, or %s", dockerHub)
	case s.Build.Context != "" && (r.Username == "") != (r.Password == ""):
		errs.add("registry.username", "", errs.setPath("registry.username", "NAME"),
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
