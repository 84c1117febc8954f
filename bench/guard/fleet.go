package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vextrus/finance-rollout/bench/internal/miniapi"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
)

const (
	fleetSpace  = "fleet"
	fleetStable = 9
	fleetDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	// steady is the time that a fleet runs before the measurement, and the duration of the measurement.
	steady = 20 * time.Second
	// badShare is the share of rollouts whose canaries start to fail, all at the same moment.
	badShare = 10
)

// fleet simulates many rollouts. Their pods are loopback addresses that serve metrics like the example service, the API
// server is a small one in memory, and the guard is the real program.
type fleet struct {
	size int
	api  *miniapi.Server
	port int
	page string

	mu       sync.Mutex
	began    time.Time
	turned   time.Time
	isolated map[string]time.Time
}

// fleetResult is the cost of one fleet.
type fleetResult struct {
	size         int
	private, all float64 // MiB
	processor    float64 // share of a core
	first, last  time.Duration
	decided, bad int
}

// measureFleets measures the guard with one rollout and with many.
func measureFleets(ctx context.Context, sizes []int) (string, error) {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "rollout")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "./cmd/guard")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the guard: %w\n%s", err, output)
	}
	var results []fleetResult
	for _, size := range sizes {
		result, err := measureFleet(ctx, dir, binary, size)
		if err != nil {
			return "", fmt.Errorf("%d rollouts: %w", size, err)
		}
		results = append(results, result)
	}
	return fleetSection(results), nil
}

func measureFleet(ctx context.Context, dir, binary string, size int) (fleetResult, error) {
	f := &fleet{size: size, api: miniapi.New(fleetSpace), isolated: map[string]time.Time{}, began: time.Now()}
	f.api.OnChange = f.changed
	stop, err := f.serve(ctx)
	if err != nil {
		return fleetResult{}, err
	}
	defer stop()
	if err := f.fill(); err != nil {
		return fleetResult{}, err
	}
	kubeconfig := filepath.Join(dir, fmt.Sprintf("kubeconfig-%d", size))
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: fleet\nclusters: [{name: fleet, cluster: "+
		"{server: 'http://127.0.0.1:%d'}}]\n"+
		"contexts: [{name: fleet, context: {cluster: fleet, user: fleet}}]\nusers: [{name: fleet, user: {}}]\n", f.port)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		return fleetResult{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	process := exec.CommandContext(ctx, binary, "guard", "--kubeconfig", kubeconfig, "--namespace", fleetSpace, "--listen",
		"127.0.0.1:0", "--identity", "bench")
	process.Env = append(os.Environ(), "GOGC=50", "GOMEMLIMIT=128MiB")
	if size == 1 {
		process.Env = append(process.Env, "GOMEMLIMIT=40MiB")
	}
	if err := process.Start(); err != nil {
		return fleetResult{}, err
	}
	defer func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	}()
	return f.watch(ctx, process.Process.Pid)
}

// watch measures the guard at rest, makes canaries fail and waits until they are isolated.
func (f *fleet) watch(ctx context.Context, pid int) (fleetResult, error) {
	result := fleetResult{size: f.size, bad: max(f.size/badShare, 1)}
	if err := sleep(ctx, steady); err != nil {
		return result, err
	}
	before, err := processorTime(pid)
	if err != nil {
		return result, err
	}
	for range int(steady / time.Second) {
		if err := sleep(ctx, time.Second); err != nil {
			return result, err
		}
		private, all, err := memory(pid)
		if err != nil {
			return result, err
		}
		result.private, result.all = max(result.private, private), max(result.all, all)
	}
	after, err := processorTime(pid)
	if err != nil {
		return result, err
	}
	result.processor = (after - before).Seconds() / steady.Seconds()
	f.mu.Lock()
	f.turned = time.Now()
	f.mu.Unlock()
	for deadline := time.Now().Add(time.Minute); ; {
		f.mu.Lock()
		var delays []time.Duration
		for _, at := range f.isolated {
			delays = append(delays, at.Sub(f.turned))
		}
		f.mu.Unlock()
		if len(delays) >= result.bad {
			slices.Sort(delays)
			result.decided, result.first, result.last = len(delays), delays[0], delays[len(delays)-1]
			return result, nil
		}
		if time.Now().After(deadline) {
			return result, fmt.Errorf("%d of %d bad canaries were isolated within a minute", len(delays), result.bad)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return result, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// address returns a pod's loopback address.
func address(rollout, pod int) string { return fmt.Sprintf("127.1.%d.%d", rollout+1, pod+1) }

// serve answers at every loopback address and refuses other clients.
func (f *fleet) serve(ctx context.Context) (stop func(), err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	page := &recorded{}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, request)
	f.page = page.text.String()
	listener, err := net.Listen("tcp4", ":0") //nolint:gosec // serves many loopback addresses, and refuses others below
	if err != nil {
		return nil, err
	}
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.New("a TCP listener without a TCP address")
	}
	f.port = addr.Port
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil || !net.ParseIP(host).IsLoopback() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.URL.Path == "/metrics" {
			f.metrics(w, r)
			return
		}
		f.api.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }, nil
}

// recorded is a response that is kept in memory.
type recorded struct{ text strings.Builder }

func (r *recorded) Header() http.Header         { return http.Header{} }
func (r *recorded) WriteHeader(int)             {}
func (r *recorded) Write(p []byte) (int, error) { return r.text.Write(p) }

// metrics serves the metrics of a pod with 10 requests a second: 0.3 % of them fail, and a third once its canary is
// bad.
func (f *fleet) metrics(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	parts := strings.Split(host, ".")
	if err != nil || len(parts) != 4 {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	rollout, _ := strconv.Atoi(parts[2])
	pod, _ := strconv.Atoi(parts[3])
	f.mu.Lock()
	turned := f.turned
	f.mu.Unlock()
	requests := int(time.Since(f.began).Seconds() * 10)
	bad := requests * 3 / 1000
	if pod == fleetStable+1 && rollout <= max(f.size/badShare, 1) && !turned.IsZero() {
		bad += int(time.Since(turned).Seconds() * 10 / 3)
	}
	fmt.Fprintf(w, "%s# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\",path=\"/graphql\"} "+
		"%d\nhttp_requests_total{code=\"500\",path=\"/graphql\"} %d\n", f.page, requests-bad, bad)
	for _, bound := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "10",
		"+Inf"} {
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{code=\"200\",path=\"/graphql\",le=%q} %d\n", bound, requests)
	}
}

// changed records when pods were isolated.
func (f *fleet) changed(pod *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.isolated[pod.Name]; !known && pod.Labels[names.Traffic] == names.Isolated {
		f.isolated[pod.Name] = time.Now()
	}
}

// fill creates the objects of the rollouts.
func (f *fleet) fill() error {
	for i := range f.size {
		app := fmt.Sprintf("service-%03d", i)
		f.track(app, names.StableDeployment(app), names.Stable, "stable", i, 0, fleetStable)
		f.track(app, app+"-v2", names.Canary, "v2", i, fleetStable, 1)
		config := guard.Config{
			Format: guard.Format, Environment: "production", Release: "v2", Service: app, Capacity: fleetStable + 1,
			Port: f.port, Path: "/metrics",
			Selector: map[string]string{"path": "/graphql"}, Interval: 1e9, Alpha: guard.DefaultAlpha, ErrorRate: 0.01,
			SlowShare: 0.05, Latency: 500e6,
			Ledger: names.Ledger(app),
		}
		config.Spec.Namespace, config.Spec.App, config.Spec.Metrics = fleetSpace, app, gate.DefaultMetrics()
		config.Spec.Plan = plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
		raw, err := json.Marshal(config)
		if err != nil {
			return err
		}
		f.api.Put("configmaps", &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: names.Guard(app),
				Labels: map[string]string{guard.ConfigLabel: guard.ConfigValue}},
			Data: map[string]string{guard.ConfigKey: string(raw)},
		})
	}
	return nil
}

// track creates a Deployment with its ReplicaSet and pods.
func (f *fleet) track(app, name, track, version string, rollout, from, count int) {
	yes, replicas := true, int32(count) //nolint:gosec // a handful of pods
	image := "vextrus/" + app + "@" + fleetDigest
	containers := []corev1.Container{{Name: "app", Image: image}}
	meta := func(name, kind, owner string) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Name: name, UID: types.UID(name)}
		if owner != "" {
			m.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner, UID: types.UID(owner), Controller: &yes}}
		}
		return m
	}
	f.api.Put("deployments", &appsv1.Deployment{
		ObjectMeta: meta(name, "", ""),
		Spec: appsv1.DeploymentSpec{Replicas: &replicas,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: containers}}},
		Status: appsv1.DeploymentStatus{ReadyReplicas: replicas, UpdatedReplicas: replicas},
	})
	f.api.Put("replicasets", &appsv1.ReplicaSet{ObjectMeta: meta(name+"-abc", "Deployment", name)})
	for i := range count {
		pod := &corev1.Pod{
			ObjectMeta: meta(fmt.Sprintf("%s-abc-%d", name, i), "ReplicaSet", name+"-abc"),
			Spec:       corev1.PodSpec{NodeName: "node", Containers: containers},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, PodIP: address(rollout, from+i),
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue,
					LastTransitionTime: metav1.Now()}},
				ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Ready: true,
					State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}},
			},
		}
		pod.Labels = map[string]string{names.App: app, names.Track: track, names.Version: version,
			names.Traffic: names.Enabled}
		f.api.Put("pods", pod)
	}
}
