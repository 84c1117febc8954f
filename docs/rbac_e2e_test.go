//go:build e2e

package docs

import (
	"context"
	"os"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// roles are those of rbac.yaml.
func roles(t *testing.T) []rbacv1.ClusterRole {
	t.Helper()
	var list []rbacv1.ClusterRole
	for _, document := range strings.Split(read(t, "rbac.yaml"), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		list = append(list, role)
	}
	return list
}

// account is who has roles: in the stack's namespace, in that of Prometheus, and everywhere.
type account struct {
	stack, monitoring, everywhere []string
	// can and cannot are verb, resource[.group][/subresource], and a name or -; in front of it, a namespace may stand
	// with a colon: monitoring, or other for a namespace where nobody has a role.
	can, cannot []string
}

func accounts() map[string]account {
	return map[string]account{
		"deployer": {
			stack: []string{"deploy", "gateway"}, monitoring: []string{"prometheus"}, everywhere: []string{"namespace"},
			can: []string{"get namespaces vextrus-production", "get namespaces kube-system", "create deployments.apps -",
				"patch deployments.apps/scale finance-service-stable", "update configmaps finance-service-ledger",
				"create secrets -", "patch pods a", "create pods/portforward a", "delete pods a",
				"create roles.rbac -",
				"patch httproutes.gateway finance-service", "get gateways.gateway public",
				"monitoring: create services/proxy prometheus-operated:9090"},
			cannot: []string{"create namespaces -", "delete namespaces kube-system", "patch namespaces kube-system",
				"create pods -", "create pods/exec a", "create pods/attach a", "get nodes a", "create clusterroles.rbac -",
				"escalate roles.rbac -", "bind roles.rbac -", "impersonate users admin",
				"create serviceaccounts/token default", "update secrets a",
				"create validatingadmissionpolicies.admission -",
				"delete validatingadmissionpolicybindings.admission a",
				"other: get configmaps a", "other: patch pods a", "other: get secrets a", "monitoring: get secrets a"},
		},
		"reader": {
			stack: []string{"preview"}, monitoring: []string{"preview-prometheus"}, everywhere: []string{"preview-namespace"},
			can: []string{"get namespaces vextrus-production", "get configmaps finance-service-ledger", "list pods -",
				"get deployments.apps finance-service-stable", "list replicasets.apps -",
				"get networkpolicies.network finance-service",
				"monitoring: create services/proxy prometheus-operated:9090"},
			cannot: []string{"get secrets a", "list secrets -", "list configmaps -", "get networkpolicies.network a",
				"update configmaps finance-service-ledger",
				"patch pods a", "create pods/portforward a", "patch deployments.apps a", "get pods/log a",
				"patch namespaces kube-system",
				"monitoring: create services/proxy alertmanager-operated:9093", "monitoring: get services/proxy grafana:80",
				"other: get configmaps a"},
		},
		"on-call": {
			stack: []string{"oncall"}, everywhere: []string{"preview-namespace"},
			can: []string{"get configmaps finance-service-ledger", "update configmaps finance-service-ledger",
				"create configmaps -",
				"patch configmaps finance-service-release", "patch pods a", "delete pods a", "get pods/log a",
				"patch deployments.apps/scale finance-service-week1", "patch services finance-service",
				"update leases.coordination finance-service-operator", "list endpointslices.discovery -"},
			cannot: []string{"get secrets a", "list secrets -", "patch deployments.apps finance-service-week1",
				"create deployments.apps -", "delete deployments.apps a", "update configmaps finance-service-guard",
				"update configmaps finance-service-config", "patch configmaps finance-service-guard", "patch services other",
				"create roles.rbac -", "create pods -", "create pods/exec a", "delete namespaces vextrus-production",
				"patch networkpolicies.network a", "other: patch pods a"},
		},
		"preflight": {
			everywhere: []string{"look"},
			can:        []string{"list nodes -", "other: list pods -", "other: get cronjobs.batch a"},
			cannot: []string{"get nodes/proxy a", "list secrets -", "other: get configmaps a", "patch nodes a",
				"create pods -"},
		},
	}
}

// groups are the API groups whose names are long.
func groups() map[string]string {
	return map[string]string{"rbac": "rbac.authorization.k8s.io", "admission": "admissionregistration.k8s.io",
		"gateway": "gateway.networking.k8s.io", "network": "networking.k8s.io", "coordination": "coordination.k8s.io",
		"discovery": "discovery.k8s.io"}
}

// TestRoles asks the API server what each role of rbac.yaml can and cannot do.
func TestRoles(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatalf("no cluster: run `make cluster` and `. .local/env`: %v", err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	l := rights{t: t, client: client, namespaces: map[string]string{}}
	for _, name := range []string{"stack", "monitoring", "other"} {
		made, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-rights-"}}, metav1.CreateOptions{})
		l.must(err)
		l.namespaces[name] = made.Name
		t.Cleanup(func() {
			l.must(client.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{}))
		})
	}
	used := map[string]bool{}
	for _, role := range roles(t) {
		used[strings.TrimPrefix(role.Name, "finance-rollout-")] = false
		role.Name = l.role(role.Name)
		_, err := client.RbacV1().ClusterRoles().Create(t.Context(), &role, metav1.CreateOptions{})
		l.must(err)
		t.Cleanup(func() {
			l.must(client.RbacV1().ClusterRoles().Delete(context.Background(), role.Name, metav1.DeleteOptions{}))
		})
	}
	for name, who := range accounts() {
		for _, role := range who.stack {
			l.bind(l.namespaces["stack"], name, role)
			used[role] = true
		}
		for _, role := range who.monitoring {
			l.bind(l.namespaces["monitoring"], name, role)
			used[role] = true
		}
		for _, role := range who.everywhere {
			l.bind("", name, role)
			used[role] = true
		}
	}
	for role, is := range used {
		if !is {
			t.Errorf("no account of the test has the role %s", role)
		}
	}
	for name, who := range accounts() {
		for _, question := range who.can {
			l.expect(name, question, true)
		}
		for _, question := range who.cannot {
			l.expect(name, question, false)
		}
	}
}

// rights are roles and bindings of a test on a real API server.
type rights struct {
	t          *testing.T
	client     kubernetes.Interface
	namespaces map[string]string
}

func (l rights) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// role is the name of a role of rbac.yaml in this test.
func (l rights) role(name string) string {
	return l.namespaces["stack"] + "-" + strings.TrimPrefix(name, "finance-rollout-")
}

// bind gives an account a role in a namespace; empty for everywhere.
func (l rights) bind(namespace, who, role string) {
	l.t.Helper()
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: l.namespaces["stack"] + who}}
	reference := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: l.role(role)}
	if namespace == "" {
		made, err := l.client.RbacV1().ClusterRoleBindings().Create(l.t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-rights-"}, Subjects: subjects, RoleRef: reference,
		}, metav1.CreateOptions{})
		l.must(err)
		l.t.Cleanup(func() {
			l.must(l.client.RbacV1().ClusterRoleBindings().Delete(context.Background(), made.Name, metav1.DeleteOptions{}))
		})
		return
	}
	_, err := l.client.RbacV1().RoleBindings(namespace).Create(l.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}, Subjects: subjects, RoleRef: reference,
	}, metav1.CreateOptions{})
	l.must(err)
}

// expect asks the API server a question about an account.
func (l rights) expect(who, question string, want bool) {
	l.t.Helper()
	namespace, rest := l.namespaces["stack"], question
	if before, after, ok := strings.Cut(question, ": "); ok {
		namespace, rest = l.namespaces[before], after
	}
	words := strings.Fields(rest)
	resource, sub, _ := strings.Cut(words[1], "/")
	plural, group, _ := strings.Cut(resource, ".")
	if full, short := groups()[group]; short {
		group = full
	}
	name := strings.TrimPrefix(words[2], "-")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: l.namespaces["stack"] + who, Groups: []string{"system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: words[0], Group: group,
			Resource: plural, Subresource: sub, Name: name},
	}}
	switch plural {
	case "namespaces", "nodes", "users", "clusterroles", "validatingadmissionpolicies",
		"validatingadmissionpolicybindings":
		review.Spec.ResourceAttributes.Namespace = ""
	}
	got, err := l.client.AuthorizationV1().SubjectAccessReviews().Create(l.t.Context(), review, metav1.CreateOptions{})
	l.must(err)
	if got.Status.Allowed != want {
		l.t.Errorf("%s: %s: %t, want %t (%s)", who, question, got.Status.Allowed, want, got.Status.Reason)
	}
}
