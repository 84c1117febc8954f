package adopt

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/takeover"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

// objectsOf reads the objects of a file, each as the API server has its kind.
func objectsOf(t *testing.T, name string) []runtime.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		raw := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &raw.Object); err != nil {
			t.Fatal(err)
		}
		typed, err := scheme.Scheme.New(raw.GroupVersionKind())
		if runtime.IsNotRegisteredError(err) {
			objects = append(objects, raw)
			continue
		}
		if err == nil {
			err = yaml.UnmarshalStrict(document, typed)
		}
		if err != nil {
			t.Fatalf("%s: %v", raw.GetKind(), err)
		}
		objects = append(objects, typed)
	}
	return objects
}

// keptBy is a namespace whose service another tool has made.
func keptBy(t *testing.T, tool string) *world {
	t.Helper()
	w := &world{t: t, fewest: 1 << 30, Cluster: cluster.New(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})}
	w.Add(objectsOf(t, tool)...)
	w.operation = &Operation{
		Cluster: w.Client, Patience: 10 * time.Second, Report: func(string) { w.look() },
		Target: takeover.Target{App: "orders", Namespace: "shop", ServiceName: "orders", Stack: "production",
			Owner: "shop/production", Given: takeover.Values{}},
		Write:  func(values takeover.Values) error { w.written = values; return nil },
		Update: w.update, Replicas: func() int { return 3 },
	}
	return w
}

// resolve does to an object what a refusal asks for.
func (w *world) resolve(kind schema.GroupVersionResource, name, patch string) {
	w.t.Helper()
	fields := map[string]any{}
	if err := yaml.Unmarshal([]byte(patch), &fields); err != nil {
		w.t.Fatal(err)
	}
	object, exists, err := w.Object(w.t.Context(), kind, "shop", name)
	if err != nil || !exists {
		w.t.Fatalf("%s %s: %t, %v", kind.Resource, name, exists, err)
	}
	for _, field := range []string{"annotations", "labels"} {
		values, _ := fields[field].(map[string]any)
		for key, value := range values {
			path := []string{"metadata", field, key}
			if value == nil {
				unstructured.RemoveNestedField(object.Object, path...)
			} else if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if fields["orphan"] == true {
		object.SetOwnerReferences(nil)
	}
	typed, err := scheme.Scheme.New(object.GroupVersionKind())
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.Replace(typed)
}

// What another tool keeps is refused with the command that lets the tool rest, and taken over once that is done.
func TestObjectsOfOtherToolsAreTakenOverWhenTheToolsLetGo(t *testing.T) {
	rollouts, _ := takeover.ResourceOf("Rollout")
	canaries, _ := takeover.ResourceOf("Canary")
	for tool, tt := range map[string]struct {
		words   []string
		resolve func(*world)
		image   string
	}{
		"helm": {words: []string{
			"service shop/orders: it belongs to the Helm release orders in shop: an uninstall would delete it, and an " +
				"upgrade turn its selector back",
			"kubectl annotate service orders -n shop --overwrite helm.sh/resource-policy=keep",
			"Deployment shop/orders: it belongs to the Helm release orders in shop: an uninstall would delete it, and an " +
				"upgrade turn its replicas back",
		}, resolve: func(w *world) {
			w.resolve(services, "orders", "annotations: {helm.sh/resource-policy: keep}")
			w.resolve(deployments, "orders", "annotations: {helm.sh/resource-policy: keep}")
		}, image: "registry.example.com/orders:1.4.2"},
		"argocd": {words: []string{
			"service shop/orders: the Argo CD application shop-orders keeps it: a sync or self-heal would turn its selector " +
				"back",
			"argocd app set shop-orders --sync-policy none",
			"kubectl annotate deployment orders -n shop --overwrite argocd.argoproj.io/sync-options=Prune=false",
			"kubectl annotate deployment orders -n shop argocd.argoproj.io/tracking-id-",
		}, resolve: func(w *world) {
			w.resolve(services, "orders", "annotations: {argocd.argoproj.io/tracking-id: null}")
			w.resolve(deployments, "orders", "annotations: {argocd.argoproj.io/tracking-id: null}")
		}, image: "registry.example.com/orders:1.4.2"},
		"flux": {words: []string{
			"the Flux Kustomization apps keeps it: the next reconciliation would turn its selector back",
			"flux suspend kustomization apps -n flux-system",
			"the Flux HelmRelease orders keeps it",
			"flux suspend helmrelease orders -n flux-system",
			"Deployment shop/orders: it belongs to the Helm release orders in shop",
		}, resolve: func(w *world) {
			w.resolve(services, "orders", "annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}")
			w.resolve(deployments, "orders", "annotations: {helm.sh/resource-policy: keep}")
		}, image: "registry.example.com/orders:1.4.2"},
		"rollouts": {words: []string{
			"service shop/orders: Argo Rollouts keeps its selector for Rollout orders",
			"ReplicaSet shop/orders-6d8f5c7b9: it belongs to Rollout orders, and Argo Rollouts would revert a change of its " +
				"replicas",
			`kubectl patch rollout orders -n shop --type merge -p '{"spec":{"paused":true}}' && kubectl delete rollout orders -n shop --cascade=orphan`,
		}, resolve: func(w *world) {
			w.delete(rollouts, "orders")
			w.resolve(replicaSets, "orders-6d8f5c7b9", "orphan: true")
		}, image: "registry.example.com/orders:1.4.1"},
		"flagger": {words: []string{
			"service shop/orders: it belongs to Canary orders, and Flagger would revert a change of its selector",
			"Deployment shop/orders-primary: it belongs to Canary orders, and Flagger would revert a change of its replicas",
			`kubectl patch canary orders -n shop --type merge -p '{"spec":{"suspend":true,"revertOnDeletion":false}}' && kubectl delete canary orders -n shop --cascade=orphan`,
		}, resolve: func(w *world) {
			w.delete(canaries, "orders")
			w.resolve(services, "orders", "orphan: true")
			w.resolve(deployments, "orders-primary", "orphan: true")
		}, image: "registry.example.com/orders:1.4.2"},
	} {
		t.Run(tool, func(t *testing.T) {
			w := keptBy(t, tool)
			plan := w.plan()
			var text strings.Builder
			for _, refusal := range plan.Refusals {
				text.WriteString(refusal.Error() + "\n")
			}
			for _, word := range tt.words {
				if !strings.Contains(text.String(), word) {
					t.Errorf("the refusals do not say %q:\n%s", word, text.String())
				}
			}
			if len(plan.Steps) > 0 {
				t.Errorf("there are steps all the same: %v", plan.Steps)
			}
			tt.resolve(w)
			plan = w.plan()
			if len(plan.Refusals) > 0 {
				t.Fatalf("still refused: %v", plan.Refusals)
			}
			if got := plan.Settings["stableImage"]; got != tt.image {
				t.Errorf("the stable image is %v, want %s", got, tt.image)
			}
			w.look()
			before := w.fewest
			if err := w.operation.Run(t.Context(), plan); err != nil {
				t.Fatal(err)
			}
			w.look()
			if w.fewest < before || before == 0 {
				t.Errorf("%d pods took requests, and %d at some point", before, w.fewest)
			}
			last := plan.Steps[len(plan.Steps)-1]
			if last.Action != takeover.Drain || !slices.Contains([]string{"orders", "orders-6d8f5c7b9", "orders-primary"},
				last.Object.Name) {
				t.Errorf("the last step is %+v", last)
			}
		})
	}
}

// delete takes an object away and leaves what it owns.
func (w *world) delete(kind schema.GroupVersionResource, name string) {
	w.t.Helper()
	if err := w.DeleteObject(context.WithoutCancel(w.t.Context()), kind, "shop", name, true); err != nil {
		w.t.Fatal(err)
	}
}
