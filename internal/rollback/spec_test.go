package rollback

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestARollbackNeverShrinksStable(t *testing.T) {
	for _, tt := range []struct {
		name    string
		live    int
		failing string
		want    int
	}{
		{"it stands by", 1, "", 10},
		{"as planned", 10, "", 10},
		{"more than planned", 20, "", 20},
		{"the cluster does not answer", 20, "growth", 10},
	} {
		for _, narrow := range []bool{false, true} {
			w := &narrowed{world: newWorld(), narrow: narrow}
			w.live = tt.live
			set := options()
			set.Divert = ByOpening(w, "track", set)
			w.failing, w.always = tt.failing, true
			if err := Run(t.Context(), w, w, set).Err(); (err != nil) != (tt.failing != "") {
				t.Errorf("%s: %v", tt.name, err)
			}
			if got := w.scaled["finance-stable"]; got != tt.want {
				t.Errorf("%s (narrow Service: %v): stable is scaled to %d, want %d", tt.name, narrow, got, tt.want)
			}
		}
	}
}

func TestSpecGivesTheSameOptionsToEverybody(t *testing.T) {
	w := &narrowed{world: newWorld(), narrow: true}
	spec := Spec{
		Namespace: "shop", App: "finance", Release: "v2", Service: "finance", StableDeployment: "finance-stable",
		Capacity: 10,
	}
	numbers := map[string]string{"bake": "33 of 90"}
	got := spec.Options(w, time.Now, "33 of 90 requests failed", numbers)
	want := Options{
		Namespace: "shop", App: "finance", Service: "finance",
		Canary:     map[string]string{"app": "finance", "track": "canary"},
		Deployment: "finance-v2", StableDeployment: "finance-stable", Capacity: 10,
		LabelKey: "traffic", LabelValue: "isolated", Reason: "33 of 90 requests failed", Numbers: numbers,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Options{}, "Divert", "Now")); diff != "" {
		t.Errorf("options (-want +got)\n%s", diff)
	}
}

// Pods alone decide where there is no route: the Service is opened. Behind a route the weights decide.
func TestSpecDivertsByWhatDecidesAboutRequests(t *testing.T) {
	for _, tt := range []struct {
		route *Route
		want  string
	}{
		{nil, "open"},
		{&Route{Name: "finance", Weights: map[string]int{"finance-stable": 100, "finance-canary": 0}},
			"set finance map[finance-canary:0 finance-stable:100]"},
	} {
		w := &narrowed{world: newWorld()}
		options := Spec{Namespace: "shop", App: "finance", Route: tt.route}.Options(w, time.Now, "", nil)
		if _, err := options.Divert(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(w.calls, tt.want) {
			t.Errorf("called %v, want %q", w.calls, tt.want)
		}
	}
}
