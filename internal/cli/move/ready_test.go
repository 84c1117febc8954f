package move

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// bring are the entries that bring an image from a weight to another one.
func bring(digest string, from, to int) []ledger.Entry {
	begun := ledger.Entry{Kind: ledger.ShiftBegun, Who: "anna", Release: "week1", Image: digest, Stable: older, From: from,
		To: to}
	reached := begun
	reached.Kind = ledger.ShiftReached
	return []ledger.Entry{begun, reached}
}

func TestWhenReady(t *testing.T) {
	latched := []ledger.Entry{{Kind: ledger.RollbackBegun, Who: "guard", Release: "week1", Image: fresh, From: 10},
		{Kind: ledger.RolledBack, Who: "guard", Release: "week1", Image: fresh, Verdict: "complete"}}
	for name, tt := range map[string]struct {
		file    map[string]string // changes to a file that asks for what the rollout has
		entries []ledger.Entry
		after   time.Duration
		want    Action
		words   []string
		config  map[string]string // what is set
	}{
		"manual": {file: map[string]string{"advance": "manual"}, want: Wait,
			words: []string{"advance is manual", "pulumi config set advance auto -s production"}},
		"a new image": {want: Set, words: []string{"enter from 0 % to 10 % is allowed"},
			config: map[string]string{"week": "1", "canaryWeight": ""}},
		"a new image, and the week of the last one": {file: map[string]string{"week": "4", "canaryWeight": ""}, want: Set,
			config: map[string]string{"week": "1"}},
		"a new image, set already": {file: map[string]string{"week": "1", "canaryWeight": ""}, want: Update,
			words: []string{"its update has not run"}},
		"no new image": {file: map[string]string{"image": "shop@" + older}, want: Wait,
			words: []string{"no release waits", "stable runs sha256:aaaaaaaaaaaa already"}},
		"soaking": {entries: bring(fresh, 0, 10), after: time.Hour, want: Wait,
			words: []string{"advance from 10 % to 30 % waits: soak too short", "of 2 h 0 min"}},
		"soaked": {entries: bring(fresh, 0, 10), after: 3 * time.Hour, want: Set,
			config: map[string]string{"week": "2", "canaryWeight": ""}},
		"soaked, and set": {file: map[string]string{"canaryWeight": "30"}, entries: bring(fresh, 0, 10),
			after: 3 * time.Hour, want: Update},
		"soaked, and a weight between two stages set": {file: map[string]string{"canaryWeight": "20"},
			entries: bring(fresh, 0, 10), after: 3 * time.Hour, want: Update, words: []string{"from 10 % to 20 %"}},
		"the file is too far": {file: map[string]string{"canaryWeight": "100"}, entries: bring(fresh, 0, 10),
			after: 3 * time.Hour, want: Wait, words: []string{"asks for 100 %", "the next stage is 30 %",
				"pulumi config set canaryWeight 30 -s production"}},
		"the file is behind": {file: map[string]string{"canaryWeight": "0"}, entries: bring(fresh, 0, 10),
			after: 3 * time.Hour, want: Wait, words: []string{"asks for 0 %, and the rollout is at 10 %",
				"go down with `pulumi up -s production`"}},
		"half a shift": {file: map[string]string{"canaryWeight": "0"}, entries: bring(fresh, 0, 10)[:1], want: Set},
		"half a shift, and set": {file: map[string]string{"canaryWeight": "10"}, entries: bring(fresh, 0, 10)[:1],
			want: Update, words: []string{"resume"}},
		"half a shift down": {entries: append(bring(fresh, 0, 10), bring(fresh, 10, 5)[:1]...), after: 3 * time.Hour,
			want: Wait, words: []string{"the shift down from 10 % to 5 % is not complete"}},
		"lowered by a person": {file: map[string]string{"canaryWeight": "10"}, after: 3 * time.Hour, want: Wait,
			entries: append(bring(fresh, 0, 30), bring(fresh, 30, 10)...),
			words:   []string{"anna took week1 from 30 % to 10 %", "only a person raises", "rollout advance -s production"}},
		"taken out by a person": {entries: append(bring(fresh, 0, 10), bring(fresh, 10, 0)...), want: Wait,
			words: []string{"only a person raises"}},
		"taken out, and another image": {entries: append(bring("sha256:cccc", 0, 10), bring("sha256:cccc", 10, 0)...),
			want: Set},
		"another image on trial": {entries: bring("sha256:cccc", 0, 10), after: 3 * time.Hour, want: Wait,
			words: []string{"names sha256:bbbbbbbbbbbb, but week1 is on trial", "pulumi up -s production"}},
		"rolled back": {entries: append(bring(fresh, 0, 10), latched...), want: Wait,
			words: []string{"waits: latched", "rolled back at", "by guard"}},
		"a rollback that is not complete": {entries: append(bring(fresh, 0, 10), latched[0]), want: Wait,
			words: []string{"the rollback of week1 is not complete"}},
		"in quarantine": {entries: append(bring(fresh, 0, 10), ledger.Entry{Kind: ledger.Quarantined, Image: fresh,
			Release: "week1", Offence: 1}), after: 3 * time.Hour, want: Wait, words: []string{"in quarantine since"}},
		"the last stage": {file: map[string]string{"canaryWeight": "100"}, entries: bring(fresh, 0, 100),
			after: 3 * time.Hour, want: Set, words: []string{"finish from 100 % to 0 % is allowed", "becomes stable"},
			config: map[string]string{"stableImage": "shop@" + fresh, "canaryWeight": "0"}},
		"the last stage, and set": {file: map[string]string{"canaryWeight": "0", "stableImage": "shop@" + fresh},
			entries: bring(fresh, 0, 100), after: 3 * time.Hour, want: Update},
		"the last stage, and the file is behind": {file: map[string]string{"canaryWeight": "60"},
			entries: bring(fresh, 0, 100), after: 3 * time.Hour, want: Wait, words: []string{"asks for 60 %"}},
		"the last stage, soaking": {file: map[string]string{"canaryWeight": "100"}, entries: bring(fresh, 0, 100),
			after: time.Hour, want: Wait, words: []string{"soak too short"}},
		"closed": {file: map[string]string{"calendar": `{"days":["Tue"]}`}, want: Wait,
			words: []string{"calendar closed", "opens Tue 2026-03-03 00:00 UTC"}},
		"an approval is missing": {file: map[string]string{"advance": `{"mode":"auto","approval":[10]}`}, want: Wait,
			words: []string{"not approved", "the stage of 10 %"}},
		"approved": {file: map[string]string{"advance": `{"mode":"auto","approval":[10]}`}, want: Set,
			entries: []ledger.Entry{{Kind: ledger.Approved, Who: "anna", Image: fresh, To: 10}}},
		"not signed off": {file: map[string]string{"checklist": `{"required":["sign-off"]}`}, want: Wait,
			words: []string{"checklist incomplete: sign-off"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCalendarWorld(t, monday, nil)
			for _, entry := range tt.entries {
				w.note(entry)
			}
			if state := w.history().State(); state.Weight > 0 {
				w.file["canaryWeight"] = "10"
			}
			for key, value := range tt.file {
				if w.file[key] = value; value == "" {
					delete(w.file, key)
				}
			}
			w.now = w.now.Add(tt.after)
			ready, err := w.operation().WhenReady(t.Context())
			if err != nil || ready.Action != tt.want {
				t.Fatalf("%s (%s), %v; want %s", ready.Action, ready.Reason, err, tt.want)
			}
			if strings.Contains(ready.Reason, "\n") {
				t.Errorf("more than one line: %q", ready.Reason)
			}
			for _, word := range tt.words {
				if !strings.Contains(ready.Reason, word) {
					t.Errorf("%q does not say %q", ready.Reason, word)
				}
			}
			if tt.config != nil {
				for key, value := range tt.config {
					if got, given := ready.Move.config[key]; !given || got != value {
						t.Errorf("sets %v, want %v", ready.Move.config, tt.config)
					}
				}
				if len(ready.Move.config) != len(tt.config) {
					t.Errorf("sets %v, want %v", ready.Move.config, tt.config)
				}
			}
			if w.updates > 0 {
				t.Error("looking runs an update")
			}
		})
	}
}

// A canary that the evidence convicts is not raised, and the caller learns that it is bad.
func TestABadCanaryIsNotRaised(t *testing.T) {
	w := newCalendarWorld(t, monday, map[string]string{"canaryWeight": "10"})
	for _, entry := range bring(fresh, 0, 10) {
		w.note(entry)
	}
	w.served.Failing, w.now = 0.05, w.now.Add(3*time.Hour)
	ready, err := w.operation().WhenReady(t.Context())
	if err != nil || ready.Action != Wait || ready.Decision == nil || !ready.Decision.RollBack ||
		!strings.Contains(ready.Reason, "rollout rollback -s production") {
		t.Errorf("%+v, %v", ready, err)
	}
}

// Where the configuration alone is on trial, the file names the identity that finishes: without it, weight 0 is the way
// down, which nobody asked a scheduled run to make.
func TestAConfigurationFinishesByItsIdentity(t *testing.T) {
	stable := identity.Identity{identity.Image: older, "env.LEVEL": "a"}
	trial := identity.Identity{identity.Image: older, "env.LEVEL": "b"}
	entries := bring(older, 0, 100)
	for i := range entries {
		entries[i].Identity, entries[i].StableIdentity = trial.Hash(), stable.Hash()
		entries[i].Identities = map[string]identity.Identity{stable.Hash(): stable, trial.Hash(): trial}
	}
	down := ledger.Entry{Kind: ledger.ShiftBegun, Image: older, Stable: older, From: 100, Identity: trial.Hash(),
		StableIdentity: stable.Hash()}
	finish := down
	finish.StableIdentity = trial.Hash()
	for name, tt := range map[string]struct {
		weight, finish string
		begun          []ledger.Entry
		want           Action
		word           string
	}{
		"at 100 %":           {"100", "", nil, Set, "finish from 100 % to 0 % is allowed"},
		"set":                {"0", trial.Hash(), nil, Update, "finish from 100 % to 0 % is allowed"},
		"half done":          {"0", trial.Hash(), []ledger.Entry{finish}, Update, "finish from 100 % to 0 %"},
		"the way down":       {"0", "", nil, Wait, "asks for 0 %, and the rollout is at 100 %"},
		"of another one":     {"0", stable.Hash(), nil, Wait, "asks for 0 %, and the rollout is at 100 %"},
		"the way down begun": {"0", "", []ledger.Entry{down}, Wait, "the shift down from 100 % to 0 % is not complete"},
	} {
		w := newCalendarWorld(t, monday, map[string]string{"canaryWeight": tt.weight, "finish": tt.finish,
			"image": "shop@" + older})
		for _, entry := range append(slices.Clone(entries), tt.begun...) {
			w.note(entry)
		}
		w.now = w.now.Add(3 * time.Hour)
		ready, err := w.operation().WhenReady(t.Context())
		if err != nil || ready.Action != tt.want || !strings.Contains(ready.Reason, tt.word) {
			t.Errorf("%s: %s (%s), %v", name, ready.Action, ready.Reason, err)
			continue
		}
		if tt.want == Set && ready.Move.config["finish"] != trial.Hash() {
			t.Errorf("%s: sets %v", name, ready.Move.config)
		}
	}
}
