package guard

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

func quarantined(c *Config) { c.Quarantine = true }

// enabled is the number of canary pods in traffic.
func (w *world) enabled() int {
	return len(w.Pods(map[string]string{names.Track: names.Canary, names.Traffic: names.Enabled}))
}

// failUntil lets the canary's pods fail a few requests at a time until the ledger ends with these entries.
func (w *world) failUntil(kinds string) {
	w.t.Helper()
	w.eventually(kinds, func() bool {
		w.serve(names.Canary, 0, 3)
		time.Sleep(300 * time.Millisecond)
		return strings.HasSuffix(w.kinds(), kinds)
	})
}

// pass lets the guard's clock go on.
func (w *world) pass(d time.Duration) { w.skew.Add(int64(d)) }

// watchedWell starts a guard over a canary that has served well.
func (w *world) watchedWell() *prometheus.Registry {
	w.t.Helper()
	_, registry := w.guarded(quarantined)
	w.customers(1, 0, 0)
	w.eventually("looks", func() bool { return requests(w.t, registry) > 20 })
	return registry
}

func TestABadCanaryIsQuarantinedAgainAndAgainAndThenRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.watchedWell()
	w.failUntil("quarantined")
	w.eventually("out of traffic", func() bool { return w.enabled() == 0 })
	w.eventually("the event", w.saw("CanaryQuarantined: v2 is out of traffic until"))
	if w.kinds() != "shift-reached quarantined" || w.out() {
		t.Fatalf("the ledger holds %s", w.kinds())
	}
	for i, pause := range quarantine.DefaultPolicy().Pauses {
		if i > 0 {
			w.failUntil("readmitted quarantined")
			w.eventually("out of traffic", func() bool { return w.enabled() == 0 })
		}
		w.pass(pause)
		w.eventually("readmitted", func() bool { return w.enabled() == 1 && strings.HasSuffix(w.kinds(), "readmitted") })
	}
	w.failUntil("readmitted rollback-begun rolled-back")
	w.eventually("rolled back", w.out)
}

func TestACanaryThatHadABurstComesBackPodByPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 2)
	w.record(reached())
	registry := w.watchedWell()
	w.failUntil("quarantined")
	w.eventually("out of traffic", func() bool { return w.enabled() == 0 })
	w.pass(time.Minute)
	w.eventually("one pod", func() bool { return w.enabled() == 1 })
	// It serves its probation on trial already: all pods have to return nevertheless.
	w.eventually("the evidence begins anew", func() bool { return requests(t, registry) < 50 })
	w.eventually("the probation is over", func() bool { return requests(t, registry) > 60 })
	w.pass(30 * time.Second)
	w.eventually("all pods", func() bool { return w.enabled() == 2 })
	time.Sleep(time.Second) // further looks
	if got := w.kinds(); got != "shift-reached quarantined readmitted" || w.out() {
		t.Errorf("the ledger holds %s", got)
	}
}

// A guard that starts during a quarantine goes on with it, and knows the offences before.
func TestAQuarantineOutlastsTheGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached(), ledger.Entry{Kind: ledger.Quarantined, Release: "v2", Image: image,
		Offence: len(quarantine.DefaultPolicy().Pauses)})
	w.mu.Lock()
	w.pods["finance-v2-0"].Labels[names.Traffic] = names.Isolated
	w.mu.Unlock()
	w.guarded(quarantined)
	time.Sleep(time.Second) // looks before its end
	if w.enabled() != 0 {
		t.Fatal("readmitted before its time")
	}
	w.pass(2 * time.Minute)
	w.eventually("readmitted", func() bool { return w.enabled() == 1 })
	w.failUntil("readmitted rollback-begun rolled-back")
	w.eventually("rolled back", w.out)
}

// Stable has not the capacity for the requests of a canary at 60 %: the rollback keeps it.
func TestACanaryWithMostOfTheRequestsIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	entry := reached()
	entry.To = 60
	w.record(entry)
	w.watchedWell()
	w.failUntil("shift-reached rollback-begun rolled-back")
	w.eventually("rolled back", w.out)
}

// A webhook that refuses the label would leave the canary in traffic until the burst-robust evidence convicts it. An
// API server that cannot be reached refuses nothing, and the quarantine goes on when it is back.
func TestACanaryThatCannotBeIsolatedIsRolledBack(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"a webhook refuses": {fmt.Errorf("label pod: %w", apierrors.NewForbidden(corev1.Resource("pods"), "finance-v2-0",
			errors.New("labels are frozen"))), "quarantined rollback-begun rolled-back"},
		"nobody answers": {errAway, "quarantined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 3, 1)
			w.record(reached())
			w.watchedWell()
			w.mu.Lock()
			w.unlabelled = tt.err
			w.mu.Unlock()
			w.failUntil(tt.want)
			if tt.want != "quarantined" {
				w.eventually("rolled back", w.out)
				return
			}
			time.Sleep(5 * time.Second) // further looks
			w.mu.Lock()
			w.unlabelled = nil
			w.mu.Unlock()
			w.eventually("out of traffic", func() bool { return w.enabled() == 0 })
			if got := w.kinds(); got != "shift-reached quarantined" {
				t.Errorf("the ledger holds %s", got)
			}
		})
	}
}

// A person who rolls back during a quarantine has the last word.
func TestARollbackDuringAQuarantineIsFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 1)
	w.record(reached())
	w.watchedWell()
	w.failUntil("quarantined")
	w.record(ledger.Entry{Kind: ledger.RollbackBegun, Who: "ann", Release: "v2", Image: image, Reason: "a person"},
		ledger.Entry{Kind: ledger.RolledBack, Who: "ann", Image: image, Verdict: "complete"})
	w.pass(10 * time.Minute)
	w.eventually("out", func() bool { return w.out() && w.enabled() == 0 })
	if strings.Contains(w.kinds(), "readmitted") {
		t.Errorf("the ledger holds %s", w.kinds())
	}
}

// The burst-robust evidence goes on over a quarantine, and many bad blocks convict where one burst does not.
func TestEvidenceOutlastsAQuarantine(t *testing.T) {
	config := Config{ErrorRate: 0.01, SlowShare: 0.05, Latency: 500e6, Alpha: DefaultAlpha, Quarantine: true}
	v := newView(config)
	v.subject = subject{image: image, weight: 10}
	now := born
	for admission := 1; ; admission++ {
		v.tracker = newTracker(config.errorRate(), config.latency(), now)
		v.tracker.proven = v.proven(config.errorRate(), now)
		now = now.Add(time.Second)
		for _, detector := range []*gate.Detector{v.tracker.errors, v.tracker.proven} {
			if err := detector.Observe(time.Second, gate.Counts{N: 50, K: 50}, gate.Counts{}); err != nil {
				t.Fatal(err)
			}
		}
		convicted := v.tracker.errorRate.Suspects(v.tracker.proven)
		v.keep(now)
		if v.servedBefore() != (gate.Counts{N: int64(50 * admission), K: int64(50 * admission)}) {
			t.Fatalf("served %+v", v.servedBefore())
		}
		if convicted {
			if admission < 4 || admission > 8 {
				t.Errorf("convicted at admission %d", admission)
			}
			return
		}
		now = now.Add(time.Minute)
	}
}
