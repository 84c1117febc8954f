package shift

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// parts are an identity without an image.
func parts(pairs ...string) identity.Identity {
	made := identity.Identity{"secret.finance-db": "old", "env.A": "1"}
	for i := 0; i < len(pairs); i += 2 {
		made[pairs[i]] = pairs[i+1]
	}
	return made
}

// expressing is a ledger in which a release stands at a weight beside stable, both with their identities.
func expressing(t *testing.T, weight int, onCanary identity.Identity, more ...ledger.Entry) ledger.State {
	t.Helper()
	return expressLedger(t, weight, onCanary, more...).State()
}

func expressLedger(t *testing.T, weight int, onCanary identity.Identity, more ...ledger.Entry) *ledger.Ledger {
	t.Helper()
	stable, canary := parts().With(oldImage), onCanary.With(onTrial)
	tr := newTrial(t, weight, served{}, born)
	entries := append([]ledger.Entry{{Kind: ledger.ShiftReached, Release: "v2", Image: onTrial, Stable: oldImage,
		To: weight, Identity: canary.Hash(), StableIdentity: stable.Hash(),
		Identities: map[string]identity.Identity{canary.Hash(): canary, stable.Hash(): stable}}}, more...)
	for _, entry := range entries {
		if _, err := ledger.Write(t.Context(), tr.rollout.Ledger(), tr.rollout.Clock.Now, entry); err != nil {
			t.Fatal(err)
		}
	}
	history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	return history
}

func TestTheExpressLane(t *testing.T) {
	rotated := parts("secret.finance-db", "new")
	used := ledger.Entry{Kind: ledger.Expressed, Reason: "leaked"}
	tests := []struct {
		name           string
		reason         string
		weight         int
		onTrial        identity.Identity
		canary, stable identity.Identity
		target         plan.Target
		more           []ledger.Entry
		carries        string
		refuses        string
	}{
		{name: "a secret at 30 %", weight: 30, canary: rotated, stable: rotated, carries: "secret finance-db changed"},
		{name: "a secret at 0 %", canary: rotated, stable: rotated, carries: "secret finance-db changed"},
		{name: "without a reason", reason: "-", weight: 30, canary: rotated, stable: rotated},
		{name: "nothing to carry", weight: 30},
		{name: "nothing to carry, after it was used", weight: 30, more: []ledger.Entry{used}},
		{name: "a second change", weight: 30, canary: rotated, stable: rotated, more: []ledger.Entry{used},
			refuses: "was that of another change"},
		{name: "beside a configuration on trial", weight: 30, onTrial: parts("env.A", "2"),
			canary: parts("env.A", "2", "secret.finance-db", "new"), stable: parts("env.A", "2", "secret.finance-db", "new"),
			refuses: "what is still on trial: env.A changed"},
		{name: "beside a value of the canary's own", weight: 30, onTrial: parts("env.A", "2"),
			canary: parts("env.A", "2", "secret.finance-db", "new"), stable: rotated, carries: "secret finance-db changed"},
		{name: "for the canary alone", weight: 30, canary: parts("env.A", "2"), refuses: "would be the canary's alone"},
		{name: "with another weight", weight: 30, canary: rotated, stable: rotated,
			target: plan.Target{Weight: 60, Canary: onTrial, Stable: oldImage}, refuses: "an update of its own"},
		{name: "with an image", weight: 30, canary: rotated, stable: rotated,
			target: plan.Target{Weight: 30, Canary: "sha256:9", Stable: oldImage}, refuses: "carries no image"},
		{name: "with a stable image", canary: rotated, stable: rotated,
			target: plan.Target{Canary: onTrial, Stable: "sha256:9"}, refuses: "carries no image"},
		{name: "what was rolled back", canary: rotated, stable: rotated, more: rolledBackExpress(rotated),
			refuses: "was rolled back at entry 3"},
		{name: "what was rolled back, at the weight of before", canary: rotated, stable: rotated,
			target:  plan.Target{Weight: 10, Canary: onTrial, Stable: oldImage},
			more:    rolledBackExpress(rotated),
			refuses: "was rolled back at entry 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := productionConfig()
			if tt.reason != "-" {
				config["express"] = `{"reason":"leaked"}`
			}
			s, err := settings.Load("production", values(config))
			if err != nil {
				t.Fatal(err)
			}
			or := func(given, otherwise identity.Identity) identity.Identity {
				if given == nil {
					return otherwise
				}
				return given
			}
			onCanary := or(tt.onTrial, parts())
			if tt.target.Stable == "" {
				tt.target = plan.Target{Weight: tt.weight, Canary: onTrial, Stable: oldImage}
			}
			express, err := expressBy(expressing(t, tt.weight, onCanary, tt.more...), tt.target,
				Identities{Canary: or(tt.canary, onCanary), Stable: or(tt.stable, parts())}, s)
			if (err != nil) != (tt.refuses != "") || err != nil && !strings.Contains(err.Error(), tt.refuses) {
				t.Fatalf("refused with %v, want %q", err, tt.refuses)
			}
			if err != nil && !strings.Contains(err.Error(), "-s production") {
				t.Errorf("the refusal names no command: %v", err)
			}
			if (express != nil) != (tt.carries != "") && err == nil {
				t.Fatalf("carries %+v", express)
			}
			if tt.carries != "" && identity.Describe(express.Changes) != tt.carries {
				t.Errorf("carries %s", identity.Describe(express.Changes))
			}
		})
	}
}

// rolledBackExpress is a change at 0 % that the guard has rolled back while its pod was tried.
func rolledBackExpress(changed identity.Identity) []ledger.Entry {
	canary := changed.With(oldImage)
	return []ledger.Entry{
		{Kind: ledger.ExpressBegun, Image: oldImage, Stable: oldImage, Identity: canary.Hash(),
			Identities: map[string]identity.Identity{canary.Hash(): canary}},
		{Kind: ledger.RollbackBegun, Image: oldImage, Identity: canary.Hash(), Reason: "crash loop"},
		{Kind: ledger.RolledBack, Image: oldImage},
	}
}

// A rollback of pods with the express change latches the change. The release that it came to is not latched, unless its
// pods did not have the change yet.
func TestARolledBackExpressChangeIsLatchedAndItsImageIsNot(t *testing.T) {
	bad := parts("secret.finance-db", "bad").With(onTrial)
	begun := ledger.Entry{Kind: ledger.ExpressBegun, Image: onTrial, Stable: oldImage, Identity: bad.Hash(),
		Identities: map[string]identity.Identity{bad.Hash(): bad}}
	for name, tt := range map[string]struct {
		ran   string
		image bool
	}{
		"pods with the change":    {bad.Hash(), false},
		"pods without the change": {parts().With(onTrial).Hash(), true},
		"unknown pods":            {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			state := expressing(t, 30, parts(), begun,
				ledger.Entry{Kind: ledger.RollbackBegun, Image: onTrial, Identity: tt.ran, Reason: "crash loop"})
			_, changed, latched := state.LatchOf(onTrial, bad)
			if !latched || (len(changed) == 0) != tt.image {
				t.Errorf("latched %t by %v", latched, changed)
			}
			if _, _, latched := state.LatchOf(onTrial, parts().With(onTrial)); latched != tt.image {
				t.Errorf("the release without the change is latched: %t", latched)
			}
			if state.Express != nil {
				t.Error("the change is still under way")
			}
			if _, out := state.Latch(onTrial); !out || state.Unfinished == nil {
				t.Error("the rollback that goes on keeps nothing out")
			}
			done := expressing(t, 30, parts(), begun,
				ledger.Entry{Kind: ledger.RollbackBegun, Image: onTrial, Identity: tt.ran, Reason: "crash loop"},
				ledger.Entry{Kind: ledger.RolledBack, Image: onTrial, Verdict: "complete"})
			if _, latched := done.Latch(onTrial); latched != tt.image || done.Unfinished != nil {
				t.Errorf("after its outcome the image is latched: %t, unfinished %v", latched, done.Unfinished)
			}
		})
	}
}

// The soak goes on over an express change, and what the tracks run is what it brought.
func TestAnExpressChangeKeepsTheSoak(t *testing.T) {
	canary, stable := parts("secret.finance-db", "new").With(onTrial), parts("secret.finance-db", "new").With(oldImage)
	entry := ledger.Entry{Kind: ledger.ExpressBegun, Image: onTrial, Stable: oldImage, Identity: canary.Hash(),
		StableIdentity: stable.Hash(), Identities: map[string]identity.Identity{canary.Hash(): canary, stable.Hash(): stable}}
	done := entry
	done.Kind, done.Identities = ledger.Expressed, nil
	before, after := expressing(t, 30, parts()), expressing(t, 30, parts(), entry, done)
	if !after.SoakSince.Equal(before.SoakSince) || after.Weight != 30 || after.Begun != nil {
		t.Errorf("the soak began at %v instead of %v", after.SoakSince, before.SoakSince)
	}
	if after.Identity.Hash() != canary.Hash() || after.StableIdentity.Hash() != stable.Hash() || after.Express != nil {
		t.Errorf("the tracks run %s and %s", after.Identity.Hash(), after.StableIdentity.Hash())
	}
}

// newExpress is a trial with a rotated secret by the express lane.
func newExpress(t *testing.T, weight int) (trial, *Gate) {
	t.Helper()
	tr := newTrial(t, weight, served{}, born)
	shift := tr.Shift
	shift.rollout.Settings.Express.Reason = "leaked"
	shift.configured = Identities{Canary: parts("secret.finance-db", "new"), Stable: parts("secret.finance-db", "new")}
	history := expressLedger(t, weight, parts())
	for _, entry := range history.Entries() {
		if _, err := ledger.Write(t.Context(), tr.rollout.Ledger(), tr.rollout.Clock.Now, entry); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return tr, NewGate(tr.Shift, nil)
}

func TestStableWaitsForTheExpressChangeOnTheCanary(t *testing.T) {
	t.Run("at 0 % one pod is made, and goes", func(t *testing.T) {
		tr, gate := newExpress(t, 0)
		if err := tr.Judge(t.Context()); err != nil || !tr.IsExpress() || tr.Freeze().Frozen {
			t.Fatalf("express %t, frozen %t: %v", tr.IsExpress(), tr.Freeze().Frozen, err)
		}
		err := gate.PassExpress(t.Context())
		if err == nil || !strings.Contains(err.Error(), "stable keeps its values") {
			t.Errorf("without a pod to test, the gate says %v", err)
		}
		if want := []string{"finance-service-v2: 1", "finance-service-v2: 0"}; !slices.Equal(tr.world.Scaled, want) {
			t.Errorf("scaled %v", tr.world.Scaled)
		}
	})
	t.Run("pods that are not ready", func(t *testing.T) {
		tr, gate := newExpress(t, 10)
		if err := tr.Judge(t.Context()); err != nil {
			t.Fatal(err)
		}
		tr.world.Unready = errors.New("0 of 1 ready")
		if err := gate.PassExpress(t.Context()); err == nil || !strings.Contains(err.Error(), "0 of 1 ready") {
			t.Errorf("the gate says %v", err)
		}
		if got := tr.kinds(t); got != "shift-reached express-begun" {
			t.Errorf("the ledger holds %s", got)
		}
	})
	t.Run("rolled back meanwhile", func(t *testing.T) {
		tr, _ := newExpress(t, 10)
		if err := tr.Judge(t.Context()); err != nil {
			t.Fatal(err)
		}
		recorder := rollback.InLedger{Store: tr.rollout.Ledger(), Now: tr.rollout.Clock.Now, Image: onTrial, Release: "v2"}
		if err := recorder.Begin(t.Context(), "crash loop"); err != nil {
			t.Fatal(err)
		}
		for _, step := range []error{tr.expressStands(t.Context()), tr.reachedExpress(t.Context())} {
			if _, moved := errors.AsType[*OvertakenError](step); !moved {
				t.Errorf("the change goes on: %v", step)
			}
		}
	})
	t.Run("reached", func(t *testing.T) {
		tr, _ := newExpress(t, 10)
		if err := tr.Judge(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := tr.reached(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := tr.kinds(t); got != "shift-reached express-begun expressed" {
			t.Errorf("the ledger holds %s", got)
		}
	})
}
