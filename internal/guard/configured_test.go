package guard

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

func TestAConfigurationThatNoUpdateGave(t *testing.T) {
	begin := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	given := &ledger.State{Guard: &ledger.Entry{Configuration: ledger.Checksum("given")}}
	var s stray
	for i, tt := range []struct {
		state *ledger.State
		text  string
		after time.Duration
		want  bool
	}{
		{nil, "other", 0, false},
		{&ledger.State{}, "other", time.Hour, false},
		{given, "given", time.Hour, false},
		{given, "other", time.Hour, false},
		{given, "other", time.Hour + strayFor - 1, false},
		{given, "other", time.Hour + strayFor, true},
		{given, "given", 2 * time.Hour, false},
		{given, "other", 2*time.Hour + 1, false},
	} {
		if got := s.isLasting(tt.state, tt.text, begin.Add(tt.after)); got != tt.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
}

// Who may write ConfigMaps can loosen the guard's limits without a word: the guard says so, and guards on.
func TestAGuardOnAnotherConfigurationSaysSo(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.record(ledger.Entry{Kind: ledger.GuardConfigured, Who: "ann", Configuration: ledger.Checksum("{}")}, reached())
	g, _ := w.guarded()
	w.eventually("an Event about the configuration", func() bool {
		w.skew.Add(int64(time.Second))
		w.mu.Lock()
		defer w.mu.Unlock()
		return strings.Contains(strings.Join(w.events, "\n"),
			"GuardMisconfigured: the guard's configuration is not the one that ann gave it by an update (entry 1 of the ledger)")
	})
	if value := testutil.ToFloat64(g.metrics.misconfigured.WithLabelValues("finance")); value != 1 {
		t.Errorf("the metric is %v", value)
	}
	w.eventually("a rollback of a bad canary all the same", func() bool {
		w.serve("canary", 0, 50)
		w.serve("stable", 50, 0)
		return w.out()
	})
}
