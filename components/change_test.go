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
	for _, variant := range []resource.PropertyMap{at("inner", "a.example.com", 10), at("public", "b.example.com", 10),
		nil} {
		if attachment(variant) == before {
			t.Errorf("%v counts as the same place", variant)
		}
	}
}

// A hook reads back what the component wrote; what is computed later is not known.
func TestReadTrackChange(t *testing.T) {
	deployment := func(replicas any, checksum any) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{
			"metadata": map[string]any{"name": "finance-service-stable"},
			"spec": map[string]any{"replicas": replicas, "template": map[string]any{
				"metadata": map[string]any{"annotations": map[string]any{names.Checksum: checksum, names.Identity: "ab12"}},
			}},
		})
	}
	got := ReadTrackChange(&pulumi.ResourceHookArgs{
		Name: "stable", OldInputs: deployment(9, "old"), NewInputs: deployment(7, "new"),
	})
	want := TrackChange{Resource: "stable", Deployment: "finance-service-stable", PodsBefore: 9, PodsAfter: 7,
		ChecksumBefore: "old", ChecksumAfter: "new", OfPods: true, Identity: "ab12"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = ReadTrackChange(&pulumi.ResourceHookArgs{Name: "stable", NewInputs: deployment("later", 4)})
	want = TrackChange{Resource: "stable", Deployment: "finance-service-stable", OfPods: true, Identity: "ab12"}
	if got != want {
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

func TestReadGuardChange(t *testing.T) {
	config := func(text any) *pulumi.ResourceHookArgs {
		return &pulumi.ResourceHookArgs{NewInputs: resource.NewPropertyMapFromMap(map[string]any{
			"data": map[string]any{names.GuardKey: text}})}
	}
	for want, args := range map[string]*pulumi.ResourceHookArgs{
		`{"format":1}`: config(`{"format":1}`), "": config(resource.Computed{}),
	} {
		if got := ReadGuardChange(args, names.GuardKey).Configuration; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A change of the rules is put in words. Weights are none, nor are rules of testers, which come and go with the canary.
func TestReadRouteChange(t *testing.T) {
	backends := func(weight int) []any {
		return []any{map[string]any{"name": "stable", "weight": 100 - weight}, map[string]any{"name": "canary",
			"weight": weight}}
	}
	route := func(rules ...map[string]any) resource.PropertyMap {
		var list []any
		for _, rule := range rules {
			list = append(list, rule)
		}
		return resource.NewPropertyMapFromMap(map[string]any{"spec": map[string]any{"rules": list}})
	}
	rule := func(weight int, timeout string) map[string]any {
		return map[string]any{"backendRefs": backends(weight), "timeouts": map[string]any{"request": timeout}}
	}
	testers := map[string]any{"backendRefs": backends(1)[1:], "matches": []any{map[string]any{"method": "GET"}}}
	redirect := map[string]any{"filters": []any{map[string]any{"type": "RequestRedirect"}}}
	before := route(rule(10, "10s"))
	for name, tt := range map[string]struct {
		before, after resource.PropertyMap
		want          string
	}{
		"a new route": {nil, before, ""},
		"nothing":     {before, before, ""},
		"weights":     {before, route(rule(30, "10s")), ""},
		"testers":     {before, route(testers, rule(10, "10s")), ""},
		"a timeout":   {before, route(testers, rule(10, "20s")), "rule 1.timeouts.request 10s -> 20s"},
		"no timeout": {before, route(map[string]any{"backendRefs": backends(10)}),
			"rule 1.timeouts.request removed, was 10s"},
		"a redirect": {before, route(rule(10, "10s"), redirect),
			"rule 2.filters[0].type added: RequestRedirect, rules 1 -> 2"},
		"unknown rules": {resource.PropertyMap{}, before, ""},
		"no list of rules": {before, resource.NewPropertyMapFromMap(map[string]any{"spec": map[string]any{"rules": 1}}),
			""},
	} {
		got := ReadRouteChange(&pulumi.ResourceHookArgs{OldInputs: tt.before, NewInputs: tt.after}).Rules
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
