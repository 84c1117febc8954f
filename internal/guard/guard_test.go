package guard

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

func TestABadCanaryIsTakenOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	_, registry := w.guarded()
	w.customers(2, 1, 0)
	w.eventually("rolled back", func() bool {
		return w.out() &&
			strings.HasSuffix(w.kinds(), "rollback-begun rolled-back")
	})
	w.eventually("the event", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool {
			return strings.HasPrefix(e,
				"CanaryRolledBack: v2 was rolled back")
		})
	})
	if count, err := testutil.GatherAndCount(registry, "rollout_guard_rollbacks_total"); err != nil || count != 1 {
		t.Errorf("%d series of rollbacks, %v", count, err)
	}
}

// `pulumi up --exclude` of the release record gives pods requests that no smoke suite and no bake has seen: the ledger
// holds the shift as begun, and the guard judges them like any other.
func TestACanaryWhoseGateWasLeftOutIsTakenOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	begun := reached()
	begun.Kind = ledger.ShiftBegun
	w.record(begun)
	w.guarded()
	w.customers(2, 2, 0)
	w.eventually("rolled back", func() bool {
		return w.out() && w.kinds() == "shift-begun rollback-begun rolled-back"
	})
}

func TestAHealthyCanaryStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	g, registry := w.guarded()
	w.customers(10, 0, 0)
	w.eventually("many looks", func() bool { return requests(t, registry) > 300 })
	if w.out() || w.kinds() != "shift-reached" || !g.synced.Load() {
		t.Errorf("the ledger holds %s", w.kinds())
	}
}

// requests are those of the canary that the guard's evidence holds.
func requests(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "rollout_guard_requests" {
			return family.Metric[0].GetGauge().GetValue()
		}
	}
	return 0
}

func TestASharedOutageIsReportedAndNotBlamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	_, registry := w.guarded()
	w.customers(0, 5, 10)
	w.eventually("the report", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, "a shared dependency fails") })
	})
	time.Sleep(time.Second) // further looks, none of which may blame the canary
	if w.kinds() != "shift-reached" {
		t.Errorf("the ledger holds %s", w.kinds())
	}
	if count, err := testutil.GatherAndCount(registry, "rollout_guard_rollbacks_total"); err != nil || count != 0 {
		t.Errorf("%d series of rollbacks, %v", count, err)
	}
}

// Between two canaries the guard does not scrape the stable track. Failures of that time are neither a shared outage
// now nor failures since a rollback.
func TestWhatStableFailedBeforeIsNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 0)
	w.record(reached())
	w.guarded(func(c *Config) { c.Watch = model.Duration(2 * time.Second) })
	w.serve(names.Stable, 100, 1000)
	time.Sleep(500 * time.Millisecond) // looks without a canary
	w.add("finance-v2-9", names.Canary)
	w.mu.Lock()
	w.scaled["finance-v2"] = 1
	w.mu.Unlock()
	w.changed()
	w.customers(2, 1, 0)
	events := func() string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return strings.Join(w.events, "\n")
	}
	// The event comes after the entry.
	w.eventually("rolled back and watched", func() bool {
		return w.out() && strings.HasSuffix(w.kinds(), "rollback-begun rolled-back watched") &&
			strings.Contains(events(), "StableIsNormal: ")
	})
	if text := events(); strings.Contains(text, "a shared dependency fails") ||
		!strings.Contains(text, "StableIsNormal: stable failed 0 of ") {
		t.Errorf("the events are\n%s", text)
	}
}

func TestTheRequestsAreDivertedFirst(t *testing.T) {
	t.Run("by the route", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 3, 1)
		w.record(reached())
		w.guarded(func(c *Config) {
			c.Route = &rollback.Route{Name: "finance", Weights: map[string]int{"finance-stable": 100, "finance-canary": 0}}
		})
		w.customers(2, 1, 0)
		w.eventually("rolled back", w.out)
		want := "weights of finance: map[finance-canary:0 finance-stable:100]; finance accepted; isolated finance-v2-0"
		if got := strings.Join(w.done, "; "); got != want {
			t.Errorf("the canary was taken out by %s, want %s", got, want)
		}
	})
	t.Run("by the Service", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 2, 3)
		w.record(reached())
		w.narrow = true
		w.guarded()
		w.customers(2, 1, 0)
		w.eventually("rolled back", w.out)
		if w.narrow {
			t.Error("the Service selects the canary alone")
		}
	})
}

func TestADryRunOnlyReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.guarded(func(c *Config) { c.DryRun = true })
	w.customers(2, 1, 0)
	w.eventually("the report", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool { return strings.HasPrefix(e, "WouldRollBack") })
	})
	if w.out() || w.kinds() != "shift-reached" {
		t.Errorf("the ledger holds %s", w.kinds())
	}
}

func TestARollbackThatWasBegunIsCarriedThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 1)
	w.record(reached(), ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard/another", Release: "v2", Image: image,
		Reason: "bad"})
	w.guarded()
	w.eventually("carried through", func() bool { return w.out() && strings.HasSuffix(w.kinds(), "rolled-back") })
	if strings.Count(w.kinds(), "rollback-begun") != 1 {
		t.Errorf("the ledger holds %s", w.kinds())
	}
}

func TestALatchedImageIsKeptOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 0)
	w.record(reached(), ledger.Entry{Kind: ledger.RollbackBegun, Who: "ci", Release: "v2", Image: image},
		ledger.Entry{Kind: ledger.RolledBack, Image: image, Verdict: "complete"})
	w.guarded()
	// An operator scales it up by hand.
	w.add("finance-v2-9", names.Canary)
	w.mu.Lock()
	w.scaled["finance-v2"] = 1
	w.mu.Unlock()
	w.changed()
	w.eventually("out again", w.out)
	if got := w.kinds(); got != "shift-reached rollback-begun rolled-back" {
		t.Errorf("the ledger holds %s", got)
	}
}

func TestARollbackOfAnotherImageIsOnlyRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached(), ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard/another", Release: "v1", Image: "sha256:9999",
		Reason: "bad"})
	w.guarded()
	w.customers(10, 0, 0)
	w.eventually("recorded", func() bool { return strings.HasSuffix(w.kinds(), "rolled-back") })
	if w.out() {
		t.Error("the new canary was taken out for the old canary's fault")
	}
}

func TestAnAPIServerThatIsAwayEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.mu.Lock()
	w.away = true
	w.mu.Unlock()
	w.guarded()
	w.customers(2, 1, 0)
	time.Sleep(2 * time.Second)
	w.mu.Lock()
	w.away = false
	w.mu.Unlock()
	w.eventually("rolled back afterwards", func() bool { return w.out() && strings.Contains(w.kinds(), "rolled-back") })
}

func TestARollbackThatCouldNotDoAStepIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 1)
	w.record(reached())
	// One for the request, two while the canary leaves, three for the wait, and one of the second try.
	w.refusals = map[string]int{"finance-stable": 7}
	w.guarded()
	w.customers(2, 1, 0)
	w.eventually("stable is whole", func() bool {
		return w.out() &&
			strings.HasSuffix(w.kinds(), "rollback-begun rolled-back rolled-back")
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept != 1 {
		t.Errorf("evidence was kept %d times", w.kept)
	}
}

func TestARollbackIsNotRepeatedOnceItsLatchIsReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 1)
	w.record(reached())
	w.refusals = map[string]int{"finance-stable": 6} // all of the first try
	w.guarded()
	end := w.customersUntil(2, 1, 0)
	w.eventually("rolled back", func() bool { return strings.HasSuffix(w.kinds(), "rolled-back") })
	end()
	w.record(ledger.Entry{Kind: ledger.LatchReleased, Image: image, Ref: 2, Reason: "mended"})
	time.Sleep(retryAfterFailure + time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.scaled["finance-stable"] != 2 {
		t.Errorf("stable was scaled to %d after the latch was released", w.scaled["finance-stable"])
	}
}

func TestReadinessThatIsLostIsTakenOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	_, registry := w.guarded()
	w.eventually("watched", func() bool {
		count, err := testutil.GatherAndCount(registry, "rollout_guard_weight_percent")
		return err == nil && count == 1
	})
	w.mu.Lock()
	unready(w.pods["finance-v2-0"])
	w.mu.Unlock()
	w.changed()
	w.eventually("out", w.out)
}

func TestAnImpostorIsReportedAndNotCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.add("intruder", names.Canary)
	w.guarded()
	ctx := t.Context()
	go func() {
		for ctx.Err() == nil {
			w.mu.Lock()
			w.service["intruder"].bad += 5
			w.service["finance-v2-0"].good += 5
			w.mu.Unlock()
			time.Sleep(50 * time.Millisecond)
		}
	}()
	w.eventually("the report", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.events, func(e string) bool {
			return strings.Contains(e,
				"pod intruder has the canary's labels")
		})
	})
	time.Sleep(time.Second)
	if w.out() {
		t.Error("the canary was blamed for another pod")
	}
}

func TestAPodThatIsSeenBeforeItsReplicaSetIsNoImpostor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.late.Store(true)
	_, registry := w.guarded()
	time.AfterFunc(time.Second, func() { w.late.Store(false) })
	w.customers(10, 0, 0)
	w.eventually("looks", func() bool { return requests(t, registry) > 900 }) // longer than an impostor has to be seen
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, "has the canary's labels") }) {
		t.Errorf("events: %v", w.events)
	}
}

func TestConfigurationsThatAreWrongAreNotUsed(t *testing.T) {
	tests := map[string]func(*Config){
		"format":    func(c *Config) { c.Format = 9 },
		"interval":  func(c *Config) { c.Interval = 1 },
		"namespace": func(c *Config) { c.Spec.Namespace = "elsewhere" },
		"pattern":   func(c *Config) { c.Spec.Metrics.ErrorPattern = "(" },
		"limit":     func(c *Config) { c.ErrorRate = 2 },
		"port":      func(c *Config) { c.Port = 0 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, 1)
			g, registry := w.guarded(change)
			w.eventually("the error is counted", func() bool {
				count, err := testutil.GatherAndCount(registry, "rollout_guard_source_errors_total")
				return err == nil && count > 0
			})
			g.mu.Lock()
			defer g.mu.Unlock()
			if len(g.runners) != 0 {
				t.Error("it is used")
			}
		})
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1)
	g, registry := w.guarded()
	handler := g.Handler(registry)
	get := func(path string) int {
		recorder := &answer{header: http.Header{}}
		request, err := http.NewRequest(http.MethodGet, path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		handler.ServeHTTP(recorder, request)
		return max(recorder.status, 200)
	}
	w.eventually("ready", func() bool { return get("/readyz") == 200 })
	if get("/healthz") != 200 || get("/metrics") != 200 || get("/webhook") != 404 {
		t.Errorf("healthz %d, metrics %d, webhook %d", get("/healthz"), get("/metrics"), get("/webhook"))
	}
	g.options.Now = func() time.Time { return time.Now().Add(time.Hour) }
	if get("/healthz") != 503 {
		t.Error("a loop that stands still is called healthy")
	}
}

// answer is the least of a ResponseWriter.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
