package components

import (
	"cmp"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	rbacv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/rbac/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

// permission is a rule of a Role.
type permission struct {
	group     string
	resources []string
	names     []string
	verbs     []string
}

// permissions are what the guard may do: see everything that it decides on, and write to what a rollback touches.
// Where the API knows the name beforehand, the rule names it. It may read no Secret.
func (a *GuardArgs) permissions(app App) []permission {
	written := []string{a.Ledger}
	if a.Notified != "" {
		written = append(written, a.Notified)
	}
	rules := []permission{
		// A rollback ends the isolated pods of a bad canary, whose names nobody knows beforehand.
		{"", []string{"pods"}, nil, []string{"get", "list", "watch", "patch", "delete"}},
		{"", []string{"pods/log"}, nil, []string{"get"}},
		{"apps", []string{"deployments", "replicasets"}, nil, []string{"get", "list", "watch"}},
		{"apps", []string{"deployments/scale"}, a.Deployments, []string{"get", "patch"}},
		{"discovery.k8s.io", []string{"endpointslices"}, nil, []string{"get", "list", "watch"}},
		// Evidence is kept under a name that has its time.
		{"", []string{"configmaps"}, nil, []string{"list", "watch", "create", "delete"}},
		{"", []string{"configmaps"}, written, []string{"get", "update"}},
		{"", []string{"events"}, nil, []string{"create", "list"}},
		{"coordination.k8s.io", []string{"leases"}, nil, []string{"create"}},
		{"coordination.k8s.io", []string{"leases"}, []string{app.Name}, []string{"get", "update"}},
		// At 100 % the Service selects the canary alone; a rollback opens it to stable.
		{"", []string{"services"}, []string{a.Service}, []string{"get", "patch"}},
	}
	kind, route, qualified := strings.Cut(cmp.Or(a.Route, a.Service), "/")
	if !qualified {
		kind, route = "httproute", kind
	}
	rules = append(rules, permission{"gateway.networking.k8s.io", []string{kind + "s"}, []string{route},
		[]string{"get", "update"}})
	if a.Record != "" {
		// An annotation of the release record keeps the ledger's head.
		rules = append(rules, permission{"", []string{"configmaps"}, []string{a.Record}, []string{"get", "patch"}})
	}
	return rules
}

// newGuardPermissions makes the account of the guard with its Role.
func newGuardPermissions(ctx *pulumi.Context, name string, app App, args *GuardArgs,
	parent pulumi.ResourceOption) (account pulumi.StringInput, binding pulumi.Resource, err error) {
	serviceAccount, err := corev1.NewServiceAccount(ctx, name, &corev1.ServiceAccountArgs{
		Metadata: app.metadata(app.Name), ImagePullSecrets: pullSecrets(args.PullSecrets),
	}, parent)
	if err != nil {
		return nil, nil, err
	}
	var rules rbacv1.PolicyRuleArray
	for _, rule := range args.permissions(app) {
		rules = append(rules, rbacv1.PolicyRuleArgs{
			ApiGroups: pulumi.ToStringArray([]string{rule.group}), Resources: pulumi.ToStringArray(rule.resources),
			ResourceNames: pulumi.ToStringArray(rule.names), Verbs: pulumi.ToStringArray(rule.verbs),
		})
	}
	role, err := rbacv1.NewRole(ctx, name, &rbacv1.RoleArgs{Metadata: app.metadata(app.Name), Rules: rules}, parent,
		pulumi.ResourceHooks(args.Hooks))
	if err != nil {
		return nil, nil, err
	}
	bound, err := rbacv1.NewRoleBinding(ctx, name, &rbacv1.RoleBindingArgs{
		Metadata: app.metadata(app.Name),
		RoleRef: rbacv1.RoleRefArgs{
			ApiGroup: pulumi.String("rbac.authorization.k8s.io"), Kind: pulumi.String("Role"), Name: role.Metadata.Name().Elem(),
		},
		Subjects: rbacv1.SubjectArray{rbacv1.SubjectArgs{
			Kind: pulumi.String("ServiceAccount"), Name: serviceAccount.Metadata.Name().Elem(),
			Namespace: app.Namespace.ToStringOutput(),
		}},
	}, parent)
	return serviceAccount.Metadata.Name().Elem(), bound, err
}

// newWebhookService leads to the guard that acts.
func newWebhookService(ctx *pulumi.Context, name string, app App, port corev1.ServicePortArgs,
	parent pulumi.ResourceOption) error {
	metadata := app.metadata(app.Name + "-webhook")
	// Which pod acts is decided after the Service is made.
	metadata.Annotations = pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
	metadata.Labels = App{Name: app.Name + "-webhook", Environment: app.Environment, Namespace: app.Namespace}.labels()
	_, err := corev1.NewService(ctx, name+"-webhook", &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Selector: pulumi.StringMap{names.App: pulumi.String(app.Name), names.Leader: pulumi.String("true")},
			Ports:    corev1.ServicePortArray{port},
		},
	}, parent)
	return err
}
