package components

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
)

const typeAutoscaler = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"

// track makes a track with changed arguments.
func track(t *testing.T, r *recorder, change func(*TrackArgs)) error {
	t.Helper()
	return run(t, r, func(ctx *pulumi.Context) error {
		args := trackArgs()
		change(args)
		_, err := NewTrack(ctx, "canary", args)
		return err
	})
}

func TestAutoscalerInputs(t *testing.T) {
	r := &recorder{}
	if err := track(t, r, func(args *TrackArgs) {
		args.Replicas, args.Autoscale = 3, &settings.Autoscale{Min: 2, Max: 20, CPUPercent: 70}
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "finance-service-week1"},
		// No fewer than the plan asks for.
		"minReplicas": 3.0, "maxReplicas": 20.0,
		"metrics": []any{map[string]any{"type": "Resource", "resource": map[string]any{
			"name": "cpu", "target": map[string]any{"type": "Utilization", "averageUtilization": 70.0},
		}}},
	}
	if diff := cmp.Diff(want, r.path(t, typeAutoscaler+"/finance-service-week1", "spec")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := r.path(t, typeAutoscaler+"/finance-service-week1", "metadata.name"); got != "finance-service-week1" {
		t.Errorf("it is called %v", got)
	}
}

// The Deployment makes the first pods, and takes them all; between the two their number is the autoscaler's.
func TestTheReplicasAreTheAutoscalersWhileThereAreAny(t *testing.T) {
	tests := []struct {
		name       string
		replicas   int
		autoscaled bool
		ignored    bool
		least      float64
	}{
		{"first pods", 3, false, false, 3},
		{"pods of the autoscaler", 3, true, true, 3},
		// A canary that was rolled back, or went back to 0 %, stays so: an autoscaler leaves a Deployment with 0 replicas
		// alone.
		{"no pods", 0, true, false, 2},
		{"no pods before either", 0, false, false, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{}
			if err := track(t, r, func(args *TrackArgs) {
				args.Replicas, args.Autoscaled, args.Autoscale = tt.replicas, tt.autoscaled,
					&settings.Autoscale{Min: 2, Max: 20, CPUPercent: 70}
			}); err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(r.ignored[typeDeployment+"/finance-service-week1"], "spec.replicas"); got != tt.ignored {
				t.Errorf("replicas ignored: %v", got)
			}
			if got := r.path(t, typeDeployment+"/finance-service-week1", "spec.replicas"); got != float64(tt.replicas) {
				t.Errorf("%v replicas", got)
			}
			if got := r.path(t, typeAutoscaler+"/finance-service-week1", "spec.minReplicas"); got != tt.least {
				t.Errorf("at least %v", got)
			}
		})
	}
}

func TestATrackWithoutAnAutoscalerOwnsItsReplicas(t *testing.T) {
	r := &recorder{}
	if err := track(t, r, func(args *TrackArgs) { args.Autoscaled = true }); err != nil {
		t.Fatal(err)
	}
	if _, exists := r.inputs[typeAutoscaler+"/finance-service-week1"]; exists ||
		len(r.ignored[typeDeployment+"/finance-service-week1"]) > 0 {
		t.Errorf("an autoscaler was made: %v; ignored: %v", exists, r.ignored)
	}
}

func TestAFailingAutoscalerFailsTheTrack(t *testing.T) {
	err := track(t, &recorder{failing: typeAutoscaler}, func(args *TrackArgs) {
		args.Autoscale = &settings.Autoscale{Max: 20, CPUPercent: 70}
	})
	if err == nil {
		t.Error("the track passed")
	}
	for _, wrong := range []settings.Autoscale{{Max: 0, CPUPercent: 70}, {Max: 20}} {
		r := &recorder{}
		if err := track(t, r, func(args *TrackArgs) { args.Autoscale = &wrong }); err == nil || len(r.inputs) > 0 {
			t.Errorf("%+v: error %v, registered %v", wrong, err, r.inputs)
		}
	}
}
