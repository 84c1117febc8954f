package program

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
)

const (
	here  = "11111111-2222-3333-4444-555555555555"
	there = "99999999-2222-3333-4444-555555555555"
)

// The provider knows the cluster by its identity, so that another address or context replaces nothing.
func TestTheProviderKnowsTheClusterByItsIdentity(t *testing.T) {
	for _, config := range []map[string]string{{}, {"kubeContext": "by-another-address"}, {"cluster": here}} {
		w := newWorld()
		w.System.UID, w.remembered = here, here
		changed := productionConfig()
		maps.Copy(changed, config)
		if err := w.run(t, "production", changed); err != nil {
			t.Fatalf("%v: %v", config, err)
		}
		if got := w.text(t, "pulumi:providers:kubernetes/cluster", "clusterIdentifier"); got != here {
			t.Errorf("%v: the provider goes by %q", config, got)
		}
		if got := w.text(t, "kubernetes:core/v1:ConfigMap/release", "data.cluster"); got != here {
			t.Errorf("%v: the record tells of the cluster %q", config, got)
		}
	}
}

// The state names no file of the machine that ran the update, so that another machine can refresh and roll back.
func TestTheStateNamesNoKubeconfigOfTheMachine(t *testing.T) {
	for config, want := range map[string]string{"": "", "clusters/production": "clusters/production"} {
		t.Setenv("KUBECONFIG", "first/config:second/config")
		w := newWorld()
		changed := productionConfig()
		if config != "" {
			changed["kubeconfig"] = config
		}
		if err := w.run(t, "production", changed); err != nil {
			t.Fatal(err)
		}
		if got := w.text(t, "pulumi:providers:kubernetes/cluster", "kubeconfig"); got != want {
			t.Errorf("with %q in the configuration the state has %q", config, got)
		}
	}
}

func TestAnotherClusterIsRefused(t *testing.T) {
	tests := []struct {
		name               string
		remembered, config string
		refused            bool
	}{
		{name: "first update"},
		{name: "the same cluster", remembered: here},
		{name: "another cluster", remembered: there, refused: true},
		{name: "moved on purpose", remembered: there, config: here},
		{name: "configured otherwise", remembered: here, config: there, refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.System.UID, w.remembered = here, tt.remembered
			config := productionConfig()
			config["cluster"] = tt.config
			err := w.run(t, "production", config)
			if (err != nil) != tt.refused {
				t.Fatalf("error %v", err)
			}
			if !tt.refused {
				return
			}
			for _, word := range []string{here, there, `context "test"`, "pulumi config set cluster " + here + " -s production",
				"pulumi config set kubeContext CONTEXT -s production"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
			delete(w.inputs, "pulumi:pulumi:Stack/"+project+"-production")
			if len(w.inputs) != 0 {
				t.Errorf("made %v", slices.Sorted(maps.Keys(w.inputs)))
			}
		})
	}
}

// Who may not look at kube-system updates as before: dropping the identity replaces nothing.
func TestWithoutTheRightToLookTheIdentityIsUnknown(t *testing.T) {
	w := newWorld()
	w.SystemErr = apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "kube-system", nil)
	if err := w.run(t, "production", productionConfig()); err != nil {
		t.Fatal(err)
	}
	if got := w.text(t, "pulumi:providers:kubernetes/cluster", "clusterIdentifier"); got != "" {
		t.Errorf("the provider goes by %q", got)
	}
}

func TestWhatMustNotGoIsProtected(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for key, protected := range w.protected {
		if protected {
			got = append(got, key)
		}
	}
	slices.Sort(got)
	// The canary's Deployment goes when another release enters. The record, which depends on it, keeps it from a destroy.
	want := []string{"kubernetes:apps/v1:Deployment/stable", "kubernetes:core/v1:ConfigMap/release",
		"kubernetes:core/v1:Namespace/environment", "kubernetes:core/v1:Service/traffic"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The ledger lies in the namespace and compares by the key: both outlive a destroy for which the protection was taken
// off, so that the next update goes on from the history.
func TestTheHistoryOutlivesADestroy(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for key, retained := range w.retained {
		if retained {
			got = append(got, key)
		}
	}
	slices.Sort(got)
	want := []string{"kubernetes:core/v1:Namespace/environment",
		"kubernetes:core/v1:Secret/" + names.IdentityKey("finance-service")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAStackWithOneTrackCanBeThrownAway(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	maps.Copy(config, map[string]string{"strategy": "single", "replicas": "2", "release": "staging"})
	if err := w.run(t, "staging", config); err != nil {
		t.Fatal(err)
	}
	for key, protected := range w.protected {
		if protected {
			t.Errorf("%s is protected", key)
		}
	}
	for key, retained := range w.retained {
		if retained {
			t.Errorf("%s is retained", key)
		}
	}
}

func TestATerminatingNamespaceIsRefused(t *testing.T) {
	w := newWorld()
	w.Owner = &kube.Namespace{Terminating: true, Annotations: map[string]string{names.Owner: "finance-rollout/production"}}
	err := w.run(t, "production", productionConfig())
	if err == nil || !strings.Contains(err.Error(), "namespace vextrus-production is being deleted") ||
		!strings.Contains(err.Error(), "pulumi up -s production") {
		t.Fatalf("error %v", err)
	}
	if len(w.canaries()) != 0 {
		t.Errorf("made %v", slices.Sorted(maps.Keys(w.inputs)))
	}
}
