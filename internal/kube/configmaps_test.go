package kube

import (
	"context"
	"errors"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestConfigMapIsSwappedAndNotOverwritten(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	ctx := t.Context()
	if data, version, err := client.ConfigMap(ctx, "shop", "ledger"); err != nil || data != nil || version != "" {
		t.Errorf("what does not exist: %v, %q, %v", data, version, err)
	}
	if err := client.SwapConfigMap(ctx, "shop", "ledger", map[string]string{"a": "1"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := client.SwapConfigMap(ctx, "shop", "ledger", map[string]string{"a": "2"}, ""); !errors.Is(err, ErrConflict) {
		t.Errorf("a second creation: %v", err)
	}
	if err := client.SwapConfigMap(ctx, "shop", "gone", map[string]string{"a": "2"}, "5"); !errors.Is(err, ErrConflict) {
		t.Errorf("an update of what is gone: %v", err)
	}
	data, _, err := client.ConfigMap(ctx, "shop", "ledger")
	if err != nil || data["a"] != "1" {
		t.Errorf("%v, %v", data, err)
	}
}

// An annotation changes nothing else, and makes no ConfigMap.
func TestAConfigMapIsAnnotated(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	ctx := t.Context()
	if err := client.AnnotateConfigMap(ctx, "shop", "record", "head", "1"); err != nil {
		t.Errorf("what does not exist: %v", err)
	}
	if text, err := client.ConfigMapAnnotation(ctx, "shop", "record", "head"); err != nil || text != "" {
		t.Errorf("what does not exist: %q, %v", text, err)
	}
	if err := client.SwapConfigMap(ctx, "shop", "record", map[string]string{"weight": "10"}, ""); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"1", "2"} {
		if err := client.AnnotateConfigMap(ctx, "shop", "record", "head", value); err != nil {
			t.Fatal(err)
		}
		text, err := client.ConfigMapAnnotation(ctx, "shop", "record", "head")
		data, _, _ := client.ConfigMap(ctx, "shop", "record")
		if err != nil || text != value || data["weight"] != "10" {
			t.Errorf("%q, %v, %v", text, data, err)
		}
	}
}

// The guard watches the ConfigMaps with a ledger's purpose: a cursor must not wake it.
func TestCursorsHaveAPurposeOfTheirOwn(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	for name, swap := range map[string]func(context.Context, string, string, map[string]string, string) error{
		"ledger": client.SwapConfigMap, "notified": client.SwapCursors,
	} {
		if err := swap(t.Context(), "shop", name, map[string]string{"a": "1"}, ""); err != nil {
			t.Fatal(err)
		}
		created, err := client.clientset.CoreV1().ConfigMaps("shop").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || created.Labels["finance-rollout/purpose"] != name {
			t.Errorf("%s: %v, %v", name, created.Labels, err)
		}
	}
	if err := client.SwapCursors(t.Context(), "shop", "notified", nil, ""); !errors.Is(err, ErrConflict) {
		t.Errorf("a second creation: %v", err)
	}
}

func TestEvidenceIsKeptForTheNewest(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	for i := range 7 {
		if err := client.SaveEvidence(t.Context(), "shop", fmt.Sprintf("finance-evidence-2026030%d", i), "finance",
			[]byte("x"), 5); err != nil {
			t.Fatal(err)
		}
	}
	list, err := client.clientset.CoreV1().ConfigMaps("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 5 {
		t.Fatalf("%d, %v", len(list.Items), err)
	}
	for _, kept := range list.Items {
		if kept.Name < "finance-evidence-20260302" {
			t.Errorf("%s is kept", kept.Name)
		}
	}
	if err := client.SaveEvidence(t.Context(), "shop", "finance-evidence-20260306", "finance", []byte("x"),
		5); err != nil {
		t.Errorf("a rollback that is repeated: %v", err)
	}
}

func TestEvidenceTheNewestFirst(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	for _, name := range []string{"finance-evidence-20260301-100000", "finance-evidence-20260302-100000"} {
		if err := client.SaveEvidence(t.Context(), "shop", name, "finance", []byte(name), 5); err != nil {
			t.Fatal(err)
		}
	}
	evidence, err := client.Evidence(t.Context(), "shop", "finance")
	if err != nil || len(evidence) != 2 || evidence[0].Name != "finance-evidence-20260302-100000" ||
		string(evidence[0].Archive) != evidence[0].Name {
		t.Errorf("found %v: %v", evidence, err)
	}
}
