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

	"github.com/vextrus/finance-rollout/e2e/fixture"
)

// ready returns the desired and the ready replicas of a Deployment.
func (c *cluster) ready(t *testing.T, deployment string) (desired, ready int) {
	t.Helper()
	live, err := c.kubernetes.AppsV1().Deployments(c.production).Get(t.Context(), deployment, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return int(*live.Spec.Replicas), int(live.Status.ReadyReplicas)
}

// expectTracks checks the desired replicas of both tracks and waits until that many pods are ready; a terminating pod
// still counts as ready for a moment.
func (c *cluster) expectTracks(t *testing.T, stable, canary int) {
	t.Helper()
	for deployment, want := range map[string]int{c.app + "-stable": stable, c.app + "-week1": canary} {
		if desired, _ := c.ready(t, deployment); desired != want {
			t.Errorf("%s wants %d pods, expected %d", deployment, desired, want)
			continue
		}
		eventually(t, fmt.Sprintf("%s has %d ready pods", deployment, want), func() bool {
			_, ready := c.ready(t, deployment)
			return ready == want
		})
	}
}

// generations returns the generation of each production Deployment; two calls that agree show that no spec changed.
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

// watchCapacity follows the pods in traffic until end is called, which fails the test if fewer than the plan's ten were
// ever ready.
func (c *cluster) watchCapacity(t *testing.T) (end func()) {
	t.Helper()
	fewest, changes := 1<<30, 0
	stop := c.watchPods(t, "app=finance-service,traffic=enabled", func(pods []corev1.Pod) {
		fewest, changes = min(fewest, countReady(pods)), changes+1
	})
	return func() {
		t.Helper()
		stop()
		if changes < 2 {
			t.Error("no change of the pods in traffic was seen")
		}
		if fewest < 10 {
			t.Errorf("only %d pods were ready at some point, the plan has 10", fewest)
		}
	}
}

// watchSight asks the guard every second whether it sees the canary until end is called, which fails the test if it was
// ever blind.
func (c *cluster) watchSight(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var blind []string
	looks := 0
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			for _, line := range c.guardMetrics(ctx) {
				if !strings.HasPrefix(line, "rollout_guard_blind{") {
					continue
				}
				looks++
				if !strings.HasSuffix(line, " 0") {
					blind = append(blind, time.Now().Format(time.TimeOnly)+" "+line)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	return func() {
		t.Helper()
		cancel()
		done.Wait()
		if looks < 10 {
			t.Errorf("the guard told only %d times whether it sees the canary", looks)
		}
		if len(blind) > 0 {
			t.Errorf("the guard was blind %d times of %d:\n%s", len(blind), looks, strings.Join(blind, "\n"))
		}
	}
}

// guardMetrics are the lines of every guard's metrics. A guard that does not answer has none.
func (c *cluster) guardMetrics(ctx context.Context) []string {
	pods, err := c.kubernetes.CoreV1().Pods(c.production).List(ctx,
		metav1.ListOptions{LabelSelector: "app=" + c.app + "-guard"})
	if err != nil {
		return nil
	}
	var lines []string
	for _, pod := range pods.Items {
		text, err := c.kubernetes.CoreV1().Pods(c.production).ProxyGet("http", pod.Name, "8080", "/metrics", nil).DoRaw(ctx)
		if err == nil {
			lines = append(lines, strings.Split(string(text), "\n")...)
		}
	}
	return lines
}

// countReady counts ready pods without those that are terminating, although they still answer.
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

// door is an entrance to production on 127.0.0.1: the node port or the Gateway.
type door struct {
	url string
	// host is the Host header; empty for that of the URL.
	host string
	// get is the path that customers ask for; empty for a query to GraphQL with a token.
	get string
	// await waits until the door answers and returns false if the test ends first.
	await func(context.Context) bool
}

// customers send requests to production at a fixed rate until the test ends or end is called.
type customers struct {
	attacker *vegeta.Attacker
	done     chan struct{}
	once     sync.Once

	requests int
	failures []string // when a request failed and why
	byPod    map[string]int
}

// customers sends requests through the node port.
func (c *cluster) customers(t *testing.T, perSecond int) *customers {
	t.Helper()
	return c.customersAt(t, door{url: fmt.Sprintf("http://127.0.0.1:%d", c.nodePort), await: c.awaitService}, perSecond)
}

func (c *cluster) customersAt(t *testing.T, entrance door, perSecond int) *customers {
	t.Helper()
	const longest = 40 * time.Minute // more than any test takes
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": "e2e", "exp": time.Now().Add(longest + time.Minute).Unix(),
	}).SignedString(c.jwtSecret(t))
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
	if entrance.get != "" {
		target = vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: entrance.url + entrance.get})
	}
	sent := &customers{
		// With this client the kernel chooses the local port; the attacker's default client binds one.
		attacker: vegeta.NewAttacker(vegeta.Client(&http.Client{
			Transport: &http.Transport{DisableKeepAlives: true}, Timeout: fixture.LongestAnswer,
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

// jwtSecret is the secret that signs customers' tokens.
func (c *cluster) jwtSecret(t *testing.T) []byte {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(c.root, ".local", "secrets", "jwt-secret"))
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// keptCustomers send requests over twenty connections that stay open, as those of a proxy or of Node agents do.
func (c *cluster) keptCustomers(t *testing.T, perSecond int) *fixture.Customers {
	t.Helper()
	sent, err := fixture.Send(fixture.Load{NodePort: c.nodePort, PerSecond: perSecond, Kept: 20}, c.jwtSecret(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sent.End)
	return sent
}

// awaitService waits until the Service has endpoints and kube-proxy has installed their rules. An earlier connection to
// the node port would leave an untranslated entry in the kernel's connection tracking, and for two minutes the kernel
// would refuse every connection that reuses its source port.
func (c *cluster) awaitService(ctx context.Context) bool {
	for {
		list, err := c.kubernetes.DiscoveryV1().EndpointSlices(c.production).List(ctx,
			metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + c.app})
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

// end stops the customers and waits for the last answer. Only then may the counts be read.
func (s *customers) end() {
	s.once.Do(func() {
		s.attacker.Stop()
		<-s.done
	})
}

// expectAnswers fails the test if any request failed or none was sent.
func (s *customers) expectAnswers(t *testing.T) {
	t.Helper()
	if failed := len(s.failures); failed > 0 || s.requests == 0 {
		t.Errorf("%d of %d requests failed:\n%s", failed, s.requests, strings.Join(s.failures[:min(failed, 20)], "\n"))
	}
}

// prometheusAPI returns a client of the local cluster's Prometheus.
func prometheusAPI(t *testing.T) promv1.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: os.Getenv("FINANCE_ROLLOUT_PROMETHEUS")})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(client)
}

// eventually repeats the question until it returns true, less and less often: some questions start a command. It gives
// up after two minutes, which a machine that is busy with other tests may need.
func eventually(t *testing.T, what string, question func() bool) {
	t.Helper()
	const longest = 2 * time.Second
	deadline := time.Now().Add(2 * time.Minute)
	for pause := 100 * time.Millisecond; !question(); pause = min(pause*3/2, longest) {
		if time.Now().After(deadline) {
			t.Fatalf("after two minutes this is still not so: %s", what)
		}
		time.Sleep(pause)
	}
}
