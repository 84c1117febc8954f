package takeover

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func namesOf(objects []Object) []string {
	var list []string
	for _, object := range objects {
		list = append(list, object.String())
	}
	return list
}

// To let go destroys the stack: a bucket, an object of the user's own or a second rollout would go with it.
func TestReleaseRefusesAStackThatHoldsMore(t *testing.T) {
	state, err := os.ReadFile(filepath.Join("testdata", "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	const rollout = `{"type":"finance-rollout:index:Rollout","urn":"urn:pulumi:production::shop::` +
		`finance-rollout:index:Rollout::`
	for name, tt := range map[string]struct{ resources, others string }{
		"one rollout": {rollout + `rollout"},`, ""},
		"a bucket": {`{"type":"aws:s3/bucket:Bucket","custom":true,` +
			`"urn":"urn:pulumi:production::shop::aws:s3/bucket:Bucket::files"},`, "Bucket::files"},
		"a ConfigMap": {`{"type":"kubernetes:core/v1:ConfigMap","custom":true,` +
			`"urn":"urn:pulumi:production::shop::kubernetes:core/v1:ConfigMap::mine"},`, "ConfigMap::mine"},
		"a second rollout": {rollout + `payments"},` + rollout + `invoices"},`, "Rollout::invoices"},
	} {
		with := strings.Replace(string(state), `"resources":[`, `"resources":[`+tt.resources, 1)
		if with == string(state) {
			t.Fatal("the state is of another form")
		}
		_, err := Release("finance-service", []byte(with))
		if tt.others == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.others) ||
			!strings.Contains(err.Error(), "pulumi state move --source production") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the stable pods need and are reached by stays, to the namespace; what the rollout had for itself goes.
func TestReleaseLeavesWhatServesTheRequests(t *testing.T) {
	state, err := os.ReadFile(filepath.Join("testdata", "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	released, err := Release("finance-service", state)
	if err != nil {
		t.Fatal(err)
	}
	stays := []string{
		"namespace shop", "serviceaccount shop/finance-service", "networkpolicy shop/finance-service",
		"secret shop/finance-db-production-1a2b", "configmap shop/finance-service-config-1a2b",
		"deployment shop/finance-service-stable", "poddisruptionbudget shop/finance-service-stable",
		"service shop/finance-service", "servicemonitor shop/finance-service",
	}
	goes := []string{
		"deployment shop/finance-service-week1", "prometheusrule shop/finance-service",
		"deployment shop/finance-service-guard", "role shop/finance-service-guard",
		"configmap shop/finance-service-release",
	}
	if diff := cmp.Diff(stays, namesOf(released.Stays)); diff != "" {
		t.Errorf("stays (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(goes, namesOf(released.Goes)); diff != "" {
		t.Errorf("goes (-want +got):\n%s", diff)
	}
	var changed struct {
		Deployment struct {
			Resources []struct {
				URN            string
				Protect        bool
				RetainOnDelete bool `json:"retainOnDelete"`
			}
		}
	}
	if err := json.Unmarshal(released.State, &changed); err != nil {
		t.Fatal(err)
	}
	retained := 0
	for _, resource := range changed.Deployment.Resources {
		if resource.Protect {
			t.Errorf("%s is still protected", resource.URN)
		}
		if resource.RetainOnDelete {
			retained++
		}
	}
	if retained != len(stays) {
		t.Errorf("%d resources are retained, want %d", retained, len(stays))
	}
	for _, word := range []string{`"ciphertext":"v1:cGFzc3dvcmQ="`, `"replicas":9007199254740993`, `"salt":"v1:AAAA"`} {
		if !strings.Contains(string(released.State), word) {
			t.Errorf("the state has lost %s", word)
		}
	}
	// A second time, nothing is left to change.
	again, err := Release("finance-service", released.State)
	if err != nil || string(again.State) != string(released.State) {
		t.Errorf("the state changes again: %v", err)
	}
}

func TestReleaseOfAStateThatIsNone(t *testing.T) {
	for text, word := range map[string]string{
		"": "read the stack's state", "[]": "read the stack's state",
		`{"deployment":{"pending_operations":[{"type":"creating"}]}}`: "killed in the middle of 1 operations",
	} {
		if _, err := Release("finance-service", []byte(text)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if released, err := Release("finance-service", []byte(`{"version":3}`)); err != nil || len(released.Stays) > 0 {
		t.Errorf("an empty stack: %+v, %v", released, err)
	}
}

func TestReleaseIsRefusedWhileStableDoesNotServeEverything(t *testing.T) {
	serving := &corev1.Service{}
	serving.Spec.Selector = map[string]string{"app": "finance-service", "traffic": "enabled"}
	elsewhere := &corev1.Service{}
	elsewhere.Spec.Selector = map[string]string{"app": "finance-service"}
	for name, tt := range map[string]struct {
		weight, wanted, ready int
		under                 string
		live                  Live
		words                 []string // none where it may go
	}{
		"in order":         {wanted: 10, ready: 10, live: Live{Service: serving, Owner: "finance-rollout/production"}},
		"released in part": {wanted: 10, ready: 10, live: Live{Service: serving}},
		"a canary": {weight: 30, wanted: 10, ready: 10, live: Live{Service: serving},
			words: []string{"a canary has 30 %", "rollout finish -s production"}},
		"a move": {under: "to 0 %", wanted: 10, ready: 10, live: Live{Service: serving},
			words: []string{"a move is under way: to 0 %", "pulumi up -s production"}},
		"pods that are not": {wanted: 10, ready: 9, live: Live{Service: serving},
			words: []string{"9 of its 10 pods are ready", "rollout diagnose -s production"}},
		"no pods":    {live: Live{Service: serving}, words: []string{"0 of its 0 pods"}},
		"no Service": {wanted: 10, ready: 10, words: []string{"nothing to let go of"}},
		"a Service of another": {wanted: 10, ready: 10, live: Live{Service: elsewhere},
			words: []string{"nothing to let go of"}},
		"another stack's place": {wanted: 10, ready: 10, live: Live{Service: serving, Owner: "shop/production"},
			words: []string{"belongs to the stack shop/production"}},
	} {
		t.Run(name, func(t *testing.T) {
			target, _ := world(t)
			refusals := RefuseRelease(target, tt.weight, tt.under, &tt.live, tt.wanted, tt.ready)
			var text strings.Builder
			for _, refusal := range refusals {
				text.WriteString(refusal.Error() + "\n")
			}
			if (len(refusals) > 0) != (len(tt.words) > 0) {
				t.Errorf("refusals:\n%s", text.String())
			}
			for _, word := range tt.words {
				if !strings.Contains(text.String(), word) {
					t.Errorf("no %q in\n%s", word, text.String())
				}
			}
		})
	}
}
