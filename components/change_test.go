package components

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

func TestPods(t *testing.T) {
	object := resource.NewPropertyMapFromMap
	for want, inputs := range map[int]resource.PropertyMap{
		7: object(map[string]any{"spec": map[string]any{"replicas": 7}}),
		3: object(map[string]any{"spec": map[string]any{"minReplicas": 3, "maxReplicas": 9}}),
		0: object(map[string]any{"spec": "unknown"}),
	} {
		if got := pods(inputs); got != want {
			t.Errorf("pods(%v) = %d", inputs, got)
		}
	}
}

func TestAttachment(t *testing.T) {
	at := func(gateway, host string, weight int) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": gateway}}, "hostnames": []any{host}, "rules": []any{weight},
		}})
	}
	before := attachment(at("public", "a.example.com", 10))
	if attachment(at("public", "a.example.com", 30)) != before {
		t.Error("another weight counts as another place")
	}
	for _, other := range []resource.PropertyMap{at("inner", "a.example.com", 10), at("public", "b.example.com", 10),
		nil} {
		if attachment(other) == before {
			t.Errorf("%v counts as the same place", other)
		}
	}
}

// A hook reads back what the component wrote; what is computed later is not known.
func TestReadTrackChange(t *testing.T) {
	deployment := func(replicas any, checksum any) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{
			"metadata": map[string]any{"name": "finance-service-stable"},
			"spec": map[string]any{"replicas": replicas, "template": map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{names.Checksum: checksum}},
			}},
		})
	}
	got := ReadTrackChange(&pulumi.ResourceHookArgs{
		Name: "stable", OldInputs: deployment(9, "old"), NewInputs: deployment(7, "new"),
	})
	want := TrackChange{Resource: "stable", Deployment: "finance-service-stable", PodsBefore: 9, PodsAfter: 7,
		ChecksumBefore: "old", ChecksumAfter: "new"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = ReadTrackChange(&pulumi.ResourceHookArgs{Name: "stable", NewInputs: deployment("later", 4)})
	if want := (TrackChange{Resource: "stable", Deployment: "finance-service-stable"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestReadOtherChanges(t *testing.T) {
	service := func(selector map[string]any) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{"spec": map[string]any{"selector": selector}})
	}
	selection := ReadSelectionChange(&pulumi.ResourceHookArgs{
		OldInputs: service(map[string]any{"app": "x"}), NewInputs: service(map[string]any{names.Track: names.Canary}),
	})
	if want := (SelectionChange{TrackAfter: names.Canary}); selection != want {
		t.Errorf("%+v, want %+v", selection, want)
	}
	record := resource.NewPropertyMapFromMap(map[string]any{"data": map[string]any{"image": "x@sha256:aa"}})
	if got := ReadRecordChange(&pulumi.ResourceHookArgs{NewInputs: record}); got.Image != "x@sha256:aa" {
		t.Errorf("%+v", got)
	}
	if got := ReadRecordChange(&pulumi.ResourceHookArgs{}); got.Image != "" {
		t.Errorf("%+v without a record", got)
	}
}
