package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/terminal"
)

func TestInitWritesTheFilesOfAService(t *testing.T) {
	w := newWorld(t)
	code, printed := called(t, "init", "payments", "--image", "shop/payments:1.9.3", "--port", "9000", "--ready", "/up",
		"--durations", "")
	if code != terminal.ExitDone {
		t.Fatalf("ends with %d:\n%s", code, printed)
	}
	for _, word := range []string{"wrote Pulumi.payments-production.yaml", "pulumi stack init payments-staging",
		"pulumi preview -s payments-production", "--policy-pack-config policies-payments.json"} {
		if !strings.Contains(printed, word) {
			t.Errorf("does not say %q:\n%s", word, printed)
		}
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "Pulumi.payments-production.yaml"))
	for _, word := range []string{"shop:app: payments", "shop:containerPort: 9000", "path: /up", `latency: "off"`,
		"shop:stableImage: shop/payments:1.9.3"} {
		if err != nil || !strings.Contains(string(text), word) {
			t.Errorf("no %s in the stack's file (%v):\n%s", word, err, text)
		}
	}
	// A second time would overwrite.
	code, printed = called(t, "init", "payments")
	if code != terminal.ExitUsage || !strings.Contains(printed, "nothing is overwritten") {
		t.Errorf("the second time ends with %d:\n%s", code, printed)
	}
}

func TestInitTakesWhatRuns(t *testing.T) {
	w := newWorld(t)
	_, err := w.Clientset.AppsV1().Deployments("orders").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "billing", Namespace: "orders"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "billing"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "billing"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "billing", Image: "shop/billing:3",
					Ports: []corev1.ContainerPort{{ContainerPort: 7000}}}}},
			},
		},
	}, metav1.CreateOptions{})
	w.prepared(err)
	code, printed := called(t, "init", "billing", "--from", "orders/billing", "--kubeconfig", w.Kubeconfig,
		"--ready", "/r")
	text, err := os.ReadFile(filepath.Join(w.dir, "Pulumi.billing-staging.yaml"))
	if code != terminal.ExitDone || err != nil || !strings.Contains(string(text), "shop:containerPort: 7000") ||
		!strings.Contains(string(text), "shop:image: shop/billing:3") {
		t.Errorf("ends with %d, %v:\n%s\n%s", code, err, printed, text)
	}
}

func TestInitRefuses(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no name":          {[]string{"init"}, "rollout init orders"},
		"no name of a DNS": {[]string{"init", "Orders_1"}, `--app is "Orders_1"`},
		"a port in words":  {[]string{"init", "a", "--port", "http"}, "--port: \"http\" is not a whole number"},
		"no Deployment's":  {[]string{"init", "a", "--from", "a"}, "namespace/name"},
		"a login":          {[]string{"init", "a", "--prometheus", "https://u:p@prometheus"}, "--prometheus is not usable"},
	} {
		code, printed := called(t, tt.args...)
		if code != terminal.ExitUsage || !strings.Contains(printed, tt.want) {
			t.Errorf("%s: ends with %d:\n%s", name, code, printed)
		}
	}
	code, printed := called(t, "init", "a", "--from", "orders/none", "--kubeconfig", w.Kubeconfig)
	if code != terminal.ExitFailed || !strings.Contains(printed, "no Deployment none in namespace orders") {
		t.Errorf("a missing Deployment: ends with %d:\n%s", code, printed)
	}
	if files, _ := filepath.Glob(filepath.Join(w.dir, "Pulumi.a-*")); len(files) > 0 {
		t.Errorf("wrote %v", files)
	}
}

func TestMetricsProposesSettings(t *testing.T) {
	w := newWorld(t)
	w.write("page.txt", `# TYPE http_requests_total counter
http_requests_total{code="200",path="/healthz"} 3
http_requests_total{code="200",path="/orders"} 3
`)
	code, printed := called(t, "metrics", filepath.Join(w.dir, "page.txt"))
	if code != terminal.ExitDone || !strings.Contains(printed, `exclude: { "path": "/healthz" }`) ||
		!strings.Contains(printed, `latency: "off"`) {
		t.Errorf("ends with %d:\n%s", code, printed)
	}
	for want, args := range map[string][]string{
		"page of metrics": {"metrics", filepath.Join(w.dir, "none.txt")}, "namespace/name": {"metrics", "--pod", "a"},
		"one file": {"metrics", "a", "b"},
	} {
		if code, printed := called(t, args...); code != terminal.ExitUsage || !strings.Contains(printed, want) {
			t.Errorf("%v: ends with %d:\n%s", args, code, printed)
		}
	}
	// The stack has no pod yet.
	if code, printed := called(t, "metrics", "-s", "production"); code != terminal.ExitFailed ||
		!strings.Contains(printed, "-s production") && !strings.Contains(printed, "orders") {
		t.Errorf("ends with %d:\n%s", code, printed)
	}
}

// Traffic is simulated for services of every kind: without a latency, with matchers, with tracks by matchers.
func TestSimulateForOtherMetrics(t *testing.T) {
	for name, settings := range map[string]string{
		"no latency": "  shop:criteria: { latency: \"off\" }\n",
		"matchers":   "  shop:metrics: { matchers: ['method=\"POST\"'] }\n",
		"a mesh":     "  shop:metrics: { tracks: ['destination_workload=\"$deployment\"'], durationUnit: ms }\n",
	} {
		w := newWorld(t)
		w.write("Pulumi.production.yaml", w.production()+settings)
		code, printed := called(t, "simulate", "-s", "production", "--rate", "50", "--errors", "0.5", "--stable-rate", "50")
		if code != terminal.ExitFailed || !strings.Contains(printed, "rolled back") {
			t.Errorf("%s: ends with %d:\n%s", name, code, printed)
		}
	}
}
