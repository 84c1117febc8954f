package soak

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
)

var (
	twoDays = plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	began   = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// atTen is a rollout that reached 10 % when the soak began and had its last checkpoint that long after it; 0 for none.
func atTen(last time.Duration) ledger.State {
	state := ledger.State{Weight: 10, Image: "sha256:11", Release: "v2", SoakSince: began}
	if last > 0 {
		state.LastCheckpoint = began.Add(last)
	}
	return state
}

func TestDue(t *testing.T) {
	shifting, out, fresh := atTen(0), atTen(0), atTen(0)
	shifting.Begun = &ledger.Entry{To: 30}
	out.Weight = 0
	fresh.SoakSince = time.Time{}
	minute := time.Minute
	tests := []struct {
		name    string
		state   ledger.State
		elapsed time.Duration
		want    bool
	}{
		{"before the first", atTen(0), 14 * minute, false},
		{"the first", atTen(0), 15 * minute, true},
		{"long after the first", atTen(0), 31 * time.Hour, true},
		{"just taken", atTen(16 * minute), 17 * minute, false},
		{"a late one moves none", atTen(29 * minute), 30 * minute, true},
		{"every half hour", atTen(2 * time.Hour), 2*time.Hour + 29*minute, false},
		{"every half hour, due", atTen(2 * time.Hour), 2*time.Hour + 30*minute, true},
		{"every four hours after the end", atTen(48 * time.Hour), 51 * time.Hour, false},
		{"every four hours after the end, due", atTen(48 * time.Hour), 52 * time.Hour, true},
		{"a shift is under way", shifting, 15 * minute, false},
		{"no canary has requests", out, 15 * minute, false},
		{"no soak runs", fresh, 15 * minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Due(twoDays, tt.state, began.Add(tt.elapsed)); got != tt.want {
				t.Errorf("due %v, want %v", got, tt.want)
			}
		})
	}
}

func lookWith(verdict gate.Verdict) advance.Soak {
	return advance.Soak{Plan: twoDays, Since: began, Soaked: 14 * time.Minute,
		Evaluation: gate.Evaluation{Results: []gate.Result{
			{Name: "error rate", Verdict: verdict, N: 900, K: 3, Lower: 0.00012345678, Upper: 0.0125,
				Reason: "3 of 900 requests failed"},
			{Name: "restarts", Verdict: gate.Pass},
		}}}
}

func TestCheckpointHoldsTheNumbersOfTheLook(t *testing.T) {
	want := ledger.Entry{
		Kind: ledger.Checkpoint, Who: "guard", Release: "v2", Image: "sha256:11", From: 10, To: 10, Verdict: "inconclusive",
		Reason: "error rate: 3 of 900 requests failed", Soaked: 840, Numbers: []ledger.Number{
			{Name: "error rate", Verdict: "inconclusive", N: 900, K: 3, Lower: 0.000123, Upper: 0.0125},
			{Name: "restarts", Verdict: "pass"},
		},
	}
	now := began.Add(15 * time.Minute)
	got, due := Checkpoint(lookWith(gate.Inconclusive), atTen(0), now, "guard")
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ledger.Entry{})); !due || diff != "" {
		t.Errorf("due %v (-want +got)\n%s", due, diff)
	}
	if passed, due := Checkpoint(lookWith(gate.Pass), atTen(0), now, "guard"); !due || passed.Reason != "" ||
		passed.Verdict != "pass" {
		t.Errorf("due %v: %+v", due, passed)
	}
}

// Two that look at the same time note one checkpoint, and a look at a stage that is over none.
func TestACheckpointIsTakenOnce(t *testing.T) {
	now := began.Add(15 * time.Minute)
	store := &memory{}
	clock := func(at time.Time) func() time.Time { return func() time.Time { return at } }
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:11", Stable: "sha256:00", To: 10}
	if _, err := ledger.Write(t.Context(), store, clock(began), reached); err != nil {
		t.Fatal(err)
	}
	take := func(look advance.Soak) int {
		t.Helper()
		history, err := ledger.Append(t.Context(), store, clock(now), func(current *ledger.Ledger) ([]ledger.Entry, error) {
			entry, due := Checkpoint(look, current.State(), now, "somebody")
			if !due {
				return nil, nil
			}
			return []ledger.Entry{entry}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(history.String(), "checkpoint")
	}
	look := lookWith(gate.Pass)
	if taken := take(look) + take(look); taken != 2 {
		t.Errorf("the ledger holds %d checkpoints after the second look", taken-1)
	}
	reached.To = 30
	if _, err := ledger.Write(t.Context(), store, clock(now), reached); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if taken := take(look); taken != 1 {
		t.Errorf("a look at the stage before is noted as checkpoint %d", taken)
	}
}

// memory is a ledger.Store.
type memory struct {
	data    map[string]string
	version string
}

func (m *memory) Load(context.Context) (data map[string]string, version string, err error) {
	return m.data, m.version, nil
}

func (m *memory) Save(_ context.Context, data map[string]string, _ string) error {
	m.data, m.version = data, m.version+"i"
	return nil
}
