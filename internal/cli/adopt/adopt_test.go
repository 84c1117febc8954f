package adopt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/takeover"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

// world is a namespace with a service that kubectl made, under the stable track's own name.
type world struct {
	*cluster.Cluster
	t         *testing.T
	operation *Operation
	written   takeover.Values
	updates   int
	// fewest is the least number of pods that took requests after a step.
	fewest int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, fewest: 1 << 30, Cluster: cluster.New(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		serviceOf(map[string]string{"app": "orders", "tier": "web"}))}
	w.Add(deploymentOf("orders-stable", map[string]string{"app": "orders", "tier": "web"}))
	w.operation = &Operation{
		Cluster: w.Client, Patience: 10 * time.Second, Report: func(string) { w.look() },
		Target: takeover.Target{App: "orders", Namespace: "shop", ServiceName: "orders", Stack: "production",
			Owner: "shop/production", Given: takeover.Values{}},
		Write:  func(values takeover.Values) error { w.written = values; return nil },
		Update: w.update, Replicas: func() int { return 3 },
	}
	return w
}

func serviceOf(selector map[string]string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}, Spec: corev1.ServiceSpec{
		Selector: selector, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}}}
}

func deploymentOf(name string, labels map[string]string) *appsv1.Deployment {
	deployment := cluster.Deployment("shop", name, "orders:v1", 3, labels)
	deployment.Labels = labels
	deployment.Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080}}
	return deployment
}

// update does what `pulumi up` does: it makes the stable track, and then the Service's selector.
func (w *world) update(ctx context.Context) error {
	w.updates++
	w.Add(deploymentOf("orders-stable", map[string]string{"app": "orders", "track": "stable", "traffic": "enabled",
		names.ManagedBy: names.Program}))
	w.look()
	service, err := w.Clientset.CoreV1().Services("shop").Get(ctx, "orders", metav1.GetOptions{})
	if err != nil {
		return err
	}
	service.Labels = map[string]string{names.ManagedBy: names.Program}
	service.Spec.Selector = map[string]string{"app": "orders", "traffic": "enabled"}
	_, err = w.Clientset.CoreV1().Services("shop").Update(ctx, service, metav1.UpdateOptions{})
	return err
}

func (w *world) look() {
	w.t.Helper()
	pods, err := w.Endpoints(w.t.Context(), "shop", "orders")
	if err != nil {
		w.t.Fatal(err)
	}
	w.fewest = min(w.fewest, len(pods))
}

func (w *world) plan() *takeover.Plan {
	w.t.Helper()
	live, err := Gather(w.t.Context(), w.Client, w.operation.Target)
	if err != nil {
		w.t.Fatal(err)
	}
	return takeover.New(w.operation.Target, live)
}

func (w *world) replicas(name string) int {
	w.t.Helper()
	deployment, exists, err := w.Deployment(w.t.Context(), "shop", name)
	if err != nil {
		w.t.Fatal(err)
	}
	if !exists {
		return -1
	}
	return int(*deployment.Spec.Replicas)
}

func TestATakeoverKeepsPodsInTrafficAtEveryStep(t *testing.T) {
	w := newWorld(t)
	plan := w.plan()
	if len(plan.Refusals) > 0 {
		t.Fatal(plan.Refusals)
	}
	if err := w.operation.Run(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	w.look()
	if w.fewest < 3 {
		t.Errorf("only %d pods took requests at some point", w.fewest)
	}
	if old, stable := w.replicas("orders-stable-before"), w.replicas("orders-stable"); old != 0 || stable != 3 {
		t.Errorf("the old Deployment has %d replicas, the stable track %d", old, stable)
	}
	namespace, _, err := w.NamespaceOwner(t.Context(), "shop")
	if err != nil || namespace.Annotations[names.Owner] != "shop/production" {
		t.Errorf("the namespace is marked %v: %v", namespace.Annotations, err)
	}
	record, _, err := w.ConfigMap(t.Context(), "shop", "orders-adopted")
	if err != nil || !strings.Contains(record["Deployment.orders-stable.yaml"], "image: orders:v1") ||
		!strings.Contains(record["service.orders.yaml"], "tier: web") {
		t.Errorf("the record is %v: %v", record, err)
	}
	if w.written["stableImage"] == nil || w.written["replicas"] != 3 {
		t.Errorf("the settings are %v", w.written)
	}
	if again := w.plan(); len(again.Steps) > 0 {
		t.Errorf("a second takeover has steps: %v", again.Steps)
	}
}

// A Deployment that is renamed keeps its pods: no pod is made anew.
func TestSettingAsideTouchesNoPod(t *testing.T) {
	w := newWorld(t)
	before, err := w.Endpoints(t.Context(), "shop", "orders")
	if err != nil {
		t.Fatal(err)
	}
	object := takeover.Object{Kind: "Deployment", Namespace: "shop", Name: "orders-stable"}
	if err := w.operation.setAside(t.Context(), object, "orders-stable-before"); err != nil {
		t.Fatal(err)
	}
	after, err := w.Endpoints(t.Context(), "shop", "orders")
	if err != nil || !slices.Equal(before, after) || len(after) != 3 {
		t.Errorf("pods were %v and are %v: %v", before, after, err)
	}
	if w.replicas("orders-stable") != -1 || w.replicas("orders-stable-before") != 3 {
		t.Error("the Deployment has not changed its name")
	}
}

// Whatever ends the update, the old pods run on, and the next try goes on.
func TestAnUpdateThatFailsLeavesTheOldPods(t *testing.T) {
	for name, update := range map[string]func(*world) error{
		"before the Service changes": func(*world) error { return errors.New("0 of 3 ready") },
		"after the Service changed": func(w *world) error {
			return errors.Join(w.update(w.t.Context()), errors.New("the smoke suite failed"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.operation.Update = func(context.Context) error { return update(w) }
			err := w.operation.Run(t.Context(), w.plan())
			if err == nil || !strings.Contains(err.Error(), "rollout adopt -s production") {
				t.Fatalf("the error does not say how to go on: %v", err)
			}
			if w.replicas("orders-stable-before") != 3 {
				t.Error("old pods ended")
			}
			w.operation.Update = w.update
			if err := w.operation.Run(t.Context(), w.plan()); err != nil {
				t.Fatal(err)
			}
			w.look()
			if w.replicas("orders-stable-before") != 0 || w.fewest < 3 {
				t.Errorf("the old Deployment has %d replicas, and %d pods took requests at the least",
					w.replicas("orders-stable-before"), w.fewest)
			}
		})
	}
}

// Somebody who turns the Service back between the update and the end keeps the old pods.
func TestAServiceThatIsTurnedBackKeepsItsPods(t *testing.T) {
	w := newWorld(t)
	w.operation.Update = func(ctx context.Context) error {
		if err := w.update(ctx); err != nil {
			return err
		}
		service := serviceOf(map[string]string{"app": "orders", "tier": "web"})
		_, err := w.Clientset.CoreV1().Services("shop").Update(ctx, service, metav1.UpdateOptions{})
		return err
	}
	err := w.operation.Run(t.Context(), w.plan())
	if err == nil || !strings.Contains(err.Error(), "somebody has turned it back") ||
		w.replicas("orders-stable-before") != 3 {
		t.Errorf("the old Deployment has %d replicas: %v", w.replicas("orders-stable-before"), err)
	}
}

// A ReplicaSet that a Rollout left behind is taken over as well.
func TestAReplicaSetWithoutAnOwnerIsTakenOver(t *testing.T) {
	w := newWorld(t)
	object := takeover.Object{Kind: "Deployment", Namespace: "shop", Name: "orders-stable"}
	if err := w.DeleteObject(t.Context(), deployments, "shop", object.Name, true); err != nil {
		t.Fatal(err)
	}
	plan := w.plan()
	if len(plan.Refusals) > 0 || !slices.ContainsFunc(plan.Steps, func(step takeover.Step) bool {
		return step.Action == takeover.Drain && step.Object.Kind == "ReplicaSet"
	}) {
		t.Fatalf("refusals %v, steps %v", plan.Refusals, plan.Steps)
	}
	if err := w.operation.Run(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	w.look()
	if w.fewest < 3 {
		t.Errorf("only %d pods took requests at some point", w.fewest)
	}
	set, exists, err := w.ReplicaSet(t.Context(), "shop", plan.Steps[len(plan.Steps)-1].Object.Name)
	if err != nil || !exists || *set.Spec.Replicas != 0 {
		t.Errorf("the ReplicaSet exists %v with %v: %v", exists, set.Spec.Replicas, err)
	}
}
