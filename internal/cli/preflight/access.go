package preflight

import (
	"fmt"
	"slices"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// Access is a permission on the API server: a verb on a resource.
type Access struct {
	Verb, Group, Resource string
	// Namespace is empty for cluster-wide access, Name for access to any object.
	Namespace, Name string
	// For is the purpose of the access.
	For string
}

// String formats the access as kubectl does.
func (a Access) String() string {
	object := a.Resource
	if a.Group != "" {
		object += "." + a.Group
	}
	if a.Name != "" {
		object += "/" + a.Name
	}
	return a.Verb + " " + object
}

// scope is the place where a permission is needed.
type scope int

const (
	inStack scope = iota
	inCluster
	onNamespace // on the stack's namespace itself
	inPrometheus
	inGateway
	onSystem // on the namespace kube-system
)

// need is a rule of docs/rbac.yaml with its purpose and the stacks that need it.
type need struct {
	scope     scope
	group     string
	resources []string
	verbs     []string
	purpose   string
	when      func(*settings.Settings) bool
}

var (
	manage = []string{"get", "list", "watch", "create", "patch", "delete"}
	look   = []string{"list", "watch"}
)

func guarded(s *settings.Settings) bool   { return s.IsGuarded() }
func monitored(s *settings.Settings) bool { return s.Monitoring.Enabled }
func routed(s *settings.Settings) bool    { return s.Traffic == settings.TrafficGateway }
func byHTTP(s *settings.Settings) bool    { return routed(s) && s.RouteKind() == settings.RouteHTTP }
func byGRPC(s *settings.Settings) bool    { return routed(s) && s.RouteKind() == settings.RouteGRPC }
func attached(s *settings.Settings) bool  { return routed(s) && s.Gateway.Route == "" }
func canaries(s *settings.Settings) bool  { return !s.IsSingle() }

// needs are the rules of docs/rbac.yaml. A test keeps the two equal.
var needs = []need{
	{onNamespace, "", []string{"namespaces"}, []string{"get", "patch", "delete"}, "pulumi up", nil},
	{onSystem, "", []string{"namespaces"}, []string{"get"}, "telling the cluster from another one", nil},
	{inCluster, "", []string{"namespaces"}, look, "the deletion of a namespace", nil},
	{inStack, "", []string{"configmaps", "secrets", "serviceaccounts", "services"}, manage, "pulumi up", nil},
	{inStack, "apps", []string{"deployments"}, manage, "pulumi up", nil},
	{inStack, "networking.k8s.io", []string{"networkpolicies"}, manage, "pulumi up", nil},
	{inStack, "policy", []string{"poddisruptionbudgets"}, manage, "pulumi up", nil},
	{inStack, "monitoring.coreos.com", []string{"servicemonitors", "prometheusrules"}, manage, "monitoring", monitored},
	{inStack, "apps", []string{"replicasets"}, append([]string{"get"}, look...), "pulumi up, the guard", nil},
	{inStack, "gateway.networking.k8s.io", []string{"httproutes"}, append([]string{"update"}, manage...),
		"traffic through a Gateway", byHTTP},
	{inStack, "gateway.networking.k8s.io", []string{"grpcroutes"}, append([]string{"update"}, manage...),
		"traffic through a Gateway", byGRPC},
	{inStack, "autoscaling", []string{"horizontalpodautoscalers"}, manage, "autoscaling", routed},
	{inStack, "", []string{"pods", "endpoints", "persistentvolumeclaims", "events"}, look, "pulumi up", nil},
	{inStack, "", []string{"configmaps"}, []string{"update"}, "the ledger", canaries},
	{inStack, "discovery.k8s.io", []string{"endpointslices"}, []string{"get", "list", "watch"}, "capacity and rollback",
		nil},
	{inStack, "", []string{"pods"}, []string{"get", "patch"}, "rollback and the smoke suite", nil},
	{inStack, "apps", []string{"deployments/scale"}, []string{"get", "patch"}, "rollback", canaries},
	{inStack, "", []string{"pods/log"}, []string{"get"}, "the evidence of a rollback", nil},
	{inStack, "", []string{"pods"}, []string{"delete"}, "rollback", canaries},
	{inStack, "rbac.authorization.k8s.io", []string{"roles", "rolebindings"}, manage, "the guard's account", guarded},
	{inStack, "", []string{"events"}, []string{"create"}, "the guard's account", guarded},
	{inStack, "coordination.k8s.io", []string{"leases"}, []string{"create", "get", "update"},
		"the guard and operators' commands", canaries},
	{inStack, "", []string{"pods/portforward"}, []string{"create"}, "the smoke suite", nil},
	{inPrometheus, "", []string{"services/proxy"}, []string{"get", "create"}, "the gates' queries to Prometheus",
		byService},
	{inGateway, "gateway.networking.k8s.io", []string{"gateways"}, []string{"get"}, "traffic through a Gateway", attached},
}

// byService reports whether Prometheus is reached through the API server.
func byService(s *settings.Settings) bool {
	at, err := endpoint.Parse(s.Prometheus)
	return err == nil && at.Service != ""
}

// Needed returns the permissions that the user of a stack needs.
func Needed(s *settings.Settings) []Access {
	var list []Access
	for _, need := range needs {
		if need.when != nil && !need.when(s) {
			continue
		}
		namespace, name := need.place(s)
		for _, resource := range need.resources {
			for _, verb := range need.verbs {
				access := Access{Verb: verb, Group: need.group, Resource: resource, Namespace: namespace, Name: name,
					For: need.purpose}
				if !slices.ContainsFunc(list, access.same) {
					list = append(list, access)
				}
			}
		}
	}
	return list
}

func (a Access) same(b Access) bool {
	b.For = a.For
	return a == b
}

// place returns the namespace and the object name of a permission.
func (n need) place(s *settings.Settings) (namespace, name string) {
	switch n.scope {
	case inCluster:
		return "", ""
	case onNamespace:
		return "", s.Namespace
	case onSystem:
		return "", "kube-system"
	case inPrometheus:
		at, _ := endpoint.Parse(s.Prometheus) // byService has parsed it
		return at.Namespace, ""
	case inGateway:
		return s.Gateway.Namespace, ""
	default:
		return s.Namespace, ""
	}
}

// permissions checks all permissions in one row.
func (c checker) permissions() Row {
	r, answers := c.within(row("permissions", "kubectl apply -f docs/rbac.yaml, and bind its roles to the user as "+
		"docs/architecture.md describes"))
	if !answers {
		return r
	}
	var denied, unseen []string
	for _, permission := range c.f.Permissions {
		where := "cluster-wide"
		if permission.Namespace != "" {
			where = "in " + permission.Namespace
		}
		switch {
		case permission.Err != nil:
			unseen = append(unseen, fmt.Sprintf("%s %s", permission.Access, where))
		case !permission.Allowed:
			denied = append(denied, fmt.Sprintf("%s %s (for %s)", permission.Access, where, permission.For))
		}
	}
	total := len(c.f.Permissions)
	switch {
	case len(denied) > 0:
		return r.is(Failed, "%d of %d are missing: %s", len(denied), total, some(denied))
	case len(unseen) > 0:
		return r.is(Unknown, "%d of %d could not be checked: %s", len(unseen), total, some(unseen))
	case total == 0:
		return r.is(Unknown, "none was checked")
	default:
		return r.is(OK, "all %d are granted", total)
	}
}
