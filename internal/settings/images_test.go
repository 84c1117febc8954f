package settings

import (
	"errors"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// building is a stack with one track that builds its image.
func building(changes ...string) map[string]string {
	return production(append([]string{"strategy", "single", "release", "staging", "build", `{"context":"service"}`,
		"image", "registry.example.com/vextrus/finance:v2"}, changes...)...)
}

// problemsOf are the problems of a configuration by their keys.
func problemsOf(config map[string]string) map[string]*Error {
	_, err := Load("staging", testkit.Config(config))
	return problemsIn(err)
}

// problemsIn are the problems of an error by their keys.
func problemsIn(err error) map[string]*Error {
	byKey := map[string]*Error{}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			if problem, ok := errors.AsType[*Error](each); ok {
				byKey[problem.Key] = problem
			}
		}
	}
	return byKey
}

func TestWhatABuildNeeds(t *testing.T) {
	credentials := func(server string) string {
		return `{"server":"` + server + `","username":"robot","password":"push-me"}`
	}
	tests := []struct {
		name    string
		changes []string
		key     string
		fix     string
	}{
		{name: "a host"},
		{name: "a host with a port", changes: []string{"image", "localhost:5000/finance:v2"}},
		{name: "Docker Hub", changes: []string{"image", "docker.io/vextrus/finance:v2"}},
		{name: "our own former hint", changes: []string{"image", "vextrus/finance:v2"}, key: "image",
			fix: "pulumi config set image registry.example.com/vextrus/finance:TAG -s staging"},
		{name: "no repository", changes: []string{"image", "finance:v2"}, key: "image"},
		{name: "another name of Docker Hub", changes: []string{"image", "index.docker.io/vextrus/finance:v2"}, key: "image"},
		{name: "Docker Hub without an owner", changes: []string{"image", "docker.io/finance:v2"}, key: "image",
			fix: "pulumi config set image docker.io/library/finance:v2 -s staging"},
		{name: "no tag", changes: []string{"image", "registry.example.com/vextrus/finance"}, key: "image"},
		{name: "a port and no tag", changes: []string{"image", "registry.example.com:5000/vextrus/finance"}, key: "image"},
		{name: "capitals", changes: []string{"image", "registry.example.com/Vextrus/finance:v2"}, key: "image"},
		{name: "a digest", changes: []string{"image", "registry.example.com/f@sha256:" + strings.Repeat("a", 64)},
			key: "image"},
		{name: "no image", changes: []string{"image", ""}, key: "image"},
		{name: "credentials", changes: []string{"registry", credentials("registry.example.com")}},
		{name: "credentials for Docker Hub", changes: []string{"registry", credentials("https://index.docker.io/v1/"),
			"image", "docker.io/vextrus/finance:v2"}},
		{name: "credentials for nothing", changes: []string{"registry", credentials("")}, key: "registry.server",
			fix: "pulumi config set --path registry.server registry.example.com -s staging"},
		{name: "credentials for another registry", changes: []string{"registry", credentials("ghcr.io")},
			key: "registry.server", fix: "pulumi config set --path registry.server registry.example.com -s staging"},
		{name: "an address", changes: []string{"registry", credentials("https://registry.example.com")},
			key: "registry.server"},
		{name: "half of the credentials", changes: []string{"registry", `{"server":"registry.example.com","username":"r"}`},
			key: "registry.username"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			byKey := problemsOf(building(tt.changes...))
			problem := byKey[tt.key]
			if tt.key == "" && len(byKey) > 0 || tt.key != "" && problem == nil {
				t.Fatalf("problems %v, want one with %q", byKey, tt.key)
			}
			if tt.fix != "" && problem.Fix != tt.fix {
				t.Errorf("to resolve: %s, want %s", problem.Fix, tt.fix)
			}
		})
	}
}

func TestBuildsBelongToStacksWithOneTrack(t *testing.T) {
	problem := problemsOf(building("strategy", "canary"))["build.context"]
	if problem == nil || !strings.Contains(problem.Error(), `builds belong to stacks with strategy "single"`) ||
		problem.Fix != "pulumi config rm build -s staging" {
		t.Errorf("%v", problem)
	}
}

func TestNoImageOnACanaryStackMeansStagings(t *testing.T) {
	for name, tt := range map[string]struct {
		changes     []string
		ok, staging bool
	}{
		"with a staging stack":         {ok: true, staging: true},
		"without the need for one":     {changes: []string{"staging", `{"stack":"staging","required":false}`}},
		"at 0":                         {changes: []string{"canaryWeight", "0"}, ok: true},
		"an image of its own":          {changes: []string{"image", "vextrus/finance:v3"}, ok: true},
		"a stack with one track":       {changes: []string{"strategy", "single"}},
		"credentials without a server": {changes: []string{"registry", `{"password":"p"}`}},
	} {
		s, err := Load("production", production(append([]string{"image", ""}, tt.changes...)...))
		if (err == nil) != tt.ok || err == nil && s.ImageFromStaging() != tt.staging {
			t.Errorf("%s: from staging %t, %v", name, s.ImageFromStaging(), err)
		}
	}
}
