package stack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

const verified = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// inCluster opens the stack production with a cluster in memory.
func inCluster(t *testing.T) (*Stack, *cluster.Cluster) {
	t.Helper()
	dir, c := project(t), cluster.New(t)
	add(t, dir, "  shop:kubeconfig: "+c.Kubeconfig+"\n")
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return stack, c
}

func namespaceOf(owner string) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "orders"}}
	if owner != "" {
		namespace.Annotations = map[string]string{names.Owner: owner}
	}
	return namespace
}

// A command acts on nothing but the cluster that the stack was rolled out to.
func TestConnectRefusesTheWrongCluster(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*cluster.Cluster)
		want    []string
	}{
		"its own": {func(c *cluster.Cluster) { c.Add(namespaceOf("shop/production")) }, nil},
		"no namespace": {func(*cluster.Cluster) {}, []string{"there is no namespace orders at",
			"`pulumi config get kubeContext -s production`", "`pulumi up -s production`"}},
		"a namespace of nobody": {func(c *cluster.Cluster) { c.Add(namespaceOf("")) }, []string{"belongs to no stack",
			"`pulumi config get kubeContext -s production`"}},
		"a namespace of another stack": {func(c *cluster.Cluster) { c.Add(namespaceOf("shop/staging")) },
			[]string{"belongs to shop/staging, not to shop/production", "--stack",
				"pulumi config set kubeContext CONTEXT -s production"}},
		"no permission": {func(c *cluster.Cluster) { c.Fail("get", "namespaces", errors.New("you may not")) },
			[]string{"get namespace orders", "you may not"}},
		"no login": {func(c *cluster.Cluster) { c.Fail("*", "*", errors.New("you may not")) },
			[]string{"refuses the credentials", "renew them"}},
		"no kubeconfig": {func(c *cluster.Cluster) { _ = os.Remove(c.Kubeconfig) }, []string{"kubeconfig",
			"pulumi config set kubeconfig PATH -s production"}},
	} {
		t.Run(name, func(t *testing.T) {
			stack, c := inCluster(t)
			tt.prepare(c)
			client, err := stack.Connect(t.Context())
			if tt.want == nil {
				if err != nil || client == nil {
					t.Errorf("client %v: %v", client, err)
				}
				return
			}
			testkit.WantError(t, err, tt.want...)
			if client != nil {
				t.Error("there is a client all the same")
			}
		})
	}
}

// The engine runs the program in the project's folder: there a relative path begins, wherever the command is typed.
func TestARelativeKubeconfig(t *testing.T) {
	dir, c := project(t), cluster.New(t, namespaceOf("shop/production"))
	text, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kubeconfig"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	add(t, dir, "  shop:kubeconfig: ./kubeconfig\n")
	t.Chdir(t.TempDir())
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stack.Connect(t.Context()); err != nil {
		t.Error(err)
	}
}

// The digest of the record is what staging has verified. Without a record it has verified nothing, which is no error.
func TestVerified(t *testing.T) {
	record := func(image string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "orders-release"},
			Data: map[string]string{"image": image}}
	}
	for name, tt := range map[string]struct {
		prepare func(*cluster.Cluster)
		digest  string
		want    []string
	}{
		"verified":    {func(c *cluster.Cluster) { c.Add(record("orders@" + verified)) }, verified, nil},
		"nothing yet": {func(*cluster.Cluster) {}, "", nil},
		"no digest": {func(c *cluster.Cluster) { c.Add(record("orders:2")) }, "",
			[]string{"stack production", "no digest"}},
		"may not read": {func(c *cluster.Cluster) { c.Fail("get", "configmaps", errors.New("you may not")) }, "",
			[]string{"you may not"}},
		"not its own": {func(c *cluster.Cluster) { c.Fail("get", "namespaces", errors.New("you may not")) }, "",
			[]string{"namespace orders"}},
	} {
		t.Run(name, func(t *testing.T) {
			stack, c := inCluster(t)
			c.Add(namespaceOf("shop/production"))
			tt.prepare(c)
			// Any stack of the project may ask.
			for _, by := range []string{"production", "acme/shop/production"} {
				digest, err := stack.VerifiedBy(t.Context(), by)
				if digest != tt.digest {
					t.Errorf("digest %q", digest)
				}
				if tt.want != nil {
					testkit.WantError(t, err, tt.want...)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestVerifiedByAStackThatIsNotThere(t *testing.T) {
	stack, c := inCluster(t)
	for name, want := range map[string][]string{
		"testing":                 {"config staging.stack", `no stack "testing"`, "broken, production"},
		"acme/bank/production":    {"another project", "`pulumi stack output verifiedImage -s acme/bank/production`"},
		"acme/webshop/production": {"another project", "`pulumi stack output verifiedImage -s acme/webshop/production`"},
	} {
		_, err := stack.VerifiedBy(t.Context(), name)
		testkit.WantError(t, err, want...)
	}
	if calls := c.Calls(); len(calls) > 0 {
		t.Errorf("the cluster was asked: %s", strings.Join(calls, ", "))
	}
}
