// Package cluster is a cluster in memory for tests: client-go's object tracker behind the HTTP interface of an API
// server, so that a test runs the real [kube.Client] on objects of its own. It knows optimistic concurrency, patches,
// server-side apply, logs, port-forwards and the service proxy, and keeps pods and EndpointSlices in line with
// Deployments and Services as the controllers of a cluster do, at once.
//
// A namespace that is deleted takes what is in it along, at once. Left out are watches, admission, field selectors and
// the validation of objects.
package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/kube"
)

// Cluster is a cluster in memory. It is safe for concurrent use.
type Cluster struct {
	// Client is the module's client of it.
	*kube.Client
	// Clientset is client-go's, to prepare and to inspect objects. Its calls count among those of [Cluster.Calls] too.
	Clientset kubernetes.Interface
	// Kubeconfig is the path of a file by which any client reaches the cluster.
	Kubeconfig string

	t       testing.TB
	fake    clienttesting.Fake
	objects *versioned

	mu    sync.Mutex
	calls []string
	kinds map[string][]string
	logs  map[string]string
	pods  map[string]http.Handler
	// services answer the service proxy, by "namespace/service:port".
	services map[string]http.Handler
}

// New starts a cluster that holds the objects, until the test ends.
func New(t testing.TB, objects ...runtime.Object) *Cluster {
	t.Helper()
	c := &Cluster{
		t: t, objects: newVersioned(), kinds: map[string][]string{}, logs: map[string]string{},
		pods: map[string]http.Handler{}, services: map[string]http.Handler{},
	}
	c.Allow(func(authorizationv1.ResourceAttributes) bool { return true })
	c.fake.AddReactor("*", "*", clienttesting.ObjectReaction(c.objects))
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	c.must(os.WriteFile(c.Kubeconfig, fmt.Appendf(nil, kubeconfig, server.URL), 0o600))
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	c.must(err)
	client, err := kube.New(kube.Options{Kubeconfig: c.Kubeconfig})
	c.must(err)
	c.Clientset, c.Client = clientset, client
	c.Add(objects...)
	return c
}

const kubeconfig = `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %q}}]
users: [{name: test, user: {token: of-the-test}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
`

func (c *Cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// Add puts objects into the cluster, and the controllers to work.
func (c *Cluster) Add(objects ...runtime.Object) {
	c.t.Helper()
	for _, object := range objects {
		c.must(c.objects.Add(object))
	}
}

// Replace puts an object in the place of the one that has its kind and name, and the controllers to work.
func (c *Cluster) Replace(object runtime.Object) {
	c.t.Helper()
	resource, _ := meta.UnsafeGuessKindToResource(object.GetObjectKind().GroupVersionKind())
	named, err := meta.Accessor(object)
	c.must(err)
	named.SetResourceVersion("")
	c.must(c.objects.Update(resource, object, named.GetNamespace()))
}

// React lets a reactor of client-go answer in place of the cluster. Verbs are those of the API (get, list, create,
// update, patch, delete), resources their plural names; * stands for any.
func (c *Cluster) React(verb, resource string, reaction clienttesting.ReactionFunc) {
	c.fake.Lock() // the server may be answering
	defer c.fake.Unlock()
	c.fake.PrependReactor(verb, resource, reaction)
}

// Fail lets every call of that kind end with the error until mend is called. An error that is none of the API server's
// becomes a refusal with its text.
func (c *Cluster) Fail(verb, resource string, err error) (mend func()) {
	var mu sync.Mutex
	failing := true
	if known := apierrors.APIStatus(nil); !errors.As(err, &known) {
		err = &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
			Message: err.Error(),
		}}
	}
	c.React(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		mu.Lock()
		defer mu.Unlock()
		return failing, nil, err
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		failing = false
	}
}

// Allow decides which questions for permissions are answered with yes; without it all are.
func (c *Cluster) Allow(allowed func(authorizationv1.ResourceAttributes) bool) {
	c.React("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review, ok := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		if !ok {
			return false, nil, nil
		}
		review.Status.Allowed = allowed(*review.Spec.ResourceAttributes)
		return true, review, nil
	})
}

// Calls lists what was asked of the cluster by verb, resource and name, such as "patch deployments/scale shop-v2".
func (c *Cluster) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.calls...)
}

// Serve lets the cluster have an API group version with those kinds, such as "monitoring.coreos.com/v1".
func (c *Cluster) Serve(groupVersion string, kinds ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds[groupVersion] = kinds
}

// Log sets the log of a pod's containers, or that of the containers before their last restart.
func (c *Cluster) Log(namespace, pod string, previous bool, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs[logKey(namespace, pod, previous)] = text
}

func logKey(namespace, pod string, previous bool) string {
	return fmt.Sprintf("%s/%s %t", namespace, pod, previous)
}

// NeverReady keeps the pods that a Deployment gets from now on from becoming ready.
func (c *Cluster) NeverReady(namespace, deployment string) {
	c.objects.mu.Lock()
	defer c.objects.mu.Unlock()
	c.objects.unready[namespace+"/"+deployment] = true
}

// HandlePod lets a pod answer HTTP on every port. A Deployment's name stands for all its pods.
func (c *Cluster) HandlePod(namespace, name string, handler http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pods[namespace+"/"+name] = handler
}

// HandleService lets the port of a Service answer through the API server's service proxy.
func (c *Cluster) HandleService(namespace, service string, port int, handler http.Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services[fmt.Sprintf("%s/%s:%d", namespace, service, port)] = handler
}
