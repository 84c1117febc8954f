package program

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const (
	stableKey  = "kubernetes:apps/v1:Deployment/stable"
	canaryKey  = "kubernetes:apps/v1:Deployment/finance-service-week1"
	resolved64 = "sha256:" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// released is a world in which a first update has brought a release to 10 %, as the ledger and the cluster hold it.
// Older is one whose update was made by a version without identities.
func released(t *testing.T, older bool) (*world, map[string]string) {
	t.Helper()
	first, config := newWorld(), productionConfig()
	if err := first.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	ids := identities10(t, config)
	entries := []ledger.Entry{
		{Kind: ledger.ShiftBegun, Release: "week1", Image: resolved64, Stable: resolved64, To: 10},
		{Kind: ledger.ShiftReached, Release: "week1", Image: resolved64, Stable: resolved64, To: 10},
	}
	template := &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "finance-service",
			Image: "vextrus/finance@" + resolved64}}}}
	refer := func(config, secret string) {
		container := &template.Spec.Containers[0]
		container.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: config}}}}
		container.Env = []corev1.EnvVar{{Name: "P", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: "password"}}}}
		w.Objects = []string{config, secret}
	}
	if older {
		refer("finance-service-config", "finance-db-production")
	} else {
		for i := range entries {
			entries[i].Identity, entries[i].StableIdentity = ids[1].Hash(), ids[0].Hash()
			entries[i].Identities = map[string]identity.Identity{ids[0].Hash(): ids[0], ids[1].Hash(): ids[1]}
		}
		template.Annotations[names.Identity] = ids[0].Hash()
		refer(first.ofRelease(t, "kubernetes:core/v1:ConfigMap/finance-service-config"),
			first.ofRelease(t, "kubernetes:core/v1:Secret/finance-db-production"))
	}
	w.Stable = template
	store := ledger.InConfigMap{Cluster: w, Namespace: "vextrus-production", Name: names.Ledger("finance-service")}
	now := func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	_, err := ledger.Append(t.Context(), store, now, func(*ledger.Ledger) ([]ledger.Entry, error) { return entries, nil })
	if err != nil {
		t.Fatal(err)
	}
	return w, config
}

// identities10 are the identities of stable and canary by the configuration.
func identities10(t *testing.T, config map[string]string) [2]identity.Identity {
	t.Helper()
	s, err := settings.Load("production", testkit.Config(config))
	if err != nil {
		t.Fatal(err)
	}
	key, _, _ := newWorld().SecretValue(t.Context(), "", "finance-service-identity", "key")
	made, err := identities(s, identity.Key(key))
	if err != nil {
		t.Fatal(err)
	}
	return [2]identity.Identity{made.Stable.With(resolved64), made.Canary.With(resolved64)}
}

func frozen(w *world) bool { return slices.Contains(w.ignored[stableKey], "spec.template") }

func TestStableKeepsWhatItRuns(t *testing.T) {
	for name, change := range map[string]map[string]string{
		"nothing":       {},
		"a variable":    {"env": `{"NODE_ENV":"production","PORT":"3014","NEW":"1"}`},
		"resources":     {"resources": `{"limits":{"memory":"3Gi"}}`},
		"configuration": {"configEnv": `{"LOG_LEVEL":"debug"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w, config := released(t, false)
			kept := w.Objects
			maps.Copy(config, change)
			if err := w.run(t, "production", config); err != nil {
				t.Fatal(err)
			}
			if !frozen(w) || slices.Contains(w.ignored[canaryKey], "spec.template") {
				t.Errorf("stable ignores %v, and the canary %v", w.ignored[stableKey], w.ignored[canaryKey])
			}
			for _, object := range kept {
				if w.inputs["kubernetes:core/v1:Secret/"+object] == nil &&
					w.inputs["kubernetes:core/v1:ConfigMap/"+object] == nil {
					t.Errorf("%s, which stable refers to, is removed", object)
				}
			}
			for _, own := range w.inputs {
				if own["metadata"].IsObject() && strings.Contains(own["metadata"].ObjectValue()["name"].String(), "<nil>") {
					t.Error("an object has no name")
				}
			}
		})
	}
}

// Two resources with one name would be one object with two owners: the last one that goes takes it along.
func TestNoObjectHasTwoOwners(t *testing.T) {
	for _, older := range []bool{false, true} {
		for _, level := range []string{"info", "debug"} {
			w, config := released(t, older)
			config["configEnv"] = `{"LOG_LEVEL":"` + level + `"}`
			if err := w.run(t, "production", config); err != nil {
				t.Fatal(err)
			}
			owners := map[string]string{}
			for key, inputs := range w.inputs {
				kind := key[:strings.LastIndex(key, "/")]
				name := nameOf(inputs)
				if before := owners[kind+name]; before != "" && name != "" {
					t.Errorf("%s and %s are one object", before, key)
				}
				owners[kind+name] = key
			}
		}
	}
}

func nameOf(inputs resource.PropertyMap) string {
	metadata := inputs["metadata"]
	if !metadata.IsObject() {
		return ""
	}
	name := metadata.ObjectValue()["name"]
	if !name.IsString() {
		return ""
	}
	return name.StringValue()
}

// The upgrade from fixed names replaces no pod of stable, and what its pods refer to stays as it is.
func TestTheUpgradeFromFixedNamesKeepsStable(t *testing.T) {
	w, config := released(t, true)
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	if !frozen(w) {
		t.Error("stable is rolled by the upgrade")
	}
	secret, configMap := "kubernetes:core/v1:Secret/finance-db-production", "kubernetes:core/v1:ConfigMap/configuration"
	for _, key := range []string{secret, configMap} {
		if w.inputs[key] == nil {
			t.Fatalf("no %s", key)
		}
		for _, field := range []string{"data", "stringData"} {
			if !slices.Contains(w.ignored[key], field) {
				t.Errorf("%s ignores %v", key, w.ignored[key])
			}
		}
	}
	if nameOf(w.inputs[configMap]) != "finance-service-config" {
		t.Errorf("the ConfigMap of before is %s", nameOf(w.inputs[configMap]))
	}
	if used := w.text(t, canaryKey, "spec.template.spec.containers[0].envFrom[0].configMapRef.name"); used !=
		w.ofRelease(t, "kubernetes:core/v1:ConfigMap/finance-service-config") {
		t.Errorf("the canary refers to %s", used)
	}
}

func TestWithOneTrackNothingIsFrozen(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	maps.Copy(config, map[string]string{"strategy": "single", "replicas": "2"})
	delete(config, "stableImage")
	if err := w.run(t, "staging", config); err != nil {
		t.Fatal(err)
	}
	if frozen(w) {
		t.Error("a stack with one track keeps what it runs")
	}
}

// The value of a secret is nowhere but in its Secret, and its hash needs the key.
func TestAnIdentityHoldsNoSecret(t *testing.T) {
	encoded, err := json.Marshal(identities10(t, productionConfig()))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"s3cr3t-value", "sign-with-me"} {
		if strings.Contains(string(encoded), value) {
			t.Errorf("%s is in %s", value, encoded)
		}
	}
}

// An express change goes to stable in the same update, after the canary's pods have it.
func TestAnExpressChangeReachesStableAfterTheCanary(t *testing.T) {
	w, config := released(t, false)
	kept := w.Objects
	config["secrets"] = strings.Replace(config["secrets"], "s3cr3t-value", "n3w-value", 1)
	config["express"] = `{"reason":"password leaked"}`
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	if frozen(w) {
		t.Error("stable keeps the old value")
	}
	if !slices.ContainsFunc(w.after[stableKey], func(urn string) bool {
		return strings.Contains(urn, "Deployment::finance-service-week1")
	}) {
		t.Errorf("stable waits for %v", w.after[stableKey])
	}
	ofStable := func(urn string) bool { return strings.HasSuffix(urn, "Deployment::stable") }
	if slices.ContainsFunc(w.after[canaryKey], ofStable) {
		t.Error("the canary waits for stable")
	}
	current := ""
	for key := range w.inputs {
		name, isSecret := strings.CutPrefix(key, "kubernetes:core/v1:Secret/")
		if isSecret && strings.HasPrefix(name, "finance-db-production-") && name != kept[1] {
			current = name
		}
	}
	if current == "" {
		t.Fatal("no secret holds the new value")
	}
	for _, key := range []string{stableKey, canaryKey} {
		if used := fmt.Sprint(w.inputs[key].Mappable()); !strings.Contains(used, current) || strings.Contains(used, kept[1]) {
			t.Errorf("%s does not refer to %s alone", key, current)
		}
	}
	if w.inputs["kubernetes:core/v1:Secret/"+kept[1]] == nil {
		t.Error("the old secret is removed while pods of stable may start with it")
	}
}
