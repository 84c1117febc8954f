//go:build e2e

package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

const (
	deployer = "e2e-deployer"
	mallory  = "e2e-mallory"
	// guards stands for the guard's account.
	guards = "guard"
)

// lab is a namespace of the real API server whose objects everybody may change by their roles: the policies alone
// decide.
type lab struct {
	t         *testing.T
	rollout   Rollout
	config    *rest.Config
	clientset kubernetes.Interface
	clients   map[string]dynamic.Interface
}

func newLab(t *testing.T) *lab {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatalf("no cluster: run `make cluster` and `. .local/env`: %v", err)
	}
	config.QPS = -1
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, config: config, clientset: clientset, clients: map[string]dynamic.Interface{}}
	namespace, err := clientset.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-admission-"}}, metav1.CreateOptions{})
	l.must(err)
	t.Cleanup(func() {
		l.must(clientset.CoreV1().Namespaces().Delete(context.Background(), namespace.Name, metav1.DeleteOptions{}))
	})
	l.rollout = Rollout{Namespace: namespace.Name, App: "shop", Service: "shop", Users: []string{deployer}}
	_, err = clientset.RbacV1().RoleBindings(namespace.Name).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "everybody"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind,
			Name: "e2e-everybody"}},
	}, metav1.CreateOptions{})
	l.must(err)
	// No pod is admitted before the namespace has its account.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		_, err := clientset.CoreV1().ServiceAccounts(namespace.Name).Get(t.Context(), "default", metav1.GetOptions{})
		if err == nil {
			return l
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// as is a client of an account; empty for the administrator.
func (l *lab) as(account string) dynamic.Interface {
	l.t.Helper()
	if l.clients[account] == nil {
		config := rest.CopyConfig(l.config)
		if account != "" {
			user := account
			if account == guards {
				user = l.rollout.guardAccount()
			}
			config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"e2e-everybody",
				"system:authenticated"}}
		}
		client, err := dynamic.NewForConfig(config)
		l.must(err)
		l.clients[account] = client
	}
	return l.clients[account]
}

// resourceOf are the resources of the test by their short names.
func resourceOf(kind string) schema.GroupVersionResource {
	groups := map[string]schema.GroupVersion{
		"deployments": {Group: "apps", Version: "v1"}, "replicasets": {Group: "apps", Version: "v1"},
		"statefulsets": {Group: "apps", Version: "v1"}, "daemonsets": {Group: "apps", Version: "v1"},
		"jobs": {Group: "batch", Version: "v1"}, "cronjobs": {Group: "batch", Version: "v1"},
		"leases":                      {Group: "coordination.k8s.io", Version: "v1"},
		"endpointslices":              {Group: "discovery.k8s.io", Version: "v1"},
		"validatingadmissionpolicies": {Group: "admissionregistration.k8s.io", Version: "v1"},
		"validatingadmissionpolicybindings": {Group: "admissionregistration.k8s.io",
			Version: "v1"},
	}
	if group, known := groups[kind]; known {
		return group.WithResource(kind)
	}
	return corev1.SchemeGroupVersion.WithResource(kind)
}

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	read := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &read.Object); err != nil {
		t.Fatal(err)
	}
	return read
}

// add makes objects that no policy watches yet.
func (l *lab) add(kind string, texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		_, err := l.as("").Resource(resourceOf(kind)).Namespace(l.rollout.Namespace).Create(l.t.Context(), object(l.t, text),
			metav1.CreateOptions{})
		l.must(err)
	}
}

// enforce puts the policies into force, and waits until the API server goes by them.
func (l *lab) enforce() {
	l.t.Helper()
	objects, err := l.rollout.Objects()
	l.must(err)
	for _, one := range objects {
		raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(one)
		l.must(err)
		item := &unstructured.Unstructured{Object: raw}
		kind := "validatingadmissionpolicies"
		if item.GetKind() == "ValidatingAdmissionPolicyBinding" {
			kind = "validatingadmissionpolicybindings"
		}
		client := l.as("").Resource(resourceOf(kind))
		_, err = client.Create(l.t.Context(), item, metav1.CreateOptions{})
		l.must(err)
		l.t.Cleanup(func() { l.must(client.Delete(context.Background(), item.GetName(), metav1.DeleteOptions{})) })
	}
	// The bindings come into force one by one, in no order.
	for _, first := range []attempt{
		{mallory, "patch configmaps shop-ledger", `{"data":{"x":"y"}}`, false},
		{mallory, "patch pods canary", `{"metadata":{"labels":{"traffic":"isolated"}}}`, false},
		{mallory, "patch deployments shop-stable", `{"spec":{"replicas":5}}`, false},
		{mallory, "patch services shop", `{"spec":{"selector":{"app":"other"}}}`, false},
		{guards, "patch pods stable", `{"metadata":{"labels":{"traffic":"isolated"}}}`, false},
	} {
		for deadline := time.Now().Add(time.Minute); l.try(first) == nil; time.Sleep(200 * time.Millisecond) {
			if time.Now().After(deadline) {
				l.t.Fatalf("%s is never refused", first.what)
			}
		}
	}
}

// attempt is a request of an account, as verb, resource and name, with a patch or an object.
type attempt struct {
	who, what, body string
	allowed         bool
}

// try makes a request as a dry run, which passes admission and changes nothing.
func (l *lab) try(a attempt) error {
	l.t.Helper()
	words := strings.Fields(a.what)
	kind, sub, _ := strings.Cut(words[1], "/")
	client, all := l.as(a.who).Resource(resourceOf(kind)).Namespace(l.rollout.Namespace), []string{metav1.DryRunAll}
	var subresources []string
	if sub != "" {
		subresources = []string{sub}
	}
	var err error
	switch words[0] {
	case "patch":
		_, err = client.Patch(l.t.Context(), words[2], types.MergePatchType, []byte(a.body),
			metav1.PatchOptions{DryRun: all}, subresources...)
	case "create":
		_, err = client.Create(l.t.Context(), object(l.t, a.body), metav1.CreateOptions{DryRun: all})
	case "delete":
		err = client.Delete(l.t.Context(), words[2], metav1.DeleteOptions{DryRun: all})
	}
	return err
}

func configMap(name string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {key: value}}", name)
}

func podOf(name string, labels map[string]string) string {
	encoded, _ := json.Marshal(labels)
	return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s, labels: %s}, spec: {schedulingGates: "+
		"[{name: e2e}], automountServiceAccountToken: false, containers: [{name: app, image: shop}]}}", name, encoded)
}

func deploymentOf(name string, labels map[string]string) string {
	encoded, _ := json.Marshal(labels)
	return fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: %[1]s, labels: %[2]s}, spec: "+
		"{replicas: 0, selector: {matchLabels: %[2]s}, template: {metadata: {labels: %[2]s}, spec: "+
		"{containers: [{name: app, image: shop}]}}}}", name, encoded)
}

// TestAdmission asks the real API server whether each account may do what it needs and nothing else, though its roles
// allow everything.
func TestAdmission(t *testing.T) {
	l := newLab(t)
	track := func(track, traffic string) map[string]string {
		return map[string]string{"app": "shop", "track": track, "version": track, "traffic": traffic}
	}
	l.add("configmaps", configMap("shop-ledger"), configMap("shop-release"), configMap("shop-verification"),
		configMap("shop-guard"), configMap("shop-evidence-1"), configMap("other"))
	l.add("pods", podOf("stable", track("stable", "enabled")), podOf("canary", track("canary", "enabled")),
		podOf("isolated", track("canary", "isolated")), podOf("guard", map[string]string{"app": "shop-guard"}),
		podOf("other", map[string]string{"app": "other"}))
	l.add("deployments", deploymentOf("shop-stable", map[string]string{"app": "shop", "track": "stable"}),
		deploymentOf("other", map[string]string{"app": "other"}),
		deploymentOf("guard", map[string]string{"app": "shop-guard"}))
	l.add("services", "{apiVersion: v1, kind: Service, metadata: {name: shop}, spec: {selector: {app: shop, "+
		"traffic: enabled}, ports: [{port: 80}]}}")
	l.add("leases", leaseOf("shop-guard"), leaseOf("other"))
	l.enforce()
	for _, attempt := range attempts() {
		err := l.try(attempt)
		refused := err != nil && strings.Contains(err.Error(), "the rollout's policy: ")
		switch {
		case err != nil && !refused:
			t.Errorf("%s: %s: %v", attempt.who, attempt.what, err)
		case refused == attempt.allowed:
			t.Errorf("%s: %s %s: %v", attempt.who, attempt.what, attempt.body, err)
		}
	}
}
