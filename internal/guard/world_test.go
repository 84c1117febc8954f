package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
)

const (
	image = "sha256:1111"
	space = "shop"
)

// world is a cluster in memory whose pods really serve their metrics, each at an address of its own of the loopback
// network.
type world struct {
	t *testing.T

	mu      sync.Mutex
	port    int
	pods    map[string]*corev1.Pod
	service map[string]*service
	scaled  map[string]int
	configs map[string]map[string]string
	version int
	events  []string
	// done are the steps that took requests from the canary, in their order.
	done []string
	// narrow is a Service that selects the canary alone.
	narrow bool
	// away makes every write fail, as an API server does that cannot be reached.
	away bool
	// refusals are how often a Deployment is not scaled, and kept how often evidence was saved.
	refusals map[string]int
	kept     int
	changed  func()
	// skew is what the guard's clock is ahead by, in nanoseconds.
	skew atomic.Int64
	// late is a watch of ReplicaSets that has told of none yet.
	late atomic.Bool
}

// now is the guard's clock, whose differences are those of the time on the wall.
func (w *world) now() time.Time { return time.Now().Round(0).Add(time.Duration(w.skew.Load())) }

// service counts the requests of a pod.
type service struct{ good, bad int }

func newWorld(t *testing.T, stable, canary int) *world {
	t.Helper()
	w := &world{
		t: t, pods: map[string]*corev1.Pod{}, service: map[string]*service{},
		scaled:  map[string]int{"finance-stable": stable, "finance-v2": canary},
		configs: map[string]map[string]string{}, changed: func() {},
	}
	for i := range stable {
		w.add(fmt.Sprintf("finance-stable-%d", i), names.Stable)
	}
	for i := range canary {
		w.add(fmt.Sprintf("finance-v2-%d", i), names.Canary)
	}
	return w
}

// add starts a pod that serves metrics.
func (w *world) add(name, track string) {
	w.t.Helper()
	address := fmt.Sprintf("127.0.1.%d", len(w.pods)+1)
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(w.port)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.port = listener.Addr().(*net.TCPAddr).Port
	counts := &service{}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(answer http.ResponseWriter,
		_ *http.Request) {
		w.mu.Lock()
		text := exposed(counts.good, counts.bad, counts.good+counts.bad, counts.good+counts.bad)
		w.mu.Unlock()
		_, _ = io.WriteString(answer, text)
	})}
	go func() { _ = server.Serve(listener) }()
	w.t.Cleanup(func() { _ = server.Close() })
	w.mu.Lock()
	defer w.mu.Unlock()
	version := map[string]string{names.Stable: "stable", names.Canary: "v2"}[track]
	w.service[name] = counts
	w.pods[name] = pod(name, func(p *corev1.Pod) {
		p.Namespace = space
		p.Labels = map[string]string{names.App: "finance", names.Track: track, names.Version: version,
			names.Traffic: names.Enabled}
		p.Spec.Containers = []corev1.Container{{Name: "sidecar", Image: "proxy@sha256:5555"},
			{Name: "app", Image: "finance@" + image}}
		p.Status.PodIP = address
	})
}

// serve counts requests at every pod that takes traffic.
func (w *world) serve(track string, good, bad int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, p := range w.pods {
		if p.Labels[names.Track] == track && p.Labels[names.Traffic] == names.Enabled {
			w.service[name].good += good
			w.service[name].bad += bad
		}
	}
}

func (w *world) Synced() bool { return true }

func (w *world) Pods(labels map[string]string) []*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []*corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(w.pods)) {
		matches := true
		for key, value := range labels {
			matches = matches && w.pods[name].Labels[key] == value
		}
		if matches {
			found = append(found, w.pods[name].DeepCopy())
		}
	}
	return found
}

func (w *world) Deployment(_, name string) (*appsv1.Deployment, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	scaled, exists := w.scaled[name]
	replicas := int32(scaled) //nolint:gosec // a few pods
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: space},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "finance@" + image}}},
		}},
	}, exists
}

func (w *world) OwnedBy(pod *corev1.Pod, deployment string) bool {
	return strings.HasPrefix(pod.Name, deployment+"-") && !w.late.Load()
}

func (w *world) ConfigMaps(_, value string) []*corev1.ConfigMap {
	w.mu.Lock()
	defer w.mu.Unlock()
	data, exists := w.configs["finance-guard"]
	if !exists || value != ConfigValue {
		return nil
	}
	return []*corev1.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Name: "finance-guard", Namespace: space,
		ResourceVersion: "1"}, Data: data}}
}

func (w *world) ConfigMapVersion(string, string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strconv.Itoa(w.version)
}

var errAway = errors.New("the API server cannot be reached")

func (w *world) write() error {
	if w.away {
		return errAway
	}
	go w.changed()
	return nil
}

func (w *world) AllPods(_ context.Context, _ string, labels map[string]string) ([]corev1.Pod, error) {
	var list []corev1.Pod
	for _, p := range w.Pods(labels) {
		list = append(list, *p)
	}
	return list, nil
}

func (w *world) DeploymentPods(_ context.Context, _, deployment string) ([]corev1.Pod, error) {
	var list []corev1.Pod
	for _, p := range w.Pods(nil) {
		if w.OwnedBy(p, deployment) {
			list = append(list, *p)
		}
	}
	return list, nil
}

func (w *world) LabelPods(_ context.Context, _ string, selector map[string]string, key, value string) ([]string,
	error) {
	found := w.Pods(selector)
	w.mu.Lock()
	defer w.mu.Unlock()
	var changed []string
	for _, p := range found {
		if err := w.write(); err != nil {
			return nil, err
		}
		if p.Labels[key] != value {
			w.pods[p.Name].Labels[key] = value
			w.done = append(w.done, "isolated "+p.Name)
			changed = append(changed, p.Name)
		}
	}
	return changed, nil
}

func (w *world) Endpoints(context.Context, string, string) ([]string, error) {
	var pods []string
	for _, p := range w.Pods(map[string]string{names.Traffic: names.Enabled}) {
		pods = append(pods, p.Name)
	}
	return pods, nil
}

func (w *world) Scale(_ context.Context, _, deployment string, replicas int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(); err != nil {
		return err
	}
	if w.refusals[deployment] > 0 {
		w.refusals[deployment]--
		return errors.New("refused")
	}
	w.scaled[deployment] = replicas
	for name := range w.pods {
		if replicas == 0 && strings.HasPrefix(name, deployment+"-") {
			delete(w.pods, name)
		}
	}
	return nil
}

func (w *world) Replicas(_ context.Context, _, deployment string) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.scaled[deployment], nil
}

func (w *world) OpenService(context.Context, string, string, string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.narrow
	w.narrow = false
	return was, nil
}

func (w *world) WaitDeploymentReady(context.Context, string, string, int) error { return nil }

func (w *world) SetRouteWeights(_ context.Context, _, route string, weights map[string]int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, fmt.Sprintf("weights of %s: %v", route, weights))
	return w.write()
}

func (w *world) WaitRoute(_ context.Context, _, route string, _ map[string]int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, route+" accepted")
	return nil
}

func (w *world) Logs(context.Context, string, string, string, bool, int64) (string, error) {
	return "log", nil
}

func (w *world) EventTexts(context.Context, string, string) ([]string, error) { return nil, nil }

func (w *world) SaveEvidence(context.Context, string, string, string, []byte, int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept++
	return nil
}

func (w *world) ConfigMap(_ context.Context, _, name string) (data map[string]string, version string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.configs[name] == nil {
		return nil, "", nil
	}
	return maps.Clone(w.configs[name]), strconv.Itoa(w.version), nil
}

func (w *world) SwapConfigMap(_ context.Context, _, name string, data map[string]string, version string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(); err != nil {
		return err
	}
	if w.configs[name] != nil && version != strconv.Itoa(w.version) {
		return kube.ErrConflict
	}
	w.version++
	w.configs[name] = maps.Clone(data)
	return nil
}

func (w *world) Announce(_ context.Context, _, _, _, reason, note string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, reason+": "+note)
	return nil
}

// guarded starts a guard over the world and gives its metrics.
func (w *world) guarded(change ...func(*Config)) (*Guard, *prometheus.Registry) {
	w.t.Helper()
	metrics := gate.DefaultMetrics()
	config := Config{
		Format: Format, Environment: "production", Release: "v2", Service: "finance", Capacity: 3, Port: w.port,
		Path:     "/metrics",
		Selector: map[string]string{"path": "/graphql"}, Interval: 200e6, Alpha: DefaultAlpha, ErrorRate: 0.01,
		SlowShare: 0.05, Latency: 500e6,
		Ledger: "finance-ledger",
	}
	config.Spec.Namespace, config.Spec.App, config.Spec.Metrics = space, "finance", metrics
	config.Spec.Criteria = []gate.Criterion{gate.ErrorRate(0.005, 0.01)}
	config.Spec.Plan = plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	for _, c := range change {
		c(&config)
	}
	raw, err := json.Marshal(config)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.configs["finance-guard"] = map[string]string{ConfigKey: string(raw)}
	w.mu.Unlock()
	registry := prometheus.NewRegistry()
	g := New(Options{
		Identity: "one", Cluster: w, Registry: registry, Logger: slog.New(slog.DiscardHandler), Now: w.now,
		Watch: func(_ context.Context, changed func()) (Objects, error) { w.changed = changed; return w, nil },
		Lead:  func(ctx context.Context, lead func(context.Context), _ func(string)) error { lead(ctx); return nil },
		Reach: func(string) (*http.Client, string, error) { return nil, "", errors.New("no server in this test") },
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the guard ended with %v", err)
		}
		drained, stop := context.WithTimeout(context.Background(), 30*time.Second)
		defer stop()
		g.Drain(drained)
	})
	return g, registry
}

func (w *world) kinds() string {
	history, err := ledger.Read(context.Background(), ledger.InConfigMap{Cluster: w, Namespace: space,
		Name: "finance-ledger"})
	if err != nil {
		w.t.Fatal(err)
	}
	var list []string
	for _, entry := range history.Entries() {
		list = append(list, string(entry.Kind))
	}
	return strings.Join(list, " ")
}

func (w *world) record(entries ...ledger.Entry) {
	w.t.Helper()
	if _, err := ledger.Write(w.t.Context(), ledger.InConfigMap{Cluster: w, Namespace: space, Name: "finance-ledger"},
		time.Now, entries...); err != nil {
		w.t.Fatal(err)
	}
}

// eventually waits for what must come; how long it takes decides nothing.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(deadline) {
			w.t.Fatalf("never: %s; ledger: %s; events: %v", what, w.kinds(), w.events)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *world) out() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.scaled["finance-v2"] == 0 && w.scaled["finance-stable"] == 3
}

func reached() ledger.Entry {
	return ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: image, Stable: "sha256:0000", To: 10}
}

// customers send requests until the test ends; the canary fails the share of bad in good+bad. customersUntil lets the
// test end them.
func (w *world) customers(good, bad, stableBad int) { w.customersUntil(good, bad, stableBad) }

func (w *world) customersUntil(good, bad, stableBad int) (end func()) {
	ctx, end := context.WithCancel(w.t.Context())
	go func() {
		for ctx.Err() == nil {
			w.serve(names.Canary, good, bad)
			w.serve(names.Stable, 10-stableBad, stableBad)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return end
}
