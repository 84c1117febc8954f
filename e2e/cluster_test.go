//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	vegeta "github.com/tsenart/vegeta/v12/lib"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ready gives the desired and the ready pods of a Deployment.
func (c *cluster) ready(t *testing.T, deployment string) (desired, ready int) {
	t.Helper()
	found, err := c.kubernetes.AppsV1().Deployments(c.production).Get(t.Context(), deployment, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return int(*found.Spec.Replicas), int(found.Status.ReadyReplicas)
}

// expectTracks fails the test unless the tracks shall have that many pods, and soon have them: those that leave count
// as ready for a moment.
func (c *cluster) expectTracks(t *testing.T, stable, canary int) {
	t.Helper()
	for deployment, want := range map[string]int{"finance-service-stable": stable, "finance-service-week1": canary} {
		if desired, _ := c.ready(t, deployment); desired != want {
			t.Errorf("%s shall have %d pods, want %d", deployment, desired, want)
			continue
		}
		eventually(t, fmt.Sprintf("%s has %d ready pods", deployment, want), func() bool {
			_, ready := c.ready(t, deployment)
			return ready == want
		})
	}
}

// generations tells whether anything about the Deployments was changed.
func (c *cluster) generations(t *testing.T) map[string]int64 {
	t.Helper()
	list, err := c.kubernetes.AppsV1().Deployments(c.production).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	generations := map[string]int64{}
	for _, deployment := range list.Items {
		generations[deployment.Name] = deployment.Generation
	}
	return generations
}

// watchCapacity looks at the ready pods that take traffic until it is ended, and fails the test when they were ever
// fewer than planned.
func (c *cluster) watchCapacity(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	fewest, looks := 1<<30, 0
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			pods, err := c.kubernetes.CoreV1().Pods(c.production).List(ctx,
				metav1.ListOptions{LabelSelector: "app=finance-service,traffic=enabled"})
			if err == nil {
				fewest, looks = min(fewest, countReady(pods.Items)), looks+1
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	return func() {
		t.Helper()
		cancel()
		done.Wait()
		if looks < 10 {
			t.Errorf("capacity was looked at %d times only", looks)
		}
		if fewest < 10 {
			t.Errorf("there were only %d ready pods on the way, the plan has 10", fewest)
		}
	}
}

// countReady counts the pods that are ready; a pod that is leaving does not count, although it still answers.
func countReady(pods []corev1.Pod) int {
	count := 0
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				count++
			}
		}
	}
	return count
}

// door is where requests to production enter, on 127.0.0.1.
type door struct {
	url string
	// host is the host that is asked for; empty for the url's.
	host string
	// await waits until requests are answered there; false when the test ended before.
	await func(context.Context) bool
}

// customers send requests to production until the test ends or end is called. They are bounded in rate and time.
type customers struct {
	attacker *vegeta.Attacker
	done     chan struct{}
	once     sync.Once

	requests int
	failures []string // when a request failed and why
	byPod    map[string]int
}

// customers come through the node port.
func (c *cluster) customers(t *testing.T, perSecond int) *customers {
	t.Helper()
	return c.customersAt(t, door{url: fmt.Sprintf("http://127.0.0.1:%d", c.nodePort), await: c.awaitService}, perSecond)
}

func (c *cluster) customersAt(t *testing.T, entrance door, perSecond int) *customers {
	t.Helper()
	const longest = 10 * time.Minute
	secret, err := os.ReadFile(filepath.Join(c.root, ".local", "secrets", "jwt-secret"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "e2e", "exp": time.Now().Add(longest + time.Minute).Unix(),
	}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
	if entrance.host != "" {
		header.Set("Host", entrance.host)
	}
	target := vegeta.NewStaticTargeter(vegeta.Target{
		Method: http.MethodPost, URL: entrance.url + "/graphql", Body: []byte(`{"query":"{ __typename }"}`), Header: header,
	})
	sent := &customers{
		// A client that leaves the choice of the local port to the kernel; the attacker's own one binds it.
		attacker: vegeta.NewAttacker(vegeta.Client(&http.Client{
			Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second,
		})),
		done: make(chan struct{}), byPod: map[string]int{},
	}
	ctx := t.Context()
	go func() {
		defer close(sent.done)
		if !entrance.await(ctx) {
			return
		}
		begin := time.Now()
		for result := range sent.attacker.Attack(target, vegeta.Rate{Freq: perSecond, Per: time.Second}, longest, "e2e") {
			sent.requests++
			sent.byPod[result.Headers.Get("X-Served-By")]++
			if result.Error != "" {
				sent.failures = append(sent.failures, fmt.Sprintf("after %s: %s",
					result.Timestamp.Sub(begin).Round(time.Millisecond), result.Error))
			}
		}
	}()
	t.Cleanup(sent.end)
	return sent
}

// awaitService waits until the Service has endpoints and kube-proxy its rules for them. A connection to the node port
// before that leaves an entry in the kernel's connection tracking that no rule translates; for two minutes every
// connection which happens to have the same source port follows that entry and is refused.
func (c *cluster) awaitService(ctx context.Context) bool {
	for {
		list, err := c.kubernetes.DiscoveryV1().EndpointSlices(c.production).List(ctx,
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=finance-service"})
		pause := 500 * time.Millisecond
		ready := err == nil && len(list.Items) > 0 && len(list.Items[0].Endpoints) > 0
		if ready {
			pause = 3 * time.Second
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		if ready {
			return true
		}
	}
}

// end stops the customers and waits for their last answer; the counts may be read then.
func (s *customers) end() {
	s.once.Do(func() {
		s.attacker.Stop()
		<-s.done
	})
}

// expectAnswers fails the test when a request failed.
func (s *customers) expectAnswers(t *testing.T) {
	t.Helper()
	if failed := len(s.failures); failed > 0 || s.requests == 0 {
		t.Errorf("%d of %d requests failed:\n%s", failed, s.requests, strings.Join(s.failures[:min(failed, 20)], "\n"))
	}
}

// prometheusAPI is the Prometheus of the local cluster.
func prometheusAPI(t *testing.T) promv1.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: os.Getenv("FINANCE_ROLLOUT_PROMETHEUS")})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(client)
}

// eventually asks again until the question is answered with true; it gives up after a minute.
func eventually(t *testing.T, what string, question func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !question() {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
