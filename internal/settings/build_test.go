package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// sealed is a configuration in which the keys of builds are encrypted as well.
type sealed struct{ testkit.Config }

func (s sealed) IsSecret(key string) bool { return key == "build" || s.Config.IsSecret(key) }

func TestWhatABuildMayAskFor(t *testing.T) {
	const whole = `{"context":"service","args":{"GO_VERSION":"1.26","WITH_TESTS":true},"secrets":{"npm-token":"abc-123"},
		"cacheFrom":["registry.example.com/vextrus/finance:cache"],"cacheTo":["registry.example.com/vextrus/finance:cache"],
		"platform":"linux/amd64, linux/arm64/v8"}`
	s, err := Load("staging", sealed{building("build", whole)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64/v8"}, s.Build.Platforms()); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if s.Build.Args["WITH_TESTS"] != "true" || s.Build.Secrets["npm-token"].Reveal() != "abc-123" {
		t.Errorf("arguments %v", s.Build.Args)
	}
	if s.Build.Dockerfile != "Dockerfile" || s.Build.Target != "production" {
		t.Errorf("%q and %q are no defaults", s.Build.Dockerfile, s.Build.Target)
	}
}

func TestWhatABuildMayNotAskFor(t *testing.T) {
	tests := []struct{ name, build, key, fix string }{
		{"a repository", `{"context":"https://git.example.com/finance.git"}`, "build.context",
			"pulumi config set --path build.context ../finance -s staging"},
		{"a repository by SSH", `{"context":"git@git.example.com:finance.git"}`, "build.context", ""},
		{"no platform", `{"context":"service","platform":" , "}`, "build.platform", ""},
		{"half a platform", `{"context":"service","platform":"linux"}`, "build.platform",
			"pulumi config set --path build.platform linux/amd64 -s staging"},
		{"one wrong of two", `{"context":"service","platform":"linux/amd64,arm64"}`, "build.platform", ""},
		{"a credential as an argument", `{"context":"service","args":{"NPM_TOKEN":"npm_s3cr3t-value-1234567890"}}`,
			"build.args.NPM_TOKEN", "pulumi config rm --path build.args.NPM_TOKEN -s staging && " +
				"pulumi config set --secret --path build.secrets.NPM_TOKEN -s staging"},
		{"a secret without a value", `{"context":"service","secrets":{"npm":""}}`, "build.secrets.npm",
			"pulumi config set --secret --path build.secrets.npm -s staging"},
		{"a secret that is no file's name", `{"context":"service","secrets":{"../npm":"x"}}`, "build.secrets.../npm", ""},
		{"a cache without a registry", `{"context":"service","cacheFrom":["vextrus/finance:cache"]}`, "build.cacheFrom[0]",
			"pulumi config set --path 'build.cacheFrom[0]' registry.example.com/vextrus/finance:cache -s staging"},
		{"a cache without a tag", `{"context":"service","cacheTo":["registry.example.com/finance"]}`, "build.cacheTo[0]", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("staging", sealed{building("build", tt.build)})
			problem := problemsIn(err)[tt.key]
			if problem == nil {
				t.Fatalf("no problem with %s: %v", tt.key, err)
			}
			if tt.fix != "" && problem.Fix != tt.fix {
				t.Errorf("to resolve: %s, want %s", problem.Fix, tt.fix)
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("the error shows the credential: %v", err)
			}
		})
	}
}

func TestABuildSecretInPlainTextIsRefused(t *testing.T) {
	problem := problemsOf(building("build", `{"context":"service","secrets":{"npm":"s3cr3t-value"}}`))["build.secrets.npm"]
	if problem == nil || !strings.Contains(problem.Error(), "plain text") || strings.Contains(problem.Error(), "s3cr3t") ||
		problem.Fix != "pulumi config set --secret --path build.secrets.npm -s staging" {
		t.Errorf("%v", problem)
	}
}

// The Docker provider needs a daemon alone; a build that asks for nothing else needs no builder.
func TestOnlySomeBuildsNeedBuildKit(t *testing.T) {
	for name, tt := range map[string]struct {
		build Build
		want  bool
	}{
		"plain":               {Build{Context: ".", Platform: "linux/amd64"}, false},
		"arguments":           {Build{Context: ".", Args: Values{"A": "b"}}, false},
		"a cache to read":     {Build{Context: ".", CacheFrom: []string{"r.example.com/f:c"}}, false},
		"a trailing comma":    {Build{Context: ".", Platform: "linux/amd64,"}, false},
		"two platforms":       {Build{Context: ".", Platform: "linux/amd64,linux/arm64"}, true},
		"a secret":            {Build{Context: ".", Secrets: map[string]Secret{"npm": "x"}}, true},
		"a cache to write to": {Build{Context: ".", CacheTo: []string{"r.example.com/f:c"}}, true},
	} {
		if got := tt.build.NeedsBuildKit(); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}
