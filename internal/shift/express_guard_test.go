package shift

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// guardRollsBack is the guard's rollback of pods that have the express change.
func guardRollsBack(t *testing.T, tr trial) {
	t.Helper()
	recorder := rollback.InLedger{Store: tr.rollout.Ledger(), Now: tr.rollout.Clock.Now, Who: "guard", Image: onTrial,
		Release: "v2", Identity: tr.express.Canary.Hash()}
	if err := errors.Join(recorder.Begin(t.Context(), "errors"),
		recorder.Finish(t.Context(), rollback.Outcome{Reason: "errors"})); err != nil {
		t.Fatal(err)
	}
}

// stateOf is where the rollout of a trial stands.
func stateOf(t *testing.T, tr trial) ledger.State {
	t.Helper()
	history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	return history.State()
}

// The guard rolls a change of the express lane back in every moment of its update. The update fails and says by whom,
// stable's identity stays, and the change is latched without its image.
func TestTheGuardRollsAnExpressChangeBack(t *testing.T) {
	passed := func(tr trial, gate *Gate) error { tr.express.passed = true; return gate.Pass(t.Context(), onTrial) }
	for name, then := range map[string]func(trial, *Gate) error{
		"while the canary is verified": func(_ trial, gate *Gate) error { return gate.PassExpress(t.Context()) },
		"between the tracks":           func(tr trial, _ *Gate) error { return tr.expressStands(t.Context()) },
		"before stable loses a pod":    func(tr trial, _ *Gate) error { return tr.Latest(t.Context()) },
		"after stable has begun":       passed,
	} {
		t.Run(name, func(t *testing.T) {
			tr, gate := newExpress(t, 10)
			before := stateOf(t, tr).StableIdentity
			if err := tr.Judge(t.Context()); err != nil {
				t.Fatal(err)
			}
			guardRollsBack(t, tr)
			err := then(tr, gate)
			if _, moved := errors.AsType[*OvertakenError](err); !moved || !strings.Contains(err.Error(), "guard") {
				t.Errorf("the update goes on: %v", err)
			}
			state := stateOf(t, tr)
			if state.StableIdentity.Hash() != before.Hash() {
				t.Errorf("stable changed in %s", identity.Describe(identity.Changes(before, state.StableIdentity)))
			}
			if _, _, latched := state.LatchOf(onTrial, parts().With(onTrial)); latched {
				t.Error("the image is latched")
			}
			if _, changed, _ := state.LatchOf(onTrial, tr.express.Canary); identity.Describe(changed) !=
				"secret finance-db changed" {
				t.Errorf("latched are %q", identity.Describe(changed))
			}
			if got := tr.kinds(t); got != "shift-reached express-begun rollback-begun rolled-back" {
				t.Errorf("the ledger holds %s", got)
			}
		})
	}
}

// afterwards is the next update after the guard has rolled an express change back. The stable track in the cluster has
// the identity, and the configuration the parts.
func afterwards(t *testing.T, live, configured identity.Identity, reason string) trial {
	t.Helper()
	before, _ := newExpress(t, 10)
	if err := before.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	guardRollsBack(t, before)
	tr := newTrial(t, 0, served{}, born)
	tr.world.History, tr.world.Version, tr.world.Head = before.world.History, before.world.Version, before.world.Head
	tr.world.Stable = &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{
		Annotations: map[string]string{names.Identity: live.With(oldImage).Hash()}}}
	tr.rollout.Settings.Express.Reason = reason
	tr.Shift.configured = Identities{Canary: configured, Stable: configured}
	return tr
}

func TestTheUpdateAfterARolledBackExpressChange(t *testing.T) {
	old, bad := parts(), parts("secret.finance-db", "new")
	tests := []struct {
		name       string
		live       identity.Identity
		configured identity.Identity
		reason     string
		// refused are words of the refusal; empty for an update that passes. Told are words of what is said.
		refused, told string
		// frozen tells that stable keeps its pods, carries that the express lane has another change.
		frozen, carries bool
	}{
		{name: "unchanged", live: old, configured: bad, reason: "leaked", refused: "was rolled back at entry 3"},
		{name: "without the lane", live: old, configured: bad, frozen: true, told: "of which secret finance-db changed was " +
			"rolled back at entry 3"},
		{name: "set back", live: old, configured: old, frozen: true},
		{name: "another value", live: old, configured: parts("secret.finance-db", "newer"), reason: "leaked", carries: true},
		{name: "stable had it already, unchanged", live: bad, configured: bad, reason: "leaked",
			refused: "was rolled back at entry 3"},
		{name: "stable had it already, without the lane", live: bad, configured: bad,
			refused: "differs from what it runs by the ledger in secret finance-db changed: set those parts back"},
		{name: "stable had it already, set back", live: bad, configured: old},
		{name: "stable had it already, another value", live: bad, configured: parts("secret.finance-db", "newer"),
			reason: "leaked", carries: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := afterwards(t, tt.live, tt.configured, tt.reason)
			err := errors.Join(tr.Look(t.Context()), tr.Judge(t.Context()))
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) || !strings.Contains(err.Error(), "-s production") {
					t.Errorf("refused with %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tr.Freeze().Frozen != tt.frozen || tr.IsExpress() != tt.carries {
				t.Errorf("frozen %t, express %t", tr.Freeze().Frozen, tr.IsExpress())
			}
			if text := strings.Join(tr.heard.infos, "\n"); !strings.Contains(text, tt.told) {
				t.Errorf("told %q", text)
			}
			made, err := tr.identityOf(t.Context(), StableTrack(tr.rollout.Settings))
			if want := tt.configured.With(oldImage).Hash(); err != nil || !tt.frozen && made != want {
				t.Errorf("stable gets %s, want %s: %v", made, want, err)
			}
		})
	}
}

// A state that is older than what stable runs would bring former pods back: the update that writes it is refused.
func TestAnOlderStateBringsNoFormerPodsBack(t *testing.T) {
	ran, former := parts().With(oldImage).Hash(), parts("env.A", "0").With(oldImage).Hash()
	for name, tt := range map[string]struct {
		change  TrackChange
		live    string
		refused bool
	}{
		"what runs":             {TrackChange{OfPods: true, Identity: ran}, ran, false},
		"former pods":           {TrackChange{OfPods: true, Identity: former}, ran, true},
		"pods of fixed names":   {TrackChange{OfPods: true}, ran, true},
		"as before the upgrade": {TrackChange{OfPods: true}, "", false},
		"the autoscaler":        {TrackChange{}, ran, false},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, 10, served{}, born)
			tr.freeze = Freeze{Frozen: true, Identity: parts().With(oldImage)}
			tr.world.Stable = &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{}}}
			if tt.live != "" {
				tr.world.Stable.Annotations[names.Identity] = tt.live
			}
			err := tr.BeforeStableUpdated(t.Context(), tt.change)
			if (err != nil) != tt.refused || err != nil && !strings.Contains(err.Error(), "`pulumi up --refresh -s production`") {
				t.Errorf("refused with %v", err)
			}
			tr.freeze.Frozen = false
			if err := tr.BeforeStableUpdated(t.Context(), tt.change); err != nil {
				t.Errorf("an update that changes stable is refused: %v", err)
			}
		})
	}
}

// A change that was rolled back goes by the lane once the configuration releases its latch, and the ledger says so: the
// guard would take the pods out again otherwise.
func TestAReleasedChangeGoesByTheLane(t *testing.T) {
	tr := afterwards(t, parts(), parts("secret.finance-db", "new"), "leaked")
	tr.rollout.Settings.Latch.Release, tr.rollout.Settings.Latch.Reason = 3, "the database was down"
	if err := errors.Join(tr.Look(t.Context()), tr.Judge(t.Context())); err != nil || !tr.IsExpress() {
		t.Fatalf("express %t: %v", tr.IsExpress(), err)
	}
	if got := tr.kinds(t); !strings.HasSuffix(got, "rolled-back latch-released express-begun") {
		t.Errorf("the ledger holds %s", got)
	}
	if _, latched := stateOf(t, tr).LatchOn(onTrial, tr.express.Canary.Hash()); latched {
		t.Error("the pods are kept out")
	}
}
