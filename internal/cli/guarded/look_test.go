package guarded

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/guard/command"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// newLines reads events, whose lines are as long as a section.
func newLines(body io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	return lines
}

func (w *world) look(name string) *look {
	return &look{name: name, source: command.PageSource{Identity: "finance-guard-x1", Lease: "finance-guard", Watcher: w,
		Cluster: w, Now: func() time.Time { return began.Add(time.Hour) },
		Prometheus: func(string) (command.PageServer, error) { return w, nil }}}
}

func TestThePageShowsWhatTheGuardSees(t *testing.T) {
	news := first(t, soaking(t, "finance").page(t), "/dashboard/finance-guard/events", func(all map[string]string) bool {
		return strings.Contains(all["charts"], "The last hour") || strings.Contains(all["charts"], "Error rate")
	})
	for section, wants := range map[string][]string{
		"summary":  {"v2 soaks at 10 %", "stack production", "seen by the guard finance-guard-x1"},
		"weight":   {"12.0 %", "of 100 requests", "finance-stable", "finance-v2", "1 of 1"},
		"soak":     {"error rate", "91 bad of 24012 requests", "those of the last checkpoint"},
		"watch":    {"CanaryLatencyHigh", "finance-guard-x2 active; 2 ready"},
		"ledger":   {"anna", "guard/x2"},
		"evidence": {"rollout evidence list -s production"},
		"forecast": {"rollout forecast -s production"},
	} {
		for _, want := range wants {
			if !strings.Contains(news[section], want) {
				t.Errorf("%s lacks %q: %s", section, want, news[section])
			}
		}
	}
	all := strings.Join([]string{news["summary"], news["weight"], news["soak"], news["watch"], news["ledger"]}, "\n")
	// A guard does not know which weight the configuration asks for.
	for _, unwanted := range []string{hidden, "Asked", "the configuration asks", "the plan says"} {
		if strings.Contains(all, unwanted) {
			t.Errorf("%q is shown: %s", unwanted, all)
		}
	}
}

func TestTheGuardsStatus(t *testing.T) {
	latched := ledger.Entry{Kind: ledger.RolledBack, Who: "guard/x2", Release: "v2", Image: "sha256:2b40e63d169c",
		Reason: "20 of 168 requests failed"}
	for name, tt := range map[string]struct {
		change func(t *testing.T, w *world)
		is     func(*status.Status) bool
	}{
		"in order": {func(*testing.T, *world) {}, func(s *status.Status) bool {
			return s.Phase == status.PhaseSoaking && s.Order == status.InOrder && s.Tracks[1].Taking == 1 &&
				*s.Weight.Measured == 12 && *s.Weight.Passed == 10
		}},
		"rolled back": {func(t *testing.T, w *world) { w.record(t, began.Add(55*time.Minute), latched) },
			func(s *status.Status) bool { return s.Phase == status.PhaseRolledBack && s.Latch != nil }},
		"a route": {func(_ *testing.T, w *world) {
			w.rollouts[0].Config.Route = &rollback.Route{Name: "finance", Weights: map[string]int{"finance": 90, "canary": 10}}
		}, func(s *status.Status) bool { return s.Tracks[1].Taking == 1 }},
		"no prometheus": {func(_ *testing.T, w *world) { w.rollouts[0].Config.Prometheus = "" },
			func(s *status.Status) bool {
				return s.Order == status.OrderUnknown && strings.Contains(strings.Join(s.Missing, " "), "config prometheus")
			}},
		"an outage": {func(_ *testing.T, w *world) { w.away = errors.New("no route to host") },
			func(s *status.Status) bool { return strings.Contains(s.Unreachable, "no route to host") }},
		"gone": {func(_ *testing.T, w *world) { w.rollouts = nil },
			func(s *status.Status) bool { return strings.Contains(s.Unreachable, "does not watch finance-guard") }},
		"dry run": {func(_ *testing.T, w *world) { w.rollouts[0].Config.DryRun = true },
			func(s *status.Status) bool { return s.Guard.DryRun }},
	} {
		w := soaking(t, "finance")
		tt.change(t, w)
		if s := w.look("finance-guard").status(t.Context()); !tt.is(s) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// A page that looks every second reads the ledger when it has changed.
func TestTheLedgerIsReadWhenItHasChanged(t *testing.T) {
	w := soaking(t, "finance")
	look := w.look("finance-guard")
	for range 5 {
		look.status(t.Context())
	}
	if w.reads != 1 {
		t.Errorf("%d readings of a ledger that has not changed", w.reads)
	}
	w.record(t, began.Add(time.Hour), ledger.Entry{Kind: ledger.ShiftReached, Who: "anna", Release: "v2",
		Image: "sha256:2b40e63d169c", Stable: "sha256:0000", From: 10, To: 30})
	if s := look.status(t.Context()); w.reads != 2 || *s.Weight.Stands != 30 {
		t.Errorf("after a shift: %d readings, %+v", w.reads, s.Weight)
	}
}

func TestTheStacksName(t *testing.T) {
	for want, config := range map[string]guard.Config{
		"production": {Environment: "production"},
		"blue":       {Environment: "production", Stack: "blue", Notify: &guard.Notify{Stack: "green"}},
		"green":      {Environment: "production", Notify: &guard.Notify{Stack: "green"}},
	} {
		if got := stackOf(config); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
