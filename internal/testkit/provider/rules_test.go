package provider

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

type object = map[string]any

func properties(object map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMap(object)
}

// A provider with an identity is the same cluster's under any address; without one, its address decides.
func TestWhenAProviderIsAnotherClusters(t *testing.T) {
	const identity = "clusterIdentifier"
	for name, tt := range map[string]struct {
		before, after object
		want          []string
	}{
		"another context": {object{"context": "a"}, object{"context": "b"}, []string{"context"}},
		"another context, same identity": {object{"context": "a", identity: "1"}, object{"context": "b", identity: "1"},
			nil},
		"another identity":               {object{identity: "1"}, object{identity: "2"}, []string{identity}},
		"an identity for the first time": {object{"context": "a"}, object{"context": "a", identity: "1"}, nil},
		"a first identity and its address": {object{"context": "a"}, object{"context": "b", identity: "1"},
			[]string{"context"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := replacedCluster(properties(tt.before), properties(tt.after)); !slices.Equal(got, tt.want) {
				t.Errorf("replaced because of %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWhatReplacesAnObject(t *testing.T) {
	deployment := func(name, namespace string, replicas int, app string) resource.PropertyMap {
		return properties(object{"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": object{"name": name, "namespace": namespace},
			"spec":     object{"replicas": replicas, "selector": object{"matchLabels": object{"app": app}}}})
	}
	before := deployment("orders", "shop", 1, "orders")
	for name, tt := range map[string]struct {
		after resource.PropertyMap
		want  []string
	}{
		"replicas":  {deployment("orders", "shop", 2, "orders"), nil},
		"name":      {deployment("bills", "shop", 1, "orders"), []string{"metadata.name"}},
		"namespace": {deployment("orders", "other", 1, "orders"), []string{"metadata.namespace"}},
		"selector":  {deployment("orders", "shop", 1, "bills"), []string{"spec.selector"}},
	} {
		t.Run(name, func(t *testing.T) {
			response := difference(before, tt.after, replacedObject(before, tt.after))
			if response.GetChanges() != pulumirpc.DiffResponse_DIFF_SOME || !slices.Equal(response.GetReplaces(), tt.want) {
				t.Errorf("%v, replaced because of %v, want %v", response.GetChanges(), response.GetReplaces(), tt.want)
			}
		})
	}
	if same := difference(before, before, nil); same.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("no change is %v", same)
	}
}

// A refresh finds what others changed in the fields that Pulumi set, and none of the fields that it did not set.
func TestReadBack(t *testing.T) {
	inputs := properties(object{"metadata": object{"name": "orders"}, "spec": object{"replicas": 3,
		"containers": []any{object{"image": "a"}}}})
	inputs["data"] = resource.MakeSecret(resource.NewStringProperty("old"))
	live := object{"metadata": object{"name": "orders", "uid": "1"}, "data": "new", "status": object{"replicas": 1},
		"spec": object{"replicas": int64(0), "paused": true, "containers": []any{object{"image": "b", "stdin": false}}}}
	got := readBack(inputs, live)
	want := object{"metadata": object{"name": "orders"}, "data": "new",
		"spec": object{"replicas": 0.0, "containers": []any{object{"image": "b"}}}}
	if diff := cmp.Diff(want, plain(got)); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	if !got["data"].IsSecret() {
		t.Error("the secret is none any more")
	}
}

// The API server keeps the texts of a Secret as bytes; a refresh finds them as they were given.
func TestASecretIsStoredAsBytes(t *testing.T) {
	secret := object{"kind": "Secret", "stringData": object{"password": "s3cr3t"}}
	live := stored(secret)
	if diff := cmp.Diff(object{"kind": "Secret", "data": object{"password": "czNjcjN0"}}, live); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(secret, plain(readBack(properties(secret), given(live)))); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}
