package program

import (
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

func TestTheRepositoryOfAReference(t *testing.T) {
	for reference, want := range map[string]string{
		"vextrus/finance:v2@sha256:aa": "vextrus/finance", "vextrus/finance@sha256:aa": "vextrus/finance",
		"localhost:5000/finance@sha256:aa": "localhost:5000/finance", "localhost:5000/finance:v2": "localhost:5000/finance",
	} {
		if got := repository(reference); got != want {
			t.Errorf("%s: %s, want %s", reference, got, want)
		}
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
