package guard

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A ConfigMap with the guard's label commands it no longer: a guard goes by the one that it was started for.
func TestAGuardIgnoresConfigurationsOfOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		startedFor []string
		rollouts   float64
	}{
		"its own":     {[]string{"finance-guard"}, 1},
		"one of many": {[]string{"shop-guard", "finance-guard"}, 1},
		"another":     {[]string{"shop-guard"}, 0},
		"any":         {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, 0)
			g, _ := w.guarded(func(*Config) { w.startedFor = tt.startedFor })
			w.eventually("a decision about the configuration", func() bool {
				ignored := testutil.ToFloat64(g.metrics.errors.WithLabelValues("finance-guard", SourceConfig))
				return testutil.ToFloat64(g.metrics.rollouts) == tt.rollouts && ignored == 1-tt.rollouts
			})
		})
	}
}

// A guard that only reports says so where people look.
func TestADisarmedGuardIsAnEvent(t *testing.T) {
	w := newWorld(t, 1, 0)
	g, _ := w.guarded(func(c *Config) { c.DryRun = true })
	w.eventually("an Event", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return strings.Contains(strings.Join(w.events, "\n"), "GuardDisarmed: the guard only reports")
	})
	if testutil.ToFloat64(g.metrics.dryRun.WithLabelValues("finance")) != 1 {
		t.Error("no metric tells")
	}
}
