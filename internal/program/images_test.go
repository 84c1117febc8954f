package program

import (
	"maps"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Two digests: what is on trial, and what staging has verified since.
var (
	digestB = "sha256:" + strings.Repeat("b", 64)
	staged  = "registry.example.com/vextrus/finance:v3@" + digestB
)

func TestWithoutAnImageTheCanaryRunsWhatStagingHasVerified(t *testing.T) {
	tests := []struct {
		name   string
		living string
		want   string
	}{
		{name: "nothing on trial", want: staged},
		{name: "the same image on trial", living: digestB, want: staged},
		{name: "another image on trial", living: digestA, want: "registry.example.com/vextrus/finance@" + digestA},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.verified = staged
			if tt.living != "" {
				w.note(t, ledger.Entry{Kind: ledger.ShiftReached, Release: "week1", Image: tt.living, Stable: digestA, To: 10})
			}
			config := productionConfig()
			config["image"] = ""
			if err := w.run(t, "production", config); err != nil {
				t.Fatal(err)
			}
			image := w.text(t, "kubernetes:apps/v1:Deployment/finance-service-week1", "spec.template.spec.containers[0].image")
			if image != tt.want {
				t.Errorf("the canary runs %s, want %s", image, tt.want)
			}
		})
	}
}

func TestWithoutAnImageAndWithoutStagingsWordNothingEnters(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	config["image"] = ""
	err := w.run(t, "production", config)
	if err == nil || !strings.Contains(err.Error(), "it has verified none: `pulumi up -s staging`") ||
		!strings.Contains(err.Error(), "pulumi config set image IMAGE -s production") {
		t.Fatalf("error %v", err)
	}
	if len(w.canaries()) != 0 {
		t.Error("there is a canary")
	}
}

// One change at a time: the track that shrinks would wait for the other for ever.
func TestOneChangeAtATimeIsRefusedAtOnce(t *testing.T) {
	for parallel, refused := range map[int32]bool{0: false, 1: true, 2: false, 16: false} {
		w := newWorld()
		w.parallel = parallel
		err := w.run(t, "production", productionConfig())
		if (err != nil) != refused || refused && (!strings.Contains(err.Error(), "--parallel 1") ||
			!strings.Contains(err.Error(), "pulumi up -s production --parallel 2")) {
			t.Errorf("--parallel %d: %v", parallel, err)
		}
		if refused && len(w.canaries()) != 0 {
			t.Errorf("--parallel %d made a canary", parallel)
		}
	}
}

// buildingConfig is a stack with one track that builds its image.
func buildingConfig(changes map[string]string) map[string]string {
	config := productionConfig()
	maps.Copy(config, map[string]string{"strategy": "single", "release": "staging", "replicas": "2",
		"build": `{"context":"service"}`, "image": "registry.example.com/vextrus/finance:v2"})
	maps.Copy(config, changes)
	return config
}

// A daemon's store may name another image of the repository as the one that was pushed.
func TestABuiltImageThatTheRegistryDoesNotHaveIsNotDeployed(t *testing.T) {
	for name, tt := range map[string]struct{ image, reported, want string }{
		"the same":  {},
		"another":   {reported: "registry.example.com/vextrus/finance@" + digestB, want: "the registry has " + digestA},
		"no digest": {reported: "<none>@<none>", want: "reports no digest"},
		"not there": {image: "registry.example.com/vextrus/missing:v2", want: "does not resolve"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.reported = tt.reported
			config := buildingConfig(nil)
			if tt.image != "" {
				config["image"] = tt.image
			}
			err := w.run(t, "staging", config)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if _, deployed := w.inputs["kubernetes:apps/v1:Deployment/stable"]; deployed != (tt.want == "") {
				t.Errorf("deployed: %t", deployed)
			}
		})
	}
}

// On the way down and in destroy the providers are not asked: a missing daemon stops nobody.
func TestNoDaemonIsNeededToTakeABuildAway(t *testing.T) {
	for name, build := range map[string]string{
		"docker:index/image:Image/image": `{"context":"service"}`,
		"docker-build:index:Image/image": `{"context":"service","platform":"linux/amd64,linux/arm64"}`,
	} {
		w := newWorld()
		if err := w.run(t, "staging", buildingConfig(map[string]string{"build": build})); err != nil {
			t.Fatal(err)
		}
		if _, registered := w.inputs[name]; !registered || !w.retained[name] {
			t.Errorf("%s: registered %t, retained %t", name, registered, w.retained[name])
		}
	}
}

// Whether the digest of a build is known when its pods are described is a matter of moments: they say nothing of it.
func TestTheTemplateOfABuiltImageIsTheSameEveryTime(t *testing.T) {
	const identity = `spec.template.metadata.annotations["finance-rollout/identity"]`
	built, given := newWorld(), newWorld()
	if err := built.run(t, "staging", buildingConfig(nil)); err != nil {
		t.Fatal(err)
	}
	if err := given.run(t, "staging", buildingConfig(map[string]string{"build": "{}"})); err != nil {
		t.Fatal(err)
	}
	const deployment = "kubernetes:apps/v1:Deployment/stable"
	if got := built.text(t, deployment, identity); got != "" {
		t.Errorf("the pods of a build have the identity %q", got)
	}
	if given.text(t, deployment, identity) == "" {
		t.Error("the pods of an image that is given have no identity")
	}
}
