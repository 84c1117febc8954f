package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

// running adds a service that kubectl made, under the stable track's own name.
func (w *world) running() *corev1.Service {
	w.t.Helper()
	labels := map[string]string{"app": "orders", "tier": "web"}
	deployment := cluster.Deployment("orders", "orders-stable", "orders:v1", 3, labels)
	deployment.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "MODE", Value: "fast"}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: "orders"},
		Spec: corev1.ServiceSpec{
			Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}}}
	w.Add(deployment, service)
	w.calls = len(w.Calls())
	return service
}

func TestAdoptShowsItsPlanAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.running()
	before := w.production()
	code, printed := called(t, "adopt", "-s", "production", "--plan")
	if code != 0 {
		t.Fatalf("%d:\n%s", code, printed)
	}
	for _, word := range []string{"MODE: fast", "canaryWeight: 0", "rename it to orders-stable-before", "pulumi up",
		"stableImage stays as the stack's file has it"} {
		if !strings.Contains(printed, word) {
			t.Errorf("the plan does not say %q:\n%s", word, printed)
		}
	}
	w.expectUnchanged()
	if w.production() != before {
		t.Error("the stack's file was changed")
	}
	code, printed = called(t, "adopt", "-s", "production", "--plan", "-o", "json")
	var plan struct {
		Settings map[string]any
		Steps    []struct{ Action string }
		Done     bool
	}
	// Warnings come before the document.
	_, document, _ := strings.Cut(printed, "{")
	if err := json.Unmarshal([]byte("{"+document), &plan); err != nil || code != 0 {
		t.Fatalf("%d: %v\n%s", code, err, printed)
	}
	if plan.Done || len(plan.Steps) == 0 || plan.Settings["canaryWeight"] != 0.0 {
		t.Errorf("the plan for programs is %+v", plan)
	}
}

func TestAdoptRefusesWithACommand(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*world)
		args  []string
		code  int
		words []string
	}{
		"nothing runs": {spoil: func(*world) {}, code: 1, words: []string{"there is no such Service", "-s production"}},
		"Helm": {spoil: func(w *world) {
			service := w.running()
			service.Annotations = map[string]string{"meta.helm.sh/release-name": "orders"}
			_, err := w.Clientset.CoreV1().Services("orders").Update(w.t.Context(), service, metav1.UpdateOptions{})
			w.prepared(err)
		}, code: 1, words: []string{"Helm release orders", "kubectl annotate service orders -n orders --overwrite " +
			"helm.sh/resource-policy=keep"}},
		"a setting that is missing": {spoil: func(w *world) {
			w.running()
			text, err := os.ReadFile(filepath.Join(w.dir, "Pulumi.production.yaml"))
			w.must(err)
			w.write("Pulumi.production.yaml", strings.ReplaceAll(string(text),
				"  shop:smoke: { tokenFrom: \"\", originFrom: \"\" }\n",
				""))
		}, code: 1, words: []string{"missing", "smoke.tokenFrom needs it"}},
		"a stack with one track": {spoil: func(*world) {}, args: []string{"-s", "staging"}, code: 2,
			words: []string{"stack staging has one track"}},
		"another Service": {spoil: func(w *world) { w.running() }, args: []string{"-s", "production", "--service", "web"},
			code:  1,
			words: []string{"service orders/web: there is no such Service"}},
		"nobody there to answer": {spoil: func(w *world) { w.running() }, code: 2, words: []string{"--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.spoil(w)
			if tt.args == nil {
				tt.args = []string{"-s", "production"}
			}
			w.refused(tt.code, tt.words, append([]string{"adopt"}, tt.args...))
		})
	}
}
