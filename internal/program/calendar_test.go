package program

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

var digestA = "sha256:" + strings.Repeat("a", 64)

// note writes entries into the ledger of the world.
func (w *world) note(t *testing.T, entries ...ledger.Entry) {
	t.Helper()
	store := ledger.InConfigMap{Cluster: w, Namespace: "vextrus-production", Name: "finance-service-ledger"}
	if _, err := ledger.Write(t.Context(), store, time.Now, entries...); err != nil {
		t.Fatal(err)
	}
}

// stands is the entry of a release that reached a weight.
func stands(release string, weight int) ledger.Entry {
	return ledger.Entry{Kind: ledger.ShiftReached, Release: release, Image: digestA, Stable: digestA, To: weight}
}

// canaries are the canary Deployments that the program makes, by the names of the resources.
func (w *world) canaries() map[string]resource.PropertyMap {
	objects := map[string]resource.PropertyMap{}
	for key, inputs := range w.inputs {
		if name, ok := strings.CutPrefix(key, "kubernetes:apps/v1:Deployment/"); ok && name != "stable" && name != "guard" {
			objects[name] = inputs
		}
	}
	return objects
}

// A week moves the weight. It renames nothing, restarts no pod and leaves the guard and the rules as they are.
func TestWeeksMoveTheWeightAndNothingElse(t *testing.T) {
	weeks := []struct {
		week     string
		pods     float64
		standing int
	}{{"1", 1, 0}, {"2", 3, 10}, {"3", 6, 30}, {"4", 10, 60}, {"3", 6, 100}, {"1", 1, 60}}
	kept := []string{
		"kubernetes:core/v1:ConfigMap/guard", "kubernetes:rbac.authorization.k8s.io/v1:Role/guard",
		"kubernetes:monitoring.coreos.com/v1:PrometheusRule/monitoring-PrometheusRule",
		"kubernetes:core/v1:ConfigMap/monitoring-dashboard",
	}
	first := newWorld()
	for i, at := range weeks {
		w := newWorld()
		if at.standing > 0 {
			w.note(t, stands("week1", at.standing))
		}
		if err := w.run(t, "production", guardedConfig("week", at.week)); err != nil {
			t.Fatalf("week %s: %v", at.week, err)
		}
		canaries := w.canaries()
		canary := canaries["finance-service-week1"]
		if len(canaries) != 1 || canary == nil {
			t.Fatalf("week %s makes %v", at.week, slices.Sorted(maps.Keys(canaries)))
		}
		if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/finance-service-week1"); pods != at.pods {
			t.Errorf("week %s: %v pods", at.week, pods)
		}
		if i == 0 {
			first = w
			continue
		}
		before := first.canaries()["finance-service-week1"]
		if diff := cmp.Diff(property(t, before, "spec.template").Mappable(),
			property(t, canary, "spec.template").Mappable()); diff != "" {
			t.Errorf("week %s restarts the pods:\n%s", at.week, diff)
		}
		for _, key := range kept {
			if first.inputs[key] == nil {
				t.Fatalf("no %s among %v", key, slices.Sorted(maps.Keys(first.inputs)))
			}
			if diff := cmp.Diff(first.inputs[key].Mappable(), w.inputs[key].Mappable()); diff != "" {
				t.Errorf("week %s changes %s:\n%s", at.week, key, diff)
			}
		}
	}
}

func TestARenameOfALiveCanaryMakesNothing(t *testing.T) {
	w := newWorld()
	w.note(t, stands("v2", 10))
	err := w.run(t, "production", guardedConfig("release", "v3"))
	if err == nil || !strings.Contains(err.Error(), "v2 is on trial") {
		t.Fatalf("error %v", err)
	}
	delete(w.inputs, "pulumi:pulumi:Stack/"+project+"-production")
	if len(w.inputs) != 0 {
		t.Errorf("made %v", slices.Sorted(maps.Keys(w.inputs)))
	}
}

// The way to another release leads over 0 %, under the name that has the requests.
func TestTheWayDownHasTheOldNameAndTheWayInTheNewOne(t *testing.T) {
	down := newWorld()
	down.note(t, stands("v2", 10))
	if err := down.run(t, "production", guardedConfig("release", "v3", "canaryWeight", "0")); err != nil {
		t.Fatal(err)
	}
	if pods := down.replicas(t, "kubernetes:apps/v1:Deployment/finance-service-v2"); pods != 0 ||
		len(down.canaries()) != 1 {
		t.Errorf("%v pods, %v", pods, slices.Sorted(maps.Keys(down.canaries())))
	}
	if watched := guardedRelease(t, down); watched != "v2" {
		t.Errorf("the guard watches %s", watched)
	}
	in := newWorld()
	in.note(t, stands("v2", 10), stands("v2", 0))
	if err := in.run(t, "production", guardedConfig("release", "v3")); err != nil {
		t.Fatal(err)
	}
	if pods := in.replicas(t, "kubernetes:apps/v1:Deployment/finance-service-v3"); pods != 1 || len(in.canaries()) != 1 {
		t.Errorf("%v pods, %v", pods, slices.Sorted(maps.Keys(in.canaries())))
	}
	if watched := guardedRelease(t, in); watched != "v3" {
		t.Errorf("the guard watches %s", watched)
	}
}

// guardedRelease is the release that the guard is told to watch.
func guardedRelease(t *testing.T, w *world) string {
	t.Helper()
	config, err := guard.ParseConfig(
		w.inputs["kubernetes:core/v1:ConfigMap/guard"]["data"].ObjectValue()[guard.ConfigKey].StringValue())
	if err != nil {
		t.Fatal(err)
	}
	return config.Release
}

// A ledger that cannot be read says nothing; the record of the last position still names the canary.
func TestWithoutALedgerTheRecordNamesTheCanary(t *testing.T) {
	w := newWorld()
	w.History, w.Version = map[string]string{"format": "no number", "release": "v2", "weight": "10"}, 1
	if err := w.run(t, "production", guardedConfig("canaryWeight", "0", "week", "2")); err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(w.canaries())); !slices.Equal(names, []string{"finance-service-v2"}) {
		t.Errorf("made %v", names)
	}
}

// What watches a live canary changes after the gate has allowed the move, and not before.
func TestWhatWatchesTheCanaryWaitsForTheGate(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", guardedConfig()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"kubernetes:core/v1:ConfigMap/guard", "kubernetes:rbac.authorization.k8s.io/v1:Role/guard",
		"kubernetes:apps/v1:Deployment/guard", "kubernetes:core/v1:ConfigMap/monitoring-dashboard",
		"kubernetes:monitoring.coreos.com/v1:PrometheusRule/monitoring-PrometheusRule",
		"kubernetes:apps/v1:Deployment/stable", "kubernetes:apps/v1:Deployment/finance-service-week1",
	} {
		if w.inputs[key] == nil {
			t.Fatalf("no %s among %v", key, slices.Sorted(maps.Keys(w.inputs)))
		}
		for _, hooks := range [][]string{w.hooks[key].GetBeforeUpdate(), w.hooks[key].GetBeforeCreate()} {
			if len(hooks) == 0 || hooks[0] != "advance" {
				t.Errorf("%s changes after %v", key, hooks)
			}
			noted := slices.Contains(hooks, "guard-configuration")
			if noted != (key == "kubernetes:core/v1:ConfigMap/guard") {
				t.Errorf("%s: the ledger names the guard's configuration: %t", key, noted)
			}
		}
	}
}

// A stack of an earlier version holds the canary under the track's name. What it holds there is the last release's: a
// release that follows must not take it over, or the removal of the last one is pending under a name that can come
// back.
func TestOnlyTheLastReleaseTakesOverTheOldURN(t *testing.T) {
	shift := ledger.Entry{Kind: ledger.ShiftBegun, Release: "v3", Image: digestA, Stable: digestA, To: 10}
	for name, tt := range map[string]struct {
		entries []ledger.Entry
		release string
		renamed bool
	}{
		"nothing before":   {release: "v2", renamed: true},
		"the same release": {entries: []ledger.Entry{stands("v2", 10)}, release: "v2", renamed: true},
		"the same release at 0": {entries: []ledger.Entry{stands("v2", 10), stands("v2", 0)}, release: "v2",
			renamed: true},
		"another release": {entries: []ledger.Entry{stands("v2", 10), stands("v2", 0)}, release: "v3"},
		"a release that has begun": {entries: []ledger.Entry{stands("v2", 10), stands("v2", 0), shift}, release: "v3",
			renamed: true},
	} {
		w := newWorld()
		if len(tt.entries) > 0 {
			w.note(t, tt.entries...)
		}
		if err := w.run(t, "production", guardedConfig("release", tt.release)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := w.aliased["kubernetes:apps/v1:Deployment/finance-service-"+tt.release]; got != tt.renamed {
			t.Errorf("%s: takes over %t", name, got)
		}
	}
}
