package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

const (
	digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	older  = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

	leaseName = "orders-operator"
)

// world is a project with two stacks and a cluster in memory. There is no Pulumi CLI and no Prometheus.
type world struct {
	*cluster.Cluster
	t   *testing.T
	dir string
	// calls is how many calls of the cluster prepared the test.
	calls int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := cluster.New(t,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "orders",
			Annotations: map[string]string{names.Owner: "shop/production"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "orders-staging",
			Annotations: map[string]string{names.Owner: "shop/staging"}}},
	)
	w := &world{Cluster: c, t: t, dir: t.TempDir()}
	t.Setenv("PATH", w.dir)
	t.Setenv("PULUMI_STACK", "")
	t.Setenv("PULUMI_OPTION_CWD", w.dir)
	w.write("Pulumi.yaml", "name: shop\nruntime: go\n")
	common := "  shop:app: orders\n  shop:kubeconfig: " + c.Kubeconfig +
		"\n  shop:prometheus: http://127.0.0.1:1\n" +
		"  shop:secretEnv: { PASSWORD: db/password }\n  shop:secrets: { db: { password: { secure: not-decrypted } } }\n" +
		"  shop:smoke: { tokenFrom: \"\", originFrom: \"\" }\n  shop:image: orders@" + digest + "\n"
	w.write("Pulumi.production.yaml",
		"config:\n"+common+"  shop:namespace: orders\n  shop:stableImage: orders@"+older+"\n"+
			"  shop:week: 1\n  shop:replicas: 10\n  shop:staging: { required: false }\n")
	w.write("Pulumi.staging.yaml", "config:\n"+common+"  shop:namespace: orders-staging\n  shop:strategy: single\n  "+
		"shop:serviceName: orders-staging\n  shop:replicas: 2\n")
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// prepared fails the test when its preparation did, and counts the calls of the cluster until now as part of it.
func (w *world) prepared(err error) {
	w.t.Helper()
	w.must(err)
	w.calls = len(w.Calls())
}

func (w *world) write(name, text string) {
	w.t.Helper()
	w.must(os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
}

// production is the text of the production stack's file.
func (w *world) production() string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "Pulumi.production.yaml"))
	w.must(err)
	return string(text)
}

// unreachable lets nothing listen at the address of the API server from now on, and gives that address.
func (w *world) unreachable() string {
	w.t.Helper()
	const address = "http://127.0.0.1:1"
	text, err := os.ReadFile(w.Kubeconfig)
	w.must(err)
	w.must(os.WriteFile(w.Kubeconfig, []byte(strings.ReplaceAll(string(text), w.Server(), address)), 0o600))
	return address
}

// withoutNamespace lets the stack's namespace be gone.
func (w *world) withoutNamespace() {
	w.t.Helper()
	w.prepared(w.Clientset.CoreV1().Namespaces().Delete(w.t.Context(), "orders", metav1.DeleteOptions{}))
}

// ownedBy marks whose the stack's namespace is.
func (w *world) ownedBy(owner string) {
	w.t.Helper()
	_, err := w.Clientset.CoreV1().Namespaces().Update(w.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "orders", Annotations: map[string]string{names.Owner: owner}}}, metav1.UpdateOptions{})
	w.prepared(err)
}

// canary is a Deployment of the release week1 at its second revision.
func (w *world) canary() {
	w.t.Helper()
	labels := map[string]string{names.App: "orders", names.Track: names.Canary, names.Version: "week1"}
	w.Add(cluster.Deployment("orders", "orders-week1", "orders@"+older, 1, labels))
	_, err := w.Clientset.AppsV1().Deployments("orders").Update(w.t.Context(),
		cluster.Deployment("orders", "orders-week1", "orders@"+digest, 1, labels), metav1.UpdateOptions{})
	w.prepared(err)
}

// heldBy lets another operator's command have renewed the Lease at this moment.
func (w *world) heldBy(holder string) {
	w.t.Helper()
	now := metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: leaseName, Namespace: "orders"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, AcquireTime: &now, RenewTime: &now},
	}
	client := w.Clientset.CoordinationV1().Leases("orders")
	_, err := client.Update(w.t.Context(), lease, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = client.Create(w.t.Context(), lease, metav1.CreateOptions{})
	}
	w.prepared(err)
}

// holder is who holds the Lease now; nobody when it was released or never held.
func (w *world) holder() string {
	w.t.Helper()
	holder, _, err := w.LeaseHolder(w.t.Context(), "orders", leaseName)
	w.must(err)
	return holder
}

// note writes the ledger.
func (w *world) note(entries ...ledger.Entry) {
	w.t.Helper()
	store := ledger.InConfigMap{Cluster: w.Client, Namespace: "orders", Name: "orders-ledger"}
	_, err := ledger.Write(w.t.Context(), store, time.Now, entries...)
	w.prepared(err)
}

// at brings the rollout to a weight.
func (w *world) at(weight int) {
	w.t.Helper()
	w.canary()
	position := ledger.Entry{Who: "anna", Release: "week1", Image: digest, Stable: older, To: weight}
	begun, reached := position, position
	begun.Kind, reached.Kind = ledger.ShiftBegun, ledger.ShiftReached
	w.note(begun, reached)
	w.prepared(w.Record(w.t.Context(), "orders", "orders-release", map[string]string{"image": "orders@" + digest,
		"weight": fmt.Sprint(weight)}))
}

// expectUnchanged fails when a command wrote something other than the operators' Lease.
func (w *world) expectUnchanged() {
	w.t.Helper()
	for _, call := range w.Calls()[w.calls:] {
		verb, _, _ := strings.Cut(call, " ")
		if reads := verb == "get" || verb == "list"; !reads && !strings.Contains(call, " leases") {
			w.t.Errorf("the cluster was asked to %s", call)
		}
	}
}
