package components

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const deploymentKey = typeDeployment + "/finance-service-week1"

// tracked makes the canary of the arguments with a change, and gives what the engine gets.
func tracked(t *testing.T, change func(*TrackArgs)) (*recorder, error) {
	t.Helper()
	r := &recorder{}
	return r, run(t, r, func(ctx *pulumi.Context) error {
		args := trackArgs()
		change(args)
		track, err := NewTrack(ctx, "canary", args)
		if err == nil {
			ctx.Export("image", track.Image)
		}
		return err
	})
}

func patches(t *testing.T, texts ...string) []settings.Overlay {
	t.Helper()
	var list []settings.Overlay
	for _, text := range texts {
		var patch settings.Overlay
		if err := json.Unmarshal([]byte(text), &patch); err != nil {
			t.Fatal(err)
		}
		list = append(list, patch)
	}
	return list
}

func TestShortSettingsOfThePods(t *testing.T) {
	r, err := tracked(t, func(args *TrackArgs) {
		args.Pod.User = settings.User{RunAsUser: 1001, RunAsGroup: 0, FSGroup: 1002}
		args.Pod.Writable, args.Pod.TmpSize = []string{"/app/src", "/app/logs"}, "1Gi"
		args.Pod.Command, args.Pod.Args = []string{"node"}, []string{"dist/main.js", "--port=3014"}
		args.Pod.Annotations = map[string]string{"linkerd.io/inject": "enabled"}
		args.Pod.Resources.Limits.CPU = ""
		args.Pod.EnvFrom = []settings.EnvSource{{SecretRef: "vault-db", Prefix: "DB_"}, {ConfigMapRef: "flags"}}
		args.RollingUpdate = settings.RollingUpdate{MaxSurge: "3", MaxUnavailable: "10%"}
	})
	if err != nil {
		t.Fatal(err)
	}
	const pod, container = "spec.template.spec.", "spec.template.spec.containers[0]."
	for path, want := range map[string]any{
		pod + "securityContext.runAsUser":  1001.0,
		pod + "securityContext.runAsGroup": 0.0,
		pod + "securityContext.fsGroup":    1002.0,
		pod + "volumes": []any{
			map[string]any{"name": "tmp", "emptyDir": map[string]any{"sizeLimit": "1Gi"}},
			map[string]any{"name": "writable-0", "emptyDir": map[string]any{"sizeLimit": "1Gi"}},
			map[string]any{"name": "writable-1", "emptyDir": map[string]any{"sizeLimit": "1Gi"}},
		},
		container + "volumeMounts[1]":                        map[string]any{"name": "writable-0", "mountPath": "/app/src"},
		container + "securityContext.readOnlyRootFilesystem": true,
		container + "envFrom": []any{
			map[string]any{"configMapRef": map[string]any{"name": "finance-service-config"}},
			map[string]any{"secretRef": map[string]any{"name": "vault-db"}, "prefix": "DB_"},
			map[string]any{"configMapRef": map[string]any{"name": "flags"}},
		},
		container + "command":          []any{"node"},
		container + "args":             []any{"dist/main.js", "--port=3014"},
		container + "resources.limits": map[string]any{"memory": "2Gi"},
		`spec.template.metadata.annotations`: map[string]any{"linkerd.io/inject": "enabled",
			"finance-rollout/config-checksum": "abc"},
		"spec.strategy.rollingUpdate": map[string]any{"maxSurge": 3.0, "maxUnavailable": "10%"},
	} {
		if diff := cmp.Diff(want, r.path(t, deploymentKey, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestAnOverlayReachesTheDeployment(t *testing.T) {
	r, err := tracked(t, func(args *TrackArgs) {
		args.Pod.Overlays = patches(t, `{"spec":{"nodeSelector":{"pool":"a"},"serviceAccountName":"payments",
			"containers":[{"name":"proxy","image":"proxy@sha256:cc","securityContext":{"allowPrivilegeEscalation":false,
			"capabilities":{"drop":["ALL"]}}}]}}`, `{"spec":{"nodeSelector":{"pool":"b"}}}`)
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"spec.template.spec.nodeSelector":              map[string]any{"pool": "b"},
		"spec.template.spec.serviceAccountName":        "payments",
		"spec.template.spec.containers[0].image":       "vextrus/finance@sha256:aa",
		"spec.template.spec.containers[1].image":       "proxy@sha256:cc",
		"spec.template.metadata.labels.track":          "canary",
		"spec.template.spec.volumes[0].emptyDir":       map[string]any{"sizeLimit": "64Mi"},
		"spec.template.spec.containers[0].env[0].name": "DATABASE_NAME",
	} {
		if diff := cmp.Diff(want, r.path(t, deploymentKey, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestARefusedOverlayRegistersNothing(t *testing.T) {
	r, err := tracked(t, func(args *TrackArgs) {
		args.Pod.Overlays = patches(t, `{"spec":{"containers":[{"name":"finance-service","image":"finance:v9"}]}}`)
	})
	testkit.WantError(t, err, "track finance-service-week1", "spec.containers.finance-service.image", `"finance:v9"`)
	if len(r.inputs) != 0 {
		t.Errorf("registered %v", r.inputs)
	}
}

// A preview that would build the image does not know it. The rest of the template is known all the same, for the diff
// and for the hooks that read the checksum.
func TestAnUnknownImageLeavesTheRestKnown(t *testing.T) {
	r, err := tracked(t, func(args *TrackArgs) {
		args.Image = pulumi.UnsafeUnknownOutput(nil).ApplyT(func(any) string { return "" }).(pulumi.StringOutput)
		args.Pod.Overlays = patches(t, `{"spec":{"nodeSelector":{"pool":"a"}}}`)
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		`spec.template.metadata.annotations["finance-rollout/config-checksum"]`: "abc",
		"spec.template.spec.nodeSelector.pool":                                  "a",
		"spec.template.spec.containers[0].name":                                 "finance-service",
	} {
		if diff := cmp.Diff(want, r.path(t, deploymentKey, path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	container := r.inputs[deploymentKey]["spec"].ObjectValue()["template"].ObjectValue()["spec"].
		ObjectValue()["containers"].ArrayValue()[0].ObjectValue()
	// The mock leaves out what is not known.
	if image, known := container["image"]; known {
		t.Errorf("the image is known to be %v", image)
	}
}

func TestTheServiceAccountHasItsAnnotations(t *testing.T) {
	r := &recorder{}
	err := run(t, r, func(ctx *pulumi.Context) error {
		args := environmentArgs()
		args.AccountAnnotations = map[string]string{"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/finance"}
		_, err := NewEnvironment(ctx, "environment", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := r.path(t, typeAccount+"/environment", "metadata.annotations").(map[string]any)
	if role, _ := got["eks.amazonaws.com/role-arn"].(string); !strings.HasSuffix(role, "role/finance") {
		t.Errorf("annotations %v", got)
	}
}
