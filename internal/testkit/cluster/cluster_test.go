package cluster

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

var canary = map[string]string{"app": "finance", "track": "canary", "traffic": "enabled"}

func shop(t *testing.T) *Cluster {
	t.Helper()
	selector := map[string]string{"app": "finance", "traffic": "enabled"}
	return New(t, Deployment("shop", "finance-v2", "finance@sha256:11", 2, canary), Service("shop", "finance", selector))
}

func TestADeploymentGetsPodsAndAServiceGetsEndpoints(t *testing.T) {
	c, ctx := shop(t), t.Context()
	pods, err := c.ReadyPods(ctx, "shop", "finance-v2")
	if err != nil || len(pods) != 2 || pods[0].Spec.Containers[0].Image != "finance@sha256:11" {
		t.Fatalf("pods %v: %v", pods, err)
	}
	if err := c.WaitDeploymentReady(ctx, "shop", "finance-v2", 2); err != nil {
		t.Error(err)
	}
	if err := c.Scale(ctx, "shop", "finance-v2", 3); err != nil {
		t.Fatal(err)
	}
	if endpoints, err := c.Endpoints(ctx, "shop", "finance"); err != nil || len(endpoints) != 3 {
		t.Errorf("endpoints %v: %v", endpoints, err)
	}
	if _, err := c.LabelPods(ctx, "shop", canary, "traffic", "isolated"); err != nil {
		t.Fatal(err)
	}
	if endpoints, err := c.Endpoints(ctx, "shop", "finance"); err != nil || len(endpoints) > 0 {
		t.Errorf("endpoints %v: %v", endpoints, err)
	}
	if err := c.DeleteDeployment(ctx, "shop", "finance-v2"); err != nil {
		t.Fatal(err)
	}
	if pods, err := c.AllPods(ctx, "shop", map[string]string{"app": "finance"}); err != nil || len(pods) > 0 {
		t.Errorf("its pods are left: %v, %v", pods, err)
	}
}

func TestANewTemplateReplacesThePods(t *testing.T) {
	c, ctx := shop(t), t.Context()
	deployment, _, err := c.Deployment(ctx, "shop", "finance-v2")
	if err != nil {
		t.Fatal(err)
	}
	deployment.Spec.Template.Spec.Containers[0].Image = "finance@sha256:22"
	if _, err := c.Clientset.AppsV1().Deployments("shop").Update(ctx, deployment, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	pods, err := c.DeploymentPods(ctx, "shop", "finance-v2")
	if err != nil || len(pods) != 2 || pods[1].Spec.Containers[0].Image != "finance@sha256:22" {
		t.Errorf("pods %v: %v", pods, err)
	}
	revisions, err := c.Revisions(ctx, "shop", "finance-v2")
	if err != nil || len(revisions) != 2 || !revisions[1].Present {
		t.Fatalf("revisions %+v: %v", revisions, err)
	}
	if err := c.UndoTo(ctx, "shop", "finance-v2", revisions[0]); err != nil {
		t.Fatal(err)
	}
	if err := c.Scale(ctx, "shop", "finance-v2", 1); err != nil {
		t.Fatal(err)
	}
	pods, err = c.DeploymentPods(ctx, "shop", "finance-v2")
	if err != nil || len(pods) != 1 || pods[0].Spec.Containers[0].Image != "finance@sha256:11" {
		t.Errorf("pods %v: %v", pods, err)
	}
	if err := c.ForgetUndo(ctx, "shop", "finance-v2"); err != nil {
		t.Error(err)
	}
}

func TestANamespaceTakesItsObjectsAlong(t *testing.T) {
	c, ctx := shop(t), t.Context()
	c.Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}},
		Deployment("other", "finance-v2", "finance@sha256:11", 1, canary))
	if err := c.Record(ctx, "shop", "ledger", map[string]string{"a": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Clientset.CoreV1().Namespaces().Delete(ctx, "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if pods, err := c.AllPods(ctx, "shop", canary); err != nil || len(pods) > 0 {
		t.Errorf("its pods are left: %v, %v", pods, err)
	}
	if data, _, err := c.ConfigMap(ctx, "shop", "ledger"); err != nil || data != nil {
		t.Errorf("its ConfigMap is left: %v, %v", data, err)
	}
	if pods, err := c.ReadyPods(ctx, "other", "finance-v2"); err != nil || len(pods) != 1 {
		t.Errorf("the other namespace has the pods %v, %v", pods, err)
	}
}

func TestAnOlderVersionIsAConflict(t *testing.T) {
	c, ctx := New(t), t.Context()
	if err := c.SwapConfigMap(ctx, "shop", "ledger", map[string]string{"a": "1"}, ""); err != nil {
		t.Fatal(err)
	}
	_, version, err := c.ConfigMap(ctx, "shop", "ledger")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SwapConfigMap(ctx, "shop", "ledger", map[string]string{"a": "2"}, version); err != nil {
		t.Fatal(err)
	}
	if err := c.SwapConfigMap(ctx, "shop", "ledger", map[string]string{"a": "3"}, version); !errors.Is(err,
		kube.ErrConflict) {
		t.Errorf("an update of an older version: %v", err)
	}
	if data, _, err := c.ConfigMap(ctx, "shop", "ledger"); err != nil || data["a"] != "2" {
		t.Errorf("%v, %v", data, err)
	}
	if err := c.Record(ctx, "shop", "record", map[string]string{"b": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Record(ctx, "shop", "record", map[string]string{"c": "2"}); err != nil {
		t.Fatal(err)
	}
	if data, _, err := c.ConfigMap(ctx, "shop", "record"); err != nil || len(data) != 1 || data["c"] != "2" {
		t.Errorf("%v, %v", data, err)
	}
}

func TestFaultsAreMended(t *testing.T) {
	c, ctx := shop(t), t.Context()
	mend := c.Fail("patch", "deployments/scale", errors.New("no such right"))
	testkit.WantError(t, c.Scale(ctx, "shop", "finance-v2", 1), "scale deployment shop/finance-v2 to 1", "no such right")
	mend()
	if err := c.Scale(ctx, "shop", "finance-v2", 1); err != nil {
		t.Error(err)
	}
	if want := []string{"patch deployments/scale finance-v2", "patch deployments/scale finance-v2"}; !slices.Equal(
		c.Calls(), want) {
		t.Errorf("called %q", c.Calls())
	}
	c.Fail("get", "version", errors.New("switched off"))
	testkit.WantError(t, c.Check(ctx), "switched off")
}

func TestLogsPortsAndProxies(t *testing.T) {
	c, ctx := shop(t), t.Context()
	pods, err := c.ReadyPods(ctx, "shop", "finance-v2")
	if err != nil {
		t.Fatal(err)
	}
	name := pods[0].Name
	c.Log("shop", name, true, "before\n")
	if text, err := c.Logs(ctx, "shop", name, "app", true, 10); err != nil || text != "before\n" {
		t.Errorf("%q, %v", text, err)
	}
	_, err = c.Logs(ctx, "shop", "none", "app", false, 10)
	testkit.WantError(t, err, "none", "not found")
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, text+r.URL.Path) })
	}
	c.HandlePod("shop", "finance-v2", say("pod"))
	client, base, end, err := c.PodClient(ctx, "shop", name, 3014)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if got := read(t, client, base+"/live"); got != "pod/live" {
		t.Errorf("got %q", got)
	}
	c.Fail("create", "pods/portforward", errors.New("no port-forwards"))
	_, _, _, err = c.PodClient(ctx, "shop", name, 3014)
	testkit.WantError(t, err, "no port-forwards")
	c.HandleService("monitoring", "prometheus", 9090, say("service"))
	transport, base := c.ServiceProxy("monitoring", "prometheus", 9090)
	if got := read(t, &http.Client{Transport: transport}, base+"/-/ready"); got != "service/-/ready" {
		t.Errorf("got %q", got)
	}
}

func read(t *testing.T, client *http.Client, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestWhatACommandReadsFirst(t *testing.T) {
	c, ctx := New(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop",
		Annotations: map[string]string{"owner": "me"}}}), t.Context()
	if owner, exists, err := c.NamespaceOwner(ctx, "shop"); err != nil || !exists || owner.Annotations["owner"] != "me" {
		t.Errorf("%+v, %v, %v", owner, exists, err)
	}
	if version, err := c.Version(ctx); err != nil || version != Version {
		t.Errorf("%q, %v", version, err)
	}
	c.Serve("monitoring.coreos.com/v1", "ServiceMonitor")
	if kinds, err := c.Kinds(ctx, "monitoring.coreos.com/v1"); err != nil || !slices.Equal(kinds,
		[]string{"ServiceMonitor"}) {
		t.Errorf("%v, %v", kinds, err)
	}
	if kinds, err := c.Kinds(ctx, "gateway.networking.k8s.io/v1"); err != nil || kinds != nil {
		t.Errorf("%v, %v", kinds, err)
	}
	c.Allow(func(asked authorizationv1.ResourceAttributes) bool { return asked.Verb != "delete" })
	for verb, want := range map[string]bool{"get": true, "delete": false} {
		if got, err := c.Allowed(ctx, verb, "", "pods", "shop", ""); err != nil || got != want {
			t.Errorf("%s: %v, %v", verb, got, err)
		}
	}
	release, err := c.Hold(ctx, "shop", "operator", "anna", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Hold(ctx, "shop", "operator", "ben", false); err == nil {
		t.Error("two hold it")
	}
	release()
	if err := c.Announce(ctx, "shop", "finance-v2", kube.Warning, "Bad", "33 of 90 failed"); err != nil {
		t.Fatal(err)
	}
	events, err := c.EventTexts(ctx, "shop", "finance-v2")
	if err != nil || len(events) != 1 {
		t.Errorf("%q, %v", events, err)
	}
}

func TestRoutes(t *testing.T) {
	c, ctx := New(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"namespace": "shop", "name": "finance"},
		"spec": map[string]any{"rules": []any{map[string]any{"backendRefs": []any{
			map[string]any{"name": "finance-stable", "weight": int64(100)},
			map[string]any{"name": "finance-canary", "weight": int64(0)},
		}}}},
	}}), t.Context()
	want := map[string]int{"finance-stable": 70, "finance-canary": 30}
	if err := c.SetRouteWeights(ctx, "shop", "finance", want); err != nil {
		t.Fatal(err)
	}
	if got, err := c.RouteWeights(ctx, "shop", "finance"); err != nil || got["finance-canary"] != 30 {
		t.Errorf("%v, %v", got, err)
	}
	if err := c.WaitRoute(ctx, "shop", "finance", want); err != nil {
		t.Error(err)
	}
	if got, err := c.RouteWeights(ctx, "shop", "none"); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAPodThatIsNotReadyGetsNoRequests(t *testing.T) {
	c := shop(t)
	c.Add(Pod("shop", "starting", false, canary), Pod("shop", "alone", true, canary))
	endpoints, err := c.Endpoints(t.Context(), "shop", "finance")
	if err != nil || len(endpoints) != 3 || !slices.Contains(endpoints, "alone") {
		t.Errorf("%v, %v", endpoints, err)
	}
	if pods, err := c.DeploymentPods(t.Context(), "shop", "finance-v2"); err != nil || len(pods) != 2 {
		t.Errorf("pods of nobody are counted: %v, %v", pods, err)
	}
}

func TestPodsThatNeverBecomeReady(t *testing.T) {
	c, ctx := shop(t), t.Context()
	c.NeverReady("shop", "finance-v2")
	if err := c.Scale(ctx, "shop", "finance-v2", 5); err != nil {
		t.Fatal(err)
	}
	if pods, err := c.DeploymentPods(ctx, "shop", "finance-v2"); err != nil || len(pods) != 5 ||
		pods[4].Status.ContainerStatuses[0].Ready {
		t.Errorf("pods %v: %v", pods, err)
	}
	if endpoints, err := c.Endpoints(ctx, "shop", "finance"); err != nil || len(endpoints) != 2 {
		t.Errorf("endpoints %v: %v", endpoints, err)
	}
	deployment, _, err := c.Deployment(ctx, "shop", "finance-v2")
	if err != nil || deployment.Status.ReadyReplicas != 2 || deployment.Status.Replicas != 5 {
		t.Errorf("status %+v: %v", deployment.Status, err)
	}
}
