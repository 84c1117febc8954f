package kube

import (
	"errors"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestListeners(t *testing.T) {
	gateway := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
		"metadata": map[string]any{"namespace": "infra", "name": "public"},
		"spec": map[string]any{"listeners": []any{
			map[string]any{"name": "web", "port": int64(80)}, map[string]any{"name": "secure", "port": int64(443)},
		}},
	}}
	client, dynamic := withRoute()
	// The fake client's guess of the kind's plural is another.
	if err := dynamic.Tracker().Create(gateways, gateway, "infra"); err != nil {
		t.Fatal(err)
	}
	names, exists, err := client.Listeners(t.Context(), "infra", "public")
	if !slices.Equal(names, []string{"web", "secure"}) || !exists || err != nil {
		t.Errorf("listeners %v, exists %t, error %v", names, exists, err)
	}
	if names, exists, err = client.Listeners(t.Context(), "infra", "inner"); names != nil || exists || err != nil {
		t.Errorf("listeners %v, exists %t, error %v of a Gateway that does not exist", names, exists, err)
	}
	dynamic.PrependReactor("get", "gateways", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(gateways.GroupResource(), "public", errors.New("no such right"))
	})
	_, _, err = client.Listeners(t.Context(), "infra", "public")
	testkit.WantError(t, err, "get gateway infra/public", "no such right")
}
