package adopt

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/takeover"
)

// letting is a service that a rollout has taken over and is about to let go.
func letting(t *testing.T) (*world, *Letting, *[]string) {
	t.Helper()
	w := newWorld(t)
	if err := w.operation.Run(t.Context(), w.plan()); err != nil {
		t.Fatal(err)
	}
	var done []string
	return w, &Letting{
		Cluster: w.Client, Target: w.operation.Target, Report: func(string) { w.look() },
		Import:  func(_ context.Context, state []byte) error { done = append(done, "import "+string(state)); return nil },
		Destroy: func(context.Context) error { done = append(done, "destroy"); return nil },
	}, &done
}

func TestAServiceThatIsLetGoKeepsItsPods(t *testing.T) {
	w, letting, done := letting(t)
	before, err := w.Endpoints(t.Context(), "shop", "orders")
	if err != nil {
		t.Fatal(err)
	}
	released := &takeover.Released{State: []byte("{}"), Stays: []takeover.Object{{Kind: "namespace", Name: "shop"}}}
	if err := letting.Run(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(*done, ", "); got != "import {}, destroy" {
		t.Errorf("done %s", got)
	}
	after, err := w.Endpoints(t.Context(), "shop", "orders")
	if err != nil || len(after) != len(before) || len(after) != 3 {
		t.Errorf("%d pods took requests, %d do now: %v", len(before), len(after), err)
	}
	deployment, err := w.Clientset.AppsV1().Deployments("shop").Get(t.Context(), "orders-stable", metav1.GetOptions{})
	if err != nil || takeover.IsOurs(deployment.ObjectMeta) || *deployment.Spec.Replicas != 3 ||
		deployment.Spec.Template.Labels[names.ManagedBy] != names.Program {
		t.Errorf("the Deployment is marked or has changed: %v, %v", deployment.Labels, err)
	}
	namespace, _, err := w.NamespaceOwner(t.Context(), "shop")
	if err != nil || namespace.Annotations[names.Owner] != "" {
		t.Errorf("the namespace belongs to %q: %v", namespace.Annotations[names.Owner], err)
	}
	// A stack without resources has nothing to destroy.
	*done = nil
	if err := letting.Run(t.Context(), &takeover.Released{}); err != nil || len(*done) > 0 {
		t.Errorf("done %v, %v", *done, err)
	}
}

func TestAReleaseThatFailsLeavesTheMarks(t *testing.T) {
	for name, tt := range map[string]struct {
		fail func(*Letting)
		want string
	}{
		"import": {func(l *Letting) { l.Import = func(context.Context, []byte) error { return errors.New("locked") } },
			"nothing has changed"},
		"destroy": {func(l *Letting) { l.Destroy = func(context.Context) error { return errors.New("no way") } },
			"the service runs on"},
	} {
		t.Run(name, func(t *testing.T) {
			w, letting, _ := letting(t)
			tt.fail(letting)
			err := letting.Run(t.Context(), &takeover.Released{Stays: []takeover.Object{{Kind: "service", Name: "orders"}}})
			if err == nil || !strings.Contains(err.Error(), tt.want) ||
				!strings.Contains(err.Error(), "rollout adopt --release -s production") {
				t.Errorf("error %v", err)
			}
			live, exists, err := w.Deployment(t.Context(), "shop", "orders-stable")
			if err != nil || !exists || !takeover.IsOurs(live.ObjectMeta) {
				t.Error("the Deployment has lost its mark before the stack let it go")
			}
		})
	}
}
