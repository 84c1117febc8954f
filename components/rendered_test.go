package components

import (
	"encoding/json"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// A stack that sets nothing new gets the Deployment that earlier versions made, to the last field: a change would
// replace its pods.
func TestDeploymentsOfStacksThatSetNothingNew(t *testing.T) {
	cases := map[string]func(*TrackArgs){
		"canary": func(*TrackArgs) {},
		"stable": func(args *TrackArgs) {
			args.Track, args.Name, args.Version, args.Replicas = names.Stable, "finance-service-stable", "stable", 9
			args.Interruption, args.StagingVerified = 7, pulumi.String("sha256:aa")
		},
		"sparse": func(args *TrackArgs) {
			args.Track, args.Version = names.Stable, "v1"
			args.Pod = PodSpec{Resources: args.Pod.Resources, Probes: args.Pod.Probes,
				Shutdown: settings.Shutdown{Grace: 60, PreStop: 15}}
			args.Pod.Probes.Startup.FailureThreshold = 0
			args.Pod.Resources.Limits.Memory = "1.5Gi"
		},
	}
	for name, change := range cases {
		r := &recorder{}
		err := run(t, r, func(ctx *pulumi.Context) error {
			args := trackArgs()
			change(args)
			_, err := NewTrack(ctx, args.Track, args)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for key, inputs := range r.inputs {
			if len(key) < len(typeDeployment) || key[:len(typeDeployment)] != typeDeployment {
				continue
			}
			text, err := json.MarshalIndent(inputs.Mappable(), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, "deployment-"+name+".json", string(text)+"\n")
		}
	}
}
