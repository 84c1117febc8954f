package admission

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Rollout is what the policies protect, and who may do what they keep others from.
type Rollout struct {
	Namespace, App, Service string
	// Route is the route whose weights are the rollout's, as NAME or KIND/NAME; empty for the one that the Service names.
	Route string
	// Users and Groups are the accounts that run `pulumi up` and `rollout`, by the API server's names for them.
	Users, Groups []string
}

// Validate returns an error unless the policies would protect something from somebody.
func (r Rollout) Validate() error {
	if r.Namespace == "" || r.App == "" || r.Service == "" {
		return errors.New("namespace, app and service are required")
	}
	if len(r.Users)+len(r.Groups) == 0 {
		return errors.New("nobody may roll out: name an account at least, or the next `pulumi up` is refused")
	}
	for _, name := range append(append([]string{}, r.Users...), r.Groups...) {
		if strings.TrimSpace(name) != name || name == "" || strings.ContainsFunc(name, unicode.IsControl) {
			return fmt.Errorf("%q is no name of an account", name)
		}
	}
	return nil
}

// Objects are the policies, each followed by the binding that puts it into force in the namespace.
func (r Rollout) Objects() ([]runtime.Object, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	var objects []runtime.Object
	for _, p := range []policy{r.records(), r.pods(), r.tracks(), r.services(), r.routes(), r.guard()} {
		objects = append(objects, r.build(p)...)
	}
	return objects, nil
}

// policy is a policy without what all have in common.
type policy struct {
	name      string
	resources []admissionv1.NamedRuleWithOperations
	// concerns tells for which requests it counts, allowed whether they are allowed. Both are CEL.
	concerns, allowed string
	// message says what is refused.
	message string
}

// build gives a policy its variables, its namespace and its binding.
func (r Rollout) build(p policy) []runtime.Object {
	fail, equivalent := admissionv1.Fail, admissionv1.Equivalent
	name := r.Namespace + "." + r.App + "." + p.name
	forbidden := metav1.StatusReasonForbidden
	return []runtime.Object{
		&admissionv1.ValidatingAdmissionPolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingAdmissionPolicy"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.ManagedBy: names.Program}},
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				FailurePolicy: &fail,
				MatchConstraints: &admissionv1.MatchResources{
					NamespaceSelector: &metav1.LabelSelector{
						MatchLabels: map[string]string{"kubernetes.io/metadata.name": r.Namespace},
					},
					ResourceRules: p.resources, MatchPolicy: &equivalent,
				},
				MatchConditions: []admissionv1.MatchCondition{
					{Name: "not-the-cluster", Expression: notTheCluster}, {Name: "concerns", Expression: p.concerns},
				},
				Variables: []admissionv1.Variable{
					{Name: "now", Expression: labelsOf("object")}, {Name: "before", Expression: labelsOf("oldObject")},
					{Name: "mayRollOut", Expression: r.mayRollOut()},
					{Name: "isGuard", Expression: r.isGuard()},
				},
				Validations: []admissionv1.Validation{{Expression: p.allowed, Reason: &forbidden,
					MessageExpression: fmt.Sprintf("%s + request.userInfo.username + %s", strconv.Quote("the rollout's policy: "),
						strconv.Quote(" "+p.message)),
					Message: "the rollout's policy: the account " + p.message}},
			},
		},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1",
				Kind: "ValidatingAdmissionPolicyBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.ManagedBy: names.Program}},
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName:        name,
				ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit},
			},
		},
	}
}

// notTheCluster leaves the cluster's own parts alone: each of them owns the namespace anyway. Kubelets are
// bound to their nodes by the API server itself.
const notTheCluster = `!(request.userInfo.username in ["system:apiserver", "system:kube-controller-manager", ` +
	`"system:kube-scheduler"]) && !request.userInfo.username.startsWith("system:node:") && ` +
	`!request.userInfo.username.startsWith("system:serviceaccount:kube-system:")`

// guardAccount is the user name of the guard's account.
func (r Rollout) guardAccount() string {
	return "system:serviceaccount:" + r.Namespace + ":" + names.Guard(r.App)
}

func (r Rollout) isGuard() string {
	return "request.userInfo.username == " + strconv.Quote(r.guardAccount())
}

func (r Rollout) mayRollOut() string {
	return fmt.Sprintf("request.userInfo.username in %s || has(request.userInfo.groups) && "+
		"request.userInfo.groups.exists(g, g in %s)", list(r.Users), list(r.Groups))
}

// list is a list of texts in CEL.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.Quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// labelsOf are the labels of an object; none for an object that is not there.
func labelsOf(object string) string {
	return fmt.Sprintf("%[1]s != null && has(%[1]s.metadata.labels) ? %[1]s.metadata.labels : {}", object)
}

// named is the name of the object of a request; empty while the API server has given it none.
const named = `(object != null ? (has(object.metadata.name) ? object.metadata.name : "") : oldObject.metadata.name)`

// rule is a rule on resources of a group.
func rule(group, version string, resources []string,
	operations ...admissionv1.OperationType) admissionv1.NamedRuleWithOperations {
	scope := admissionv1.NamespacedScope
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: operations, Rule: admissionv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources, Scope: &scope,
		},
	}}
}
