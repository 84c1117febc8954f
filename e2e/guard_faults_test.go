//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

const webhookToken = "only-for-the-test"

// webhook sends the guard's webhook bad tokens, bad bodies and other releases' alerts, and then the alert that counts.
func webhook(t *testing.T, g *guarded) {
	g.enter(t, healthy)
	leader, err := g.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, base, closePod, err := g.Cluster.PodClient(t.Context(), g.Namespace, leader, 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer closePod()
	post := func(token, body string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/webhook", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	alert := func(name, fingerprint, release string) map[string]any {
		return map[string]any{
			"status": "firing", "fingerprint": fingerprint, "startsAt": time.Now().UTC(),
			"annotations": map[string]string{"summary": "the test says so"},
			"labels": map[string]string{"alertname": name, "action": "rollback", "app": g.App, "release": release,
				"namespace": g.Namespace},
		}
	}
	body := func(alerts ...map[string]any) string {
		var text bytes.Buffer
		if err := json.NewEncoder(&text).Encode(map[string]any{"version": "4", "alerts": alerts}); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	good := body(alert("TheTeamsOwn", "a", g.Release))
	for name, tt := range map[string]struct {
		token, body string
		want        int
	}{
		"wrong token": {"wrong", good, 401}, "no token": {"", good, 401}, "malformed": {webhookToken, good[:20], 400},
		"10 MiB": {webhookToken, strings.Repeat(" ", 10<<20) + good, 413},
	} {
		if got := post(tt.token, tt.body); got != tt.want {
			t.Errorf("%s: status %d, want %d", name, got, tt.want)
		}
	}
	for i := range 100 {
		var many []map[string]any
		for j := range 100 {
			many = append(many, alert("Flood", fmt.Sprintf("%d-%d", i, j), "another-release"))
		}
		if got := post(webhookToken, body(many...)); got != 200 {
			t.Fatalf("batch %d of 10,000 alerts: status %d", i, got)
		}
	}
	g.expectIn(t)
	if got := post(webhookToken, good); got != 200 {
		t.Errorf("the alert that counts: status %d", got)
	}
	if latch := g.expectOut(t); !strings.Contains(latch.Reason, "TheTeamsOwn") {
		t.Errorf("the latch tells %q", latch.Reason)
	}
	if restarts := g.guardRestarts(t); restarts != 0 {
		t.Errorf("the guard restarted %d times", restarts)
	}
}

func (g *guarded) guardRestarts(t *testing.T) int {
	t.Helper()
	pods, err := g.Cluster.AllPods(t.Context(), g.Namespace, map[string]string{names.App: g.App + "-guard"})
	if err != nil {
		t.Fatal(err)
	}
	restarts := 0
	for i := range pods {
		for _, status := range pods[i].Status.ContainerStatuses {
			restarts += int(status.RestartCount)
		}
	}
	return restarts
}

// twoAtOnce runs two rollbacks as the command line does, beside the guard, while an operator scales the canary up.
func twoAtOnce(t *testing.T, g *guarded) {
	g.customers(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	before := g.rollbacks(t)
	g.enter(t, map[string]string{"FAULTS": "errors=0.33"})
	image, err := g.Image(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 2 {
		group.Go(func() {
			rollback.Run(ctx, g.Cluster, rollback.InLedger{Store: g.Ledger(), Now: time.Now, Who: fmt.Sprint("operator ", i),
				Image: image, Release: g.Release}, rollback.Options{
				Namespace: g.Namespace, App: g.App, Service: g.App, Canary: map[string]string{names.App: g.App,
					names.Track: names.Canary},
				Deployment: g.CanaryDeployment(), StableDeployment: g.StableDeployment(), Capacity: 10,
				LabelKey: names.Traffic, LabelValue: names.Isolated, Reason: "by hand", Now: time.Now,
			})
		})
	}
	group.Go(func() {
		for range 20 {
			_ = g.Scale(ctx, g.CanaryDeployment(), 2)
			time.Sleep(100 * time.Millisecond)
		}
	})
	group.Wait()
	g.expectOut(t)
	if after := g.rollbacks(t); after != before+1 {
		t.Errorf("%d rollbacks were begun", after-before)
	}
}

func (g *guarded) rollbacks(t *testing.T) int {
	t.Helper()
	history, err := ledger.Read(t.Context(), g.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, entry := range history.Entries() {
		if entry.Kind == ledger.RollbackBegun {
			count++
		}
	}
	return count
}

// killedBetweenSteps kills the leading guard as soon as it has begun a rollback, and at several delays after that.
func killedBetweenSteps(t *testing.T, g *guarded) {
	g.customers(t)
	for _, delay := range []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 2 * time.Second,
		3 * time.Second} {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		before := g.rollbacks(t)
		g.enter(t, map[string]string{"FAULTS": "errors=0.33"})
		err := fixture.Until(ctx, func() (bool, error) { return g.rollbacks(t) > before, nil })
		if err != nil {
			t.Fatalf("no rollback was begun: %v", err)
		}
		// Before a rollback begins, the Lease may still name the guard that the previous round killed.
		leader, err := g.Leader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay)
		kill(t, leader)
		g.expectOut(t)
		if after := g.rollbacks(t); after != before+1 {
			t.Errorf("killed after %v: %d rollbacks were begun", delay, after-before)
		}
		cancel()
	}
}

// kill sends SIGKILL to the process of a guard's pod.
func kill(t *testing.T, pod string) {
	t.Helper()
	if err := syscall.Kill(processOf(t, pod), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// processOf finds the process of a guard's pod on this machine.
func processOf(t *testing.T, pod string) int {
	t.Helper()
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range environs {
		environment, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environment, []byte("POD_NAME="+pod+"\x00")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	t.Fatalf("pod %s has no process on this machine", pod)
	return 0
}

// cutOffFromAPIServer cuts the guard off from the API server: first beside a healthy canary, which stays, then for a
// minute right after the canary turned bad. The guard sees the errors but can only act once the API server answers.
func cutOffFromAPIServer(t *testing.T, g *guarded) {
	g.customers(t)
	g.enter(t, healthy)
	before := g.rollbacks(t)
	g.withoutAPIServer(t, 20*time.Second)
	time.Sleep(10 * time.Second)
	g.expectIn(t)
	g.fault(t, "errors=0.33")
	g.withoutAPIServer(t, time.Minute)
	g.expectOut(t)
	if after := g.rollbacks(t); after != before+1 {
		t.Errorf("%d rollbacks were begun", after-before)
	}
}

// withoutAPIServer drops all packets between the guard's pods and the API server for a while. As with a hanging machine
// or a broken network, connections stay open and nothing answers. Tests that run side by side are not affected.
func (g *guarded) withoutAPIServer(t *testing.T, away time.Duration) {
	t.Helper()
	api, err := g.Client.CoreV1().Services("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var pods []corev1.Pod
	// A pod whose guard was killed starts it again with a growing delay.
	eventually(t, "all pods of the guard run", func() bool {
		pods, err = g.Cluster.AllPods(t.Context(), g.Namespace, map[string]string{names.App: g.App + "-guard"})
		return err == nil && len(pods) > 0 && countReady(pods) == len(pods)
	})
	rules := [][]string{{"OUTPUT", "-d", api.Spec.ClusterIP, "-j", "DROP"},
		{"INPUT", "-s", api.Spec.ClusterIP, "-j", "DROP"}}
	for i := range pods {
		network := fmt.Sprintf("--net=/proc/%d/ns/net", processOf(t, pods[i].Name))
		for _, rule := range rules {
			packetFilter(t, network, append([]string{"-I"}, rule...))
			defer packetFilter(t, network, append([]string{"-D"}, rule...)) //nolint:gocritic // all are undone at the end
		}
	}
	before := g.renewed(t)
	time.Sleep(away)
	if after := g.renewed(t); after.Sub(before) > away/2 {
		t.Fatalf("the guard renewed its Lease %v after it was cut off", after.Sub(before))
	}
}

func packetFilter(t *testing.T, network string, rule []string) {
	t.Helper()
	args := append([]string{network, "iptables", "--wait"}, rule...)
	if output, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		t.Fatalf("nsenter %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// renewed returns when the guard last renewed its Lease.
func (g *guarded) renewed(t *testing.T) time.Time {
	t.Helper()
	lease, err := g.Client.CoordinationV1().Leases(g.Namespace).Get(t.Context(), names.Guard(g.App), metav1.GetOptions{})
	if err != nil || lease.Spec.RenewTime == nil {
		t.Fatalf("the guard's Lease: %v", err)
	}
	return lease.Spec.RenewTime.Time
}

// reconfigure changes the guard's configuration as an update would, until the part ends.
func (g *guarded) reconfigure(t *testing.T, change func(text string) string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // a test's context ends before its cleanup
	write := func(change func(text string) string) {
		t.Helper()
		config, err := g.Client.CoreV1().ConfigMaps(g.Namespace).Get(ctx, g.App+"-guard", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		config.Data["rollout.json"] = change(config.Data["rollout.json"])
		if _, err := g.Client.CoreV1().ConfigMaps(g.Namespace).Update(ctx, config,
			metav1.UpdateOptions{FieldManager: "e2e"}); err != nil {
			t.Fatal(err)
		}
	}
	var before string
	write(func(text string) string { before = text; return change(text) })
	t.Cleanup(func() { write(func(string) string { return before }) })
}

// guardWithoutPrometheus takes Prometheus away from the guard, which still sees what it scrapes itself.
func guardWithoutPrometheus(t *testing.T, g *guarded) {
	g.reconfigure(t, func(text string) string {
		return strings.Replace(text, "monitoring/prometheus-operated:9090", "http://127.0.0.1:9", 1)
	})
	g.enter(t, healthy)
	g.customers(t)
	time.Sleep(10 * time.Second)
	g.expectIn(t)
	g.fault(t, "errors=0.33")
	g.expectOut(t)
}
