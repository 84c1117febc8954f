package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
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
	// login lets the canary's pods answer with a page of something else.
	login bool
	// narrow is a Service that selects the canary alone.
	narrow bool
	// away makes every write fail, as an API server does that cannot be reached.
	away bool
	// unlabelled is why no pod can be labelled; nil where all can.
	unlabelled error
	// refusals are how often a Deployment is not scaled, and kept how often evidence was saved.
	refusals map[string]int
	kept     int
	// notice is what the guard is told by that something has changed; nil before it watches.
	notice func()
	// skew is what the guard's clock is ahead by, in nanoseconds.
	skew atomic.Int64
	// late is a watch of ReplicaSets that has reported none yet.
	late atomic.Bool
	// startedFor are the configurations that a guard goes by; empty for all.
	startedFor []string
	// made is the identity of the canary's pods; empty for one that they do not say.
	made string
	// head is the ledger's in the release record; empty for none.
	head string
	// silent are stable pods whose metrics fail, masked ones that answer with a page of something else.
	silent, masked atomic.Bool
	// memory holds the pods' metrics by their addresses where no network is used; nil where it is.
	memory map[string]http.Handler
	// key gives the keys of webhooks; nil for a guard that holds none.
	key func(string) (string, error)
	// ledgerKey gives the guard's key of the ledger; nil for a guard without one.
	ledgerKey func() (string, error)
}

// now is the guard's clock, whose differences are those of the time on the wall.
func (w *world) now() time.Time { return time.Now().Round(0).Add(time.Duration(w.skew.Load())) }

// service counts the requests of a pod.
type service struct{ good, bad int }

func newWorld(t *testing.T, stable, canary int) *world {
	t.Helper()
	return newWorldIn(t, nil, stable, canary)
}

// newWorldIn makes a world without a network when memory is given.
func newWorldIn(t *testing.T, memory map[string]http.Handler, stable, canary int) *world {
	t.Helper()
	w := &world{
		t: t, memory: memory, pods: map[string]*corev1.Pod{}, service: map[string]*service{},
		scaled:  map[string]int{"finance-stable": stable, "finance-v2": canary},
		configs: map[string]map[string]string{}, notice: func() {},
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
	w.mu.Lock()
	address := fmt.Sprintf("127.0.1.%d", len(w.pods)+1)
	w.mu.Unlock()
	counts := &service{}
	w.listen(address, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		if track == names.Stable && w.silent.Load() {
			http.Error(answer, "no connection of the pool is free", http.StatusServiceUnavailable)
			return
		}
		w.mu.Lock()
		text := exposed(counts.good, counts.bad, counts.good+counts.bad, counts.good+counts.bad)
		if w.login && track == names.Canary || w.masked.Load() && track == names.Stable {
			text = "<!doctype html>\n<title>Sign in</title>\n"
		}
		w.mu.Unlock()
		_, _ = io.WriteString(answer, text)
	}))
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
		if track == names.Canary && w.made != "" {
			p.Annotations = map[string]string{names.Identity: w.made}
		}
	})
}

// listen lets a pod serve its metrics.
func (w *world) listen(address string, metrics http.Handler) {
	w.t.Helper()
	if w.memory != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.port = 80
		w.memory[address] = metrics
		return
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(w.port)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.port = listener.Addr().(*net.TCPAddr).Port
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: metrics}
	go func() { _ = server.Serve(listener) }()
	w.t.Cleanup(func() { _ = server.Close() })
}

// RoundTrip answers a scrape without a network.
func (w *world) RoundTrip(request *http.Request) (*http.Response, error) {
	time.Sleep(2 * time.Millisecond)
	recorder := httptest.NewRecorder()
	w.mu.Lock()
	metrics := w.memory[request.URL.Hostname()]
	w.mu.Unlock()
	metrics.ServeHTTP(recorder, request)
	return recorder.Result(), nil
}

// changed tells the guard that something has changed. One that does not watch yet will see it anyway.
func (w *world) changed() {
	w.mu.Lock()
	notice := w.notice
	w.mu.Unlock()
	if notice != nil {
		notice()
	}
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
		Watch: func(_ context.Context, changed func()) (Objects, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.notice = changed
			return w, nil
		},
		Lead: func(ctx context.Context, lead func(context.Context), _ func(string)) error { lead(ctx); return nil },
		Key:  w.key, Configurations: w.startedFor, LedgerKey: w.ledgerKey,
		Reach: func(string, string) (*http.Client, string, error) {
			return nil, "", errors.New("no server in this test")
		},
	})
	if w.memory != nil {
		g.scrape = func(*ScrapeTLS) *http.Client { return &http.Client{Timeout: scrapeTimeout, Transport: w} }
	}
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
