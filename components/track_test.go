package components

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// inEngine is what the engine gets of a track: the aliases of its Deployment, budget and autoscaler by their keys.
func inEngine(t *testing.T, track, deployment string, renamed bool) map[string][]string {
	t.Helper()
	r := &recorder{}
	if err := run(t, r, func(ctx *pulumi.Context) error {
		args := trackArgs()
		args.Track, args.Name, args.Version, args.Renamed = track, deployment, deployment, renamed
		args.Autoscale = &settings.Autoscale{Min: 1, Max: 4, CPUPercent: 70}
		_, err := NewTrack(ctx, track, args)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, token := range []string{typeDeployment, typeBudget, typeAutoscaler} {
		for _, key := range slices.Sorted(maps.Keys(r.inputs)) {
			if len(key) > len(token) && key[:len(token)+1] == token+"/" {
				got[key] = r.aliases[key]
			}
		}
	}
	return got
}

func TestReleasesShareNoURN(t *testing.T) {
	for release, was := range map[string][]string{"finance-service-week1": {"canary"}, "finance-service-v2": nil} {
		want := map[string][]string{
			typeDeployment + "/" + release: was, typeBudget + "/" + release: was, typeAutoscaler + "/" + release: was,
		}
		if diff := cmp.Diff(want, inEngine(t, names.Canary, release, was != nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", release, diff)
		}
	}
}

func TestTheStableTrackKeepsItsURN(t *testing.T) {
	want := map[string][]string{
		typeDeployment + "/stable": nil, typeBudget + "/stable": nil, typeAutoscaler + "/stable": nil,
	}
	if diff := cmp.Diff(want, inEngine(t, names.Stable, "finance-service-stable", false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStableTrackKeepsItsSelectorAcrossVersions(t *testing.T) {
	r := &recorder{}
	err := run(t, r, func(ctx *pulumi.Context) error {
		args := trackArgs()
		args.Track, args.Version = names.Stable, "v41"
		args.Pod.Probes.Startup.FailureThreshold = 30
		_, err := NewTrack(ctx, "stable", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	key := typeDeployment + "/stable"
	want := map[string]any{"app": "finance-service", "track": "stable"}
	if diff := cmp.Diff(want, r.path(t, key, "spec.selector.matchLabels")); diff != "" {
		t.Error(diff)
	}
	if got := r.path(t, key, "spec.template.spec.containers[0].startupProbe.failureThreshold"); got != 30.0 {
		t.Errorf("startup probe: %v", got)
	}
}
