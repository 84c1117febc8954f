package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

// rulesOf are the rules of roles in docs/rbac.yaml, for the rollout of the test.
func rulesOf(t *testing.T, roles ...string) []rbacv1.PolicyRule {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("finance-service", "orders", "vextrus-production", "orders").Replace(string(content))
	var rules []rbacv1.PolicyRule
	for _, document := range strings.Split(text, "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(roles, role.Name) {
			rules = append(rules, role.Rules...)
		}
	}
	return rules
}

// allow reports whether rules allow a call of the cluster in memory, such as "patch deployments/scale orders-week1".
func allow(rules []rbacv1.PolicyRule, call string) bool {
	words := append(strings.Fields(call), "")
	return slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool {
		return slices.Contains(rule.Verbs, words[0]) && slices.Contains(rule.Resources, words[1]) &&
			(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, words[2]))
	})
}

// Those on call need no right to deploy: what the commands ask of the cluster, from the first look to the
// rollback, the role of docs/rbac.yaml allows.
func TestTheRoleOfThoseOnCallIsEnough(t *testing.T) {
	w := newWorld(t)
	stable := map[string]string{names.App: "orders", names.Track: names.Stable, names.Version: "stable"}
	w.Add(cluster.Deployment("orders", "orders-stable", "orders@"+older, 9, stable),
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "orders", Namespace: "orders"}, Spec: corev1.ServiceSpec{
			Selector: map[string]string{names.App: "orders", names.Traffic: names.Enabled}}})
	w.at(10)
	for _, args := range [][]string{{"status"}, {"logs"}, {"diagnose"},
		{"rollback", "--yes", "--reason", "errors", "--watch", "0s", "--report", "-"}, {"evidence", "list"}, {"report"}} {
		code, printed := called(t, append(args, "-s", "production")...)
		// Without the Pulumi CLI the stack's own state is left to do.
		if args[0] == "rollback" && (code != terminal.ExitFailed || !strings.Contains(printed, "week1 is out of traffic")) {
			t.Errorf("rollback ends with %d:\n%s", code, printed)
		}
	}
	rules := rulesOf(t, "finance-rollout-oncall", "finance-rollout-preview-namespace")
	writes := 0
	for _, call := range w.Calls()[w.calls:] {
		verb, _, _ := strings.Cut(call, " ")
		// Every account may ask for the version, for the kinds, and for itself.
		if strings.HasPrefix(call, "get version") || strings.HasPrefix(call, "get kinds") ||
			strings.Contains(call, "selfsubject") {
			continue
		}
		if verb != "get" && verb != "list" {
			writes++
		}
		if !allow(rules, call) {
			t.Errorf("it may not %s", call)
		}
	}
	if writes < 4 {
		t.Errorf("only %d calls write: nothing was rolled back", writes)
	}
	for _, forbidden := range []string{"patch deployments orders-week1", "get secrets db",
		"update configmaps orders-guard", "patch services other"} {
		if allow(rules, forbidden) {
			t.Errorf("it may %s", forbidden)
		}
	}
}
