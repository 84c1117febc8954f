package shift

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/verify"
)

// shared makes another run of the program on the same cluster.
func (tr trial) shared(t *testing.T, weight int) trial {
	t.Helper()
	rival := newTrial(t, weight, served{}, tr.rollout.Clock.Now())
	rival.world, rival.cluster, rival.rollout.Cluster = tr.world, tr.world, tr.world
	return rival
}

func (tr trial) write(t *testing.T, entry ledger.Entry) {
	t.Helper()
	if _, err := ledger.Write(t.Context(), tr.rollout.Ledger(), tr.rollout.Clock.Now, entry); err != nil {
		t.Fatal(err)
	}
}

// advancing is a run that was allowed to go to 30 %.
func advancing(t *testing.T) trial {
	t.Helper()
	tr := newTrial(t, 30, served{}, born.Add(50*time.Hour))
	tr.standsAt(t, 10, born.Add(30*time.Second))
	if err := tr.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestAnUpdateThatIsOvertakenTakesNothingAwayAndNotesNothing(t *testing.T) {
	tests := map[string]ledger.Entry{
		"by another shift": {Kind: ledger.ShiftBegun, Who: "other", Image: onTrial, Stable: oldImage, From: 10, To: 0},
		"by a rollback":    {Kind: ledger.RollbackBegun, Who: "other", Release: "v2", Image: "sha256:2222", From: 10},
	}
	for name, entry := range tests {
		t.Run(name, func(t *testing.T) {
			tr := advancing(t)
			if err := tr.Latest(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			tr.write(t, entry)
			before := tr.kinds(t)
			for what, err := range map[string]error{"capacity": tr.Latest(t.Context()),
				"the position": tr.reached(t.Context())} {
				if err == nil || !strings.Contains(err.Error(), "moved on by other") ||
					!strings.Contains(err.Error(), "--refresh") {
					t.Errorf("%s: %v", what, err)
				}
			}
			if after := tr.kinds(t); after != before {
				t.Errorf("noted %s after %s", after, before)
			}
		})
	}
}

// A move that removes the canary's pods makes the smoke suite and the bake fail: that latches nothing.
func TestAFailureOfAnOvertakenUpdateRollsNothingBack(t *testing.T) {
	for name, tt := range map[string]struct{ moved, rolledBack bool }{"overtaken": {true, false}, "alone": {false, true}} {
		t.Run(name, func(t *testing.T) {
			tr := advancing(t)
			release := NewGate(tr.Shift, nil)
			if tt.moved {
				tr.write(t, ledger.Entry{Kind: ledger.ShiftBegun, Who: "other", Image: onTrial, Stable: oldImage, From: 10, To: 0})
			}
			failed := &verify.RefusedError{Report: verify.Report{Verdict: gate.Fail, Smoke: &smoke.Report{}}}
			err := release.refused(t.Context(), failed, "vextrus/finance@"+onTrial)
			if !errors.Is(err, failed) || strings.Contains(err.Error(), "moved on by other") != tt.moved {
				t.Errorf("error %v", err)
			}
			if rolledBack := strings.Contains(tr.kinds(t), "rollback"); rolledBack != tt.rolledBack ||
				(len(tr.world.Scaled) > 0) != tt.rolledBack {
				t.Errorf("rolled back %v, scaled %v", rolledBack, tr.world.Scaled)
			}
		})
	}
}

func TestTwoUpdatesToTheSamePositionNoteItOnce(t *testing.T) {
	first := advancing(t)
	second := first.shared(t, 30)
	if err := second.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, tr := range map[string]trial{"one": first, "the other": second} {
		if err := tr.Latest(t.Context()); err != nil {
			t.Errorf("%s may not go on: %v", name, err)
		}
	}
	for _, tr := range []trial{second, first} {
		if err := tr.reached(t.Context()); err != nil {
			t.Error(err)
		}
		if err := first.Latest(t.Context()); err != nil {
			t.Errorf("who comes second is overtaken: %v", err)
		}
	}
	if got := first.kinds(t); got != "shift-reached verdict shift-begun shift-reached" {
		t.Errorf("the ledger holds %s", got)
	}
}

// The update that read the ledger before the other wrote loses, unless it moves down.
func TestAMoveDownNeedNotWaitForAMoveUp(t *testing.T) {
	for weight, stops := range map[int]bool{30: true, 0: false, 20: false} { // 20 % is what the other one begins
		tr := newTrial(t, weight, served{}, born.Add(50*time.Hour))
		tr.standsAt(t, 10, born.Add(30*time.Second))
		once := false
		look := tr.rollout.Prometheus
		meanwhile := func() {
			if !once {
				once = true
				tr.write(t, ledger.Entry{Kind: ledger.ShiftBegun, Who: "other", Image: onTrial, Stable: oldImage, From: 10, To: 20})
			}
		}
		tr.rollout.Prometheus = func() (soak.Server, error) {
			meanwhile()
			return look()
		}
		if weight == 0 {
			meanwhile() // nothing is asked on the way down
		}
		err := tr.Judge(t.Context())
		if (err != nil) != stops || stops && !strings.Contains(err.Error(), "moved on by other") {
			t.Errorf("to %d %%: %v", weight, err)
		}
	}
}

func TestAPositionWithOtherPodsThanPlannedIsNotRecorded(t *testing.T) {
	for live, stops := range map[int]bool{5: false, 6: true} {
		tr := newTrial(t, 50, served{}, born) // five pods on each track
		tr.world.Live = live
		release := NewGate(tr.Shift, nil)
		err := release.checkPods(t.Context())
		if (err != nil) != stops || stops && !strings.Contains(err.Error(),
			"finance-service-stable has 6 pods and shall have 5") {
			t.Errorf("%d pods: %v", live, err)
		}
	}
}
