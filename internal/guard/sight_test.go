package guard

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

func TestTheGuardIsBlindAfterAWhile(t *testing.T) {
	v, w, config := viewed(t)
	v.sight.restart(born)
	v.follow(config, 10, born)
	for _, step := range []struct {
		name    string
		after   time.Duration
		seen    string // the source that shows the canary now
		changed bool
		blind   bool
	}{
		{name: "just seen", after: blindAfter},
		{name: "not seen for long", after: blindAfter + time.Second, changed: true, blind: true},
		{name: "still not seen", after: time.Hour, blind: true},
		{name: "seen by its pods", after: time.Hour, seen: SourceTargets, changed: true},
		{name: "seen by Prometheus alone", after: 2 * time.Hour, seen: SourcePrometheus},
		{name: "not seen again", after: 3 * time.Hour, changed: true, blind: true},
	} {
		now := born.Add(step.after)
		if step.seen != "" {
			v.sight.saw(step.seen, now, 0)
		}
		if changed := v.checkSight(now); changed != step.changed || (v.sight.blind != "") != step.blind {
			t.Errorf("%s: blind %q, changed %v", step.name, v.sight.blind, changed)
		}
	}
	// A pod that starts takes no requests and cannot be seen.
	unready(w.pods["finance-v2-0"])
	v.update(w, config, born)
	if !v.checkSight(born.Add(4*time.Hour)) || v.sight.blind != "" {
		t.Errorf("a canary that starts: blind %q", v.sight.blind)
	}
}

// A pod that the Service sends the canary's requests to and that nobody scrapes leaves the guard blind, whatever owns
// the pod.
func TestAPodInTrafficThatIsNotWatchedBlindsTheGuard(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*world)
		blind  string
	}{
		{"another release", func(w *world) { w.pods["finance-v1-0"].Labels[names.Version] = "v1" }, "finance-v1-0"},
		{"nobody's pod with the release's labels", func(*world) {}, "finance-v1-0"},
		{"out of traffic", func(w *world) { w.pods["finance-v1-0"].Labels[names.Traffic] = names.Isolated }, ""},
		{"not ready", func(w *world) { unready(w.pods["finance-v1-0"]) }, ""},
		{"being deleted", func(w *world) { leaves(w.pods["finance-v1-0"]) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, w, config := viewed(t)
			w.add("finance-v1-0", names.Canary)
			tt.change(w)
			v.targets["finance-v2-0"] = &target{}
			for _, after := range []time.Duration{0, blindAfter, blindAfter + time.Second} {
				now := born.Add(after)
				v.update(w, config, now)
				v.follow(config, 10, now)
				v.sight.saw(SourceTargets, now, 0)
				v.noteUnwatched(w.Pods(config.canaryLabels()), now)
				if v.checkSight(now) != (tt.blind != "" && after > blindAfter) {
					t.Errorf("after %v: blind %q", after, v.sight.blind)
				}
			}
			if (tt.blind == "") != (v.sight.blind == "") || !strings.Contains(v.sight.blind, tt.blind) {
				t.Errorf("blind %q, want %q", v.sight.blind, tt.blind)
			}
		})
	}
}

// A page of another exporter, or a login page, is no sight of the canary, even with status 200.
func TestOnlyTheNamedCounterShowsTheCanary(t *testing.T) {
	for _, tt := range []struct {
		name, page string
		shown      bool
	}{
		{"the counter", exposed(1, 0, 1, 1), true},
		{"the counter without the requests of the selector", "http_requests_total{code=\"200\",path=\"/health\"} 7\n", true},
		{"the counter without any series yet", "# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n",
			true},
		{"another exporter", "# TYPE node_load1 gauge\nnode_load1 0.2\n", false},
		{"a counter whose name begins with it", "# TYPE http_requests_total_other counter\nhttp_requests_total_other 3\n",
			false},
		{"a login page", "<!doctype html>\n<title>Sign in</title>\n", false},
		{"nothing", "", false},
	} {
		c := &counters{names: someNames()}
		read(t, c, exposed(1, 0, 1, 1))
		if read(t, c, tt.page); c.named != tt.shown {
			t.Errorf("%s: shown %v", tt.name, c.named)
		}
	}
}

// answers is a Prometheus with a value for the queries that contain a text.
type answers map[string]model.SampleValue

func (a answers) Ask(_ context.Context, query string, _ time.Time) (model.Value, error) {
	if len(a) == 0 {
		return nil, errors.New("away")
	}
	series := model.Vector{}
	for part, value := range a {
		if strings.HasPrefix(query, part) {
			series = append(series, &model.Sample{Value: value})
		}
	}
	return series, nil
}

func TestWhatPrometheusShowsOfTheCanary(t *testing.T) {
	const (
		shown   = `sum(http_requests_total{track="canary",version="v2"})`
		counted = `sum by (track) (increase(http_requests_total{`
	)
	config := Config{Release: "v2"}
	config.Spec.Metrics = gate.DefaultMetrics()
	for _, tt := range []struct {
		name   string
		server answers
		want   byPrometheus
		err    bool
	}{
		{name: "its requests", server: answers{shown: 90, counted: 12}, want: byPrometheus{shown: true, requests: 12}},
		{name: "its probes alone", server: answers{shown: 90}, want: byPrometheus{shown: true}},
		{name: "an answer without the canary", server: answers{"up": 1}},
		{name: "no answer", err: true},
	} {
		if got, err := askCanary(t.Context(), tt.server, config, born); got != tt.want || (err != nil) != tt.err {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

func TestRequestsThatOnlyPrometheusCounts(t *testing.T) {
	late := born.Add(compareOver + compareSlack)
	for _, tt := range []struct {
		name    string
		canary  byPrometheus
		counted int64 // by the guard, a minute before
		now     time.Time
		unseen  float64
	}{
		{name: "the guard counts none", canary: byPrometheus{true, 40}, now: late, unseen: 40},
		{name: "the guard counts one", canary: byPrometheus{true, 40}, counted: 1, now: late},
		{name: "the evidence is young", canary: byPrometheus{true, 40}, now: late.Add(-time.Second)},
		{name: "hardly any request", canary: byPrometheus{true, 4}, now: late},
	} {
		config := Config{ErrorRate: 0.01, SlowShare: 0.05, Latency: 500e6, Alpha: DefaultAlpha}
		tracker := newTracker(config.errorRate(), config.latency(), born)
		if err := tracker.canary(tt.now.Add(-time.Minute), Rise{Requests: gate.Counts{N: tt.counted}}); err != nil {
			t.Fatal(err)
		}
		if got := tracker.unseen(tt.canary, tt.now); got != tt.unseen {
			t.Errorf("%s: %v requests are unseen, want %v", tt.name, got, tt.unseen)
		}
	}
}

// Stable's pods answer, and the canary's serve a page of something else.
func TestStablesPagesAreNoSightOfTheCanary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.mu.Lock()
	w.login = true
	w.mu.Unlock()
	_, registry := w.guarded()
	w.customers(10, 0, 0)
	time.Sleep(time.Second)
	w.skew.Store(int64(blindAfter + time.Second))
	w.eventually("the event", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool { return strings.HasPrefix(e, "GuardBlind: neither") })
	})
	if err := testutil.GatherAndCompare(registry, strings.NewReader("# HELP rollout_guard_sees 1 while the source shows "+
		"the canary's counter of requests.\n# TYPE rollout_guard_sees gauge\n"+
		"rollout_guard_sees{rollout=\"finance\",source=\"targets\"} 0\n"), "rollout_guard_sees"); err != nil {
		t.Error(err)
	}
}

// A guard that was blind under one configuration and sees under the next one said so for ever: the series was written
// when the sight changed, and a new configuration begins with sight.
func TestAnotherConfigurationClearsTheSeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	guard, registry := w.guarded()
	guard.metrics.blind.WithLabelValues("finance").Set(1)
	w.eventually("the series of a guard that sees", func() bool {
		return testutil.GatherAndCompare(registry, strings.NewReader("# HELP rollout_guard_blind 1 while the guard does "+
			"not see a canary in traffic, or a pod takes its requests unwatched.\n# TYPE rollout_guard_blind gauge\n"+
			"rollout_guard_blind{rollout=\"finance\"} 0\n"), "rollout_guard_blind") == nil
	})
}
