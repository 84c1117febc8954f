package shift

import (
	"context"
	"testing"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// A move begins on the ledger as it is at the write, not as it was when the move was judged.
func TestAdmit(t *testing.T) {
	reached := ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: onTrial, Stable: oldImage, To: 10}
	begun := ledger.Entry{Kind: ledger.ShiftBegun, Who: "bob", Release: "v2", Image: onTrial, Stable: oldImage, From: 10}
	to := func(entry ledger.Entry, weight int) ledger.Entry { entry.To = weight; return entry }
	rolledBack := ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard", Release: "v2", Image: onTrial, From: 10,
		Reason: "33 of 90 requests failed"}
	tests := []struct {
		name string
		// meanwhile is written after the move was judged at 10 %.
		meanwhile []ledger.Entry
		kind      plan.Kind
		weight    int
		release   int // the latch that the configuration releases
		want      admission
		fails     []string
	}{
		{name: "nothing happened", kind: plan.Advance, weight: 30},
		{name: "rolled back", kind: plan.Advance, weight: 30, meanwhile: []ledger.Entry{rolledBack},
			fails: []string{"rolled back by guard", "33 of 90"}},
		{name: "rolled back, and the way is down", kind: plan.Retreat, weight: 0, meanwhile: []ledger.Entry{rolledBack},
			want: admission{noted: true}},
		{name: "rolled back, and an older latch is released", kind: plan.Advance, weight: 30, release: 1,
			meanwhile: []ledger.Entry{rolledBack}, fails: []string{"rolled back by guard"}},
		{name: "the same move was begun", kind: plan.Advance, weight: 30, meanwhile: []ledger.Entry{to(begun, 30)},
			want: admission{noted: true}},
		{name: "the same move was made", kind: plan.Advance, weight: 30,
			meanwhile: []ledger.Entry{to(begun, 30), to(reached, 30)}, want: admission{noted: true}},
		{name: "moved elsewhere", kind: plan.Advance, weight: 30,
			meanwhile: []ledger.Entry{to(begun, 5), to(reached, 5)}, fails: []string{"moved to 5 %", "pulumi up"}},
		{name: "another move was begun", kind: plan.Advance, weight: 30, meanwhile: []ledger.Entry{to(begun, 5)},
			fails: []string{"moved on by bob", "--refresh"}},
		{name: "another move was begun, and the way is down", kind: plan.Retreat, weight: 0,
			meanwhile: []ledger.Entry{to(begun, 30)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := ledger.InConfigMap{Cluster: shifttest.New(), Namespace: "n", Name: "l"}
			judged := write(t, store, reached).State().Shift()
			current := write(t, store, tt.meanwhile...)
			target := plan.Target{Weight: tt.weight, Canary: onTrial, Stable: oldImage}
			decision := advance.Decision{Move: plan.Move{Kind: tt.kind, From: 10, To: tt.weight}}
			got, err := admit(current, judged, target, nil, decision, tt.release)
			if len(tt.fails) > 0 {
				testkit.WantError(t, err, tt.fails...)
				return
			}
			if err != nil || got.noted != tt.want.noted || got.released != nil {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestAdmitReleasesTheLatchThatIsNamed(t *testing.T) {
	store := ledger.InConfigMap{Cluster: shifttest.New(), Namespace: "n", Name: "l"}
	current := write(t, store, ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard", Release: "v2", Image: onTrial})
	latch, _ := current.State().Latch(onTrial)
	target := plan.Target{Weight: 10, Canary: onTrial, Stable: oldImage}
	decision := advance.Decision{Move: plan.Move{Kind: plan.Enter, To: 10}}
	got, err := admit(current, current.State().Shift(), target, nil, decision, latch.Seq)
	if err != nil || got.released == nil || got.released.Seq != latch.Seq {
		t.Errorf("%+v, %v", got, err)
	}
}

// write appends entries and returns the ledger with them.
func write(t *testing.T, store ledger.Store, entries ...ledger.Entry) *ledger.Ledger {
	t.Helper()
	ctx, now := context.Background(), at(born)
	if len(entries) > 0 {
		if _, err := ledger.Write(ctx, store, now.Now, entries...); err != nil {
			t.Fatal(err)
		}
	}
	current, err := ledger.Read(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	return current
}
