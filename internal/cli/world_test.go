package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

const (
	digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	older  = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

	leasePath = "/apis/coordination.k8s.io/v1/namespaces/orders/leases/orders-operator"
)

// world is a project with two stacks and an API server that keeps objects by their path: as much as a command asks
// for before it changes something. There is no Pulumi CLI and no Prometheus.
type world struct {
	t      *testing.T
	server *httptest.Server
	dir    string

	mu      sync.Mutex
	objects map[string]json.RawMessage
	// changed lists what was written, but for the operators' Leases.
	changed []string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), objects: map[string]json.RawMessage{}}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	t.Setenv("PATH", w.dir)
	t.Setenv("PULUMI_STACK", "")
	t.Setenv("PULUMI_OPTION_CWD", w.dir)
	w.write("kubeconfig", `apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "`+w.server.URL+`"}}]
users: [{name: me, user: {token: secret-token}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
`)
	w.write("Pulumi.yaml", "name: shop\nruntime: go\n")
	common := "  shop:app: orders\n  shop:kubeconfig: " + filepath.Join(w.dir, "kubeconfig") +
		"\n  shop:prometheus: http://127.0.0.1:1\n" +
		"  shop:secretEnv: { PASSWORD: db/password }\n  shop:secrets: { db: { password: { secure: not-decrypted } } }\n" +
		"  shop:smoke: { tokenFrom: \"\", originFrom: \"\" }\n  shop:image: orders@" + digest + "\n"
	w.write("Pulumi.production.yaml",
		"config:\n"+common+"  shop:namespace: orders\n  shop:stableImage: orders@"+older+"\n"+
			"  shop:week: 1\n  shop:replicas: 10\n  shop:staging: { required: false }\n")
	w.write("Pulumi.staging.yaml", "config:\n"+common+"  shop:namespace: orders-staging\n  shop:strategy: single\n  "+
		"shop:serviceName: orders-staging\n  shop:replicas: 2\n")
	w.own("orders", "shop/production")
	w.own("orders-staging", "shop/staging")
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// forget lets an object be gone.
func (w *world) forget(at string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.objects, at)
}

// put keeps an object.
func (w *world) put(at string, object any) {
	w.t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[at] = raw
}

// own marks whose a namespace is.
func (w *world) own(namespace, owner string) {
	w.put("/api/v1/namespaces/"+namespace, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace,
		Annotations: map[string]string{names.Owner: owner}}})
}

// canary is a Deployment of the release week1 at its second revision.
func (w *world) canary() {
	labels, replicas, controls := map[string]string{names.App: "orders", names.Track: names.Canary,
		names.Version: "week1"}, int32(1), true
	at := func(image string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "orders", Image: "orders@" + image}}}}
	}
	meta := func(name, revision string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: "orders", Labels: labels,
			Annotations: map[string]string{"deployment.kubernetes.io/revision": revision}}
	}
	deployment := appsv1.Deployment{ObjectMeta: meta("orders-week1", "2")}
	deployment.UID = "canary"
	deployment.Spec = appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: at(digest)}
	w.put("/apis/apps/v1/namespaces/orders/deployments/orders-week1", deployment)
	for revision, image := range map[string]string{"1": older, "2": digest} {
		set := appsv1.ReplicaSet{ObjectMeta: meta("orders-week1-"+revision, revision),
			Spec: appsv1.ReplicaSetSpec{Template: at(image)}}
		set.OwnerReferences = []metav1.OwnerReference{{Kind: "Deployment", Name: deployment.Name, UID: deployment.UID,
			Controller: &controls}}
		w.put("/apis/apps/v1/namespaces/orders/replicasets/"+set.Name, set)
	}
}

// held is a Lease that another operator's command renewed at this moment.
func (w *world) held(holder string) {
	now := metav1.NowMicro()
	w.put(leasePath, coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-operator", Namespace: "orders", ResourceVersion: "1"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, AcquireTime: &now, RenewTime: &now},
	})
}

// holder is who holds the Lease now; nobody when it was released or never taken.
func (w *world) holder() string {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var lease coordinationv1.Lease
	if raw, exists := w.objects[leasePath]; exists {
		if err := json.Unmarshal(raw, &lease); err != nil {
			w.t.Fatal(err)
		}
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// note writes the ledger.
func (w *world) note(entries ...ledger.Entry) {
	w.t.Helper()
	cluster, err := kube.New(kube.Options{Kubeconfig: filepath.Join(w.dir, "kubeconfig")})
	if err != nil {
		w.t.Fatal(err)
	}
	store := ledger.InConfigMap{Cluster: cluster, Namespace: "orders", Name: "orders-ledger"}
	if _, err := ledger.Write(w.t.Context(), store, time.Now, entries...); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = nil
}

// at brings the rollout to a weight.
func (w *world) at(weight int) {
	w.canary()
	position := ledger.Entry{Who: "anna", Release: "week1", Image: digest, Stable: older, To: weight}
	begun, reached := position, position
	begun.Kind, reached.Kind = ledger.ShiftBegun, ledger.ShiftReached
	w.note(begun, reached)
	w.put("/api/v1/namespaces/orders/configmaps/orders-release", corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "orders-release"}, Data: map[string]string{"image": "orders@" + digest,
			"weight": fmt.Sprint(weight)},
	})
}

// expectUnchanged fails when something was written.
func (w *world) expectUnchanged() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.changed) > 0 {
		w.t.Errorf("it was changed: %v", w.changed)
	}
}

// ServeHTTP is the API server.
func (w *world) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answer.Header().Set("Content-Type", "application/json")
	at := request.URL.Path
	if request.Method != http.MethodGet {
		at = w.take(request)
	}
	object, exists := w.objects[at]
	switch {
	case exists:
		_, _ = answer.Write(object)
	case at == "/version":
		_, _ = io.WriteString(answer, `{"major":"1","minor":"34"}`)
	case slices.Contains([]string{"deployments", "replicasets", "pods"}, path.Base(at)):
		_ = json.NewEncoder(answer).Encode(map[string]any{"items": w.below(at)})
	default:
		answer.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(answer, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	}
}

// take keeps what is created or updated, and gives its path.
func (w *world) take(request *http.Request) string {
	at := request.URL.Path
	body, err := io.ReadAll(request.Body)
	if err != nil {
		w.t.Errorf("%s %s: %v", request.Method, at, err)
	}
	// Clients write protobuf as well as JSON.
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		w.changed = append(w.changed, request.Method+" "+at)
		return at
	}
	if named, ok := object.(metav1.Object); ok && request.Method == http.MethodPost {
		at += "/" + named.GetName()
	}
	if at != leasePath {
		w.changed = append(w.changed, request.Method+" "+at)
	}
	if w.objects[at], err = json.Marshal(object); err != nil {
		w.t.Errorf("%s %s: %v", request.Method, at, err)
	}
	return at
}

// below are the objects of a collection, whatever their labels are.
func (w *world) below(collection string) []json.RawMessage {
	found := []json.RawMessage{}
	for _, at := range slices.Sorted(maps.Keys(w.objects)) {
		if path.Dir(at) == collection {
			found = append(found, w.objects[at])
		}
	}
	return found
}
