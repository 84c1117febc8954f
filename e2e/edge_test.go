//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
)

// gatewayHost is the Host header of requests through the Gateway.
const gatewayHost = "finance.gateway.test"

// edge is production behind the Gateway of the local cluster.
type edge struct {
	*cluster
	client *kube.Client
	door   door
}

// answers waits until the Gateway forwards requests.
func (e *edge) answers(ctx context.Context) bool {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.door.url+"/health/live", nil)
		if err != nil {
			return false
		}
		request.Host = gatewayHost
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return true
			}
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (e *edge) customers(t *testing.T, perSecond int) *customers {
	t.Helper()
	return e.customersAt(t, e.door, perSecond)
}

// weights returns the weights of the route as stable/canary.
func (e *edge) weights(t *testing.T) string {
	t.Helper()
	weights, err := e.client.RouteWeights(t.Context(), e.production, "finance-service")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d/%d", weights["finance-service-stable"], weights["finance-service-canary"])
}

// expectInForce checks that the route gives the canary the weight and that the Gateway has accepted it.
func (e *edge) expectInForce(t *testing.T, canary int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	want := map[string]int{"finance-service-stable": 100 - canary, "finance-service-canary": canary}
	if err := e.client.WaitRoute(ctx, e.production, "finance-service", want); err != nil {
		t.Error(err)
	}
}

// canaryShare returns the canary's share of the answers, 0 to 1, and the number of answers.
func canaryShare(sent *customers) (share float64, answers int) {
	canary := 0
	for pod, count := range sent.byPod {
		answers += count
		if strings.HasPrefix(pod, "finance-service-week1-") {
			canary += count
		}
	}
	return float64(canary) / float64(answers), answers
}

// override lets the production stack move to a weight without waiting for its soak.
func (e *edge) override(t *testing.T, weight int) {
	t.Helper()
	e.config(t, "canaryWeight", fmt.Sprint(weight))
	e.config(t, "override.weight", fmt.Sprint(weight))
	e.config(t, "override.reason", "the test does not wait")
}

// withoutBake switches the bake off until the test ends.
func (e *edge) withoutBake(t *testing.T) {
	t.Helper()
	e.config(t, "bake.duration", "0s")
	t.Cleanup(func() { e.config(t, "bake.duration", "20s") })
}

// watchOrder compares the canary's ready pods with its weight until end is called, which returns the moments when there
// were too few.
func (e *edge) watchOrder(t *testing.T) (end func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wrong []string
	looks := 0
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			before, err1 := e.client.RouteWeights(ctx, e.production, "finance-service")
			pods, err2 := e.client.AllPods(ctx, e.production, map[string]string{"app": "finance-service", "track": "canary",
				"traffic": "enabled"})
			pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
				return pod.DeletionTimestamp != nil ||
					kube.Problem(&pod) != ""
			})
			after, err3 := e.client.RouteWeights(ctx, e.production, "finance-service")
			if err1 == nil && err2 == nil && err3 == nil && maps.Equal(before, after) {
				looks++
				if needs := (before["finance-service-canary"]*10 + 99) / 100; len(pods) < needs {
					wrong = append(wrong, fmt.Sprintf("%d ready canary pods for %d %%", len(pods), before["finance-service-canary"]))
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() []string {
		cancel()
		done.Wait()
		if looks < 10 {
			t.Errorf("the order was sampled only %d times", looks)
		}
		return wrong
	}
}

// muteGateway revokes the Gateway controller's right to report on routes until restore is called.
func (e *edge) muteGateway(t *testing.T) (restore func()) {
	t.Helper()
	const reports = "httproutes/status"
	roles := e.kubernetes.RbacV1().ClusterRoles()
	change := func(ctx context.Context, edit func([]string) []string) {
		role, err := roles.Get(ctx, "local-gateway", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range role.Rules {
			if slices.Contains(role.Rules[i].Resources, "gateways/status") {
				role.Rules[i].Resources = edit(role.Rules[i].Resources)
			}
		}
		if _, err := roles.Update(ctx, role, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	change(t.Context(), func(resources []string) []string {
		return slices.DeleteFunc(resources, func(resource string) bool { return resource == reports })
	})
	var once sync.Once
	restore = func() {
		once.Do(func() {
			change(context.WithoutCancel(t.Context()), func(resources []string) []string { return append(resources, reports) })
		})
	}
	t.Cleanup(restore)
	return restore
}
