package components

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// The Docker provider reads the path from the program's folder; the configuration gives it from the context.
func TestTheDockerfileIsFoundFromTheProgramsFolder(t *testing.T) {
	for _, tt := range []struct{ context, dockerfile, want string }{
		{"service", "Dockerfile", "service/Dockerfile"},
		{"./service/", "deploy/Dockerfile", "service/deploy/Dockerfile"},
		{"../finance", "Dockerfile", "../finance/Dockerfile"},
		{".", "Dockerfile", "Dockerfile"},
		{"/src/finance", "Dockerfile", "/src/finance/Dockerfile"},
		{"service", "/etc/build/Dockerfile", "/etc/build/Dockerfile"},
		{"service", "", ""},
	} {
		if got := dockerfile(settings.Build{Context: tt.context, Dockerfile: tt.dockerfile}); got != tt.want {
			t.Errorf("%s in %s: %s, want %s", tt.dockerfile, tt.context, got, tt.want)
		}
	}
}

func buildArgs(build settings.Build) *ImageArgs {
	return &ImageArgs{Name: "registry.example.com/vextrus/finance:v2", Build: build,
		Registry: settings.Registry{Server: "registry.example.com", Username: "robot", Password: "push-me"}}
}

func TestADaemonAloneBuildsWhatItCan(t *testing.T) {
	r := &recorder{}
	build := settings.Build{Context: "service", Dockerfile: "Dockerfile", Target: "production", Platform: "linux/amd64",
		Args: settings.Values{"GO_VERSION": "1.26"}, CacheFrom: []string{"registry.example.com/vextrus/finance:v1"}}
	if err := run(t, r, func(ctx *pulumi.Context) error {
		_, err := NewImage(ctx, "image", buildArgs(build))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"imageName": "registry.example.com/vextrus/finance:v2", "build.platform": "linux/amd64",
		"build.args": map[string]any{"GO_VERSION": "1.26"}, "build.dockerfile": "service/Dockerfile",
		"build.cacheFrom.images": []any{"registry.example.com/vextrus/finance:v1"}, "skipPush": false,
	} {
		if diff := cmp.Diff(want, r.path(t, typeImage+"/image", path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if strings.Contains(inTheOpen(t, r), "push-me") {
		t.Error("the registry's password is no secret")
	}
}

func TestBuildKitBuildsWhatADaemonCannot(t *testing.T) {
	r := &recorder{}
	build := settings.Build{Context: "service", Dockerfile: "Dockerfile", Target: "production",
		Platform: "linux/amd64,linux/arm64", Args: settings.Values{"GO_VERSION": "1.26"},
		Secrets:   map[string]settings.Secret{"npm-token": "s3cr3t-value"},
		CacheFrom: []string{"registry.example.com/vextrus/finance:cache"},
		CacheTo:   []string{"registry.example.com/vextrus/finance:cache"}}
	if err := run(t, r, func(ctx *pulumi.Context) error {
		_, err := NewImage(ctx, "image", buildArgs(build))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"tags": []any{"registry.example.com/vextrus/finance:v2"}, "push": true, "buildOnPreview": false,
		"context.location": "service", "dockerfile.location": "service/Dockerfile", "target": "production",
		"platforms": []any{"linux/amd64", "linux/arm64"}, "buildArgs.GO_VERSION": "1.26",
		"cacheFrom[0].raw":      "type=registry,ref=registry.example.com/vextrus/finance:cache",
		"cacheTo[0].raw":        "type=registry,ref=registry.example.com/vextrus/finance:cache,mode=max",
		"registries[0].address": "registry.example.com",
	} {
		if diff := cmp.Diff(want, r.path(t, "docker-build:index:Image/image", path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	secrets := r.inputs["docker-build:index:Image/image"]["secrets"].ObjectValue()
	if !secrets["npm-token"].IsSecret() || secrets["npm-token"].SecretValue().Element.StringValue() != "s3cr3t-value" {
		t.Errorf("build secrets %v", secrets)
	}
	if open := inTheOpen(t, r); strings.Contains(open, "push-me") || strings.Contains(open, "s3cr3t-value") {
		t.Error("a credential stands in the open")
	}
}

// inTheOpen is all that the engine would show of the resources.
func inTheOpen(t *testing.T, r *recorder) string {
	t.Helper()
	var text strings.Builder
	for _, inputs := range r.inputs {
		open, err := json.Marshal(withoutSecrets(resource.NewObjectProperty(inputs)).Mappable())
		if err != nil {
			t.Fatal(err)
		}
		text.Write(open)
	}
	return text.String()
}
