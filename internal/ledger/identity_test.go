package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/identity"
)

// ofStable is what stable runs in these tests, and configured what is on trial with the parts that differ from it.
func ofStable() identity.Identity {
	return identity.Identity{identity.Image: stable, "config.LOG_LEVEL": "aa", "secret.finance-db": "bb"}
}

func configured(image string, parts ...string) identity.Identity {
	changed := ofStable().With(image)
	for i := 0; i < len(parts); i += 2 {
		changed[parts[i]] = parts[i+1]
	}
	return changed
}

// trial is a ledger in which an identity entered at 10 % beside stable.
func trial(t *testing.T, onCanary identity.Identity, more ...Entry) *Ledger {
	t.Helper()
	image := onCanary[identity.Image]
	begins, reaches := begun(image, 0, 10), reached(image, 10)
	for _, entry := range []*Entry{&begins, &reaches} {
		entry.Stable, entry.Identity, entry.StableIdentity = stable, onCanary.Hash(), ofStable().Hash()
	}
	begins.Identities = map[string]identity.Identity{onCanary.Hash(): onCanary, ofStable().Hash(): ofStable()}
	history, err := (&Ledger{}).with(start, append([]Entry{begins, reaches}, more...))
	if err != nil {
		t.Fatal(err)
	}
	return history
}

func rolledBack(image string) []Entry {
	return []Entry{{Kind: RollbackBegun, Image: image, Release: "v2"}, {Kind: RolledBack, Image: image, Release: "v2"}}
}

func TestTheLatchCoversWhatWasOnTrial(t *testing.T) {
	bad := configured(stable, "secret.finance-db", "bad")
	mixed := configured(onTrial, "config.LOG_LEVEL", "debug")
	two := configured(stable, "config.LOG_LEVEL", "debug", "secret.finance-db", "bad")
	removed := configured(stable)
	delete(removed, "config.LOG_LEVEL")
	tests := []struct {
		name    string
		trial   identity.Identity
		then    identity.Identity
		latched bool
		parts   string
	}{
		{"a secret, unchanged", bad, bad, true, "secret finance-db changed"},
		{"a secret, mended", bad, configured(stable, "secret.finance-db", "good"), false, ""},
		{"a secret, with another change beside it", bad, configured(stable, "secret.finance-db", "bad",
			"config.LOG_LEVEL", "debug"), true, "secret finance-db changed"},
		{"a secret, with a new image", bad, configured(onTrial, "secret.finance-db", "bad"), true,
			"secret finance-db changed"},
		{"a secret, and back to stable's", bad, ofStable(), false, ""},
		{"an image, whatever comes with it", mixed, configured(onTrial, "config.LOG_LEVEL", "info"), true, ""},
		{"a configuration that came with a latched image", mixed, configured(stable, "config.LOG_LEVEL", "debug"), false, ""},
		{"a part that is gone", removed, removed, true, "config.LOG_LEVEL removed"},
		{"a part that is there again", removed, ofStable(), false, ""},
		{"two parts, unchanged", two, two, true, "config.LOG_LEVEL changed, secret finance-db changed"},
		{"two parts, one of them back", two, bad, true, "secret finance-db changed"},
		{"two parts, one of them mended", two, configured(stable, "config.LOG_LEVEL", "debug", "secret.finance-db", "good"),
			true, "config.LOG_LEVEL changed"},
		{"two parts, both mended", two, configured(stable, "config.LOG_LEVEL", "warn", "secret.finance-db", "good"), false,
			""},
		{"two parts, with a new image", two, configured(onTrial, "config.LOG_LEVEL", "debug"), true,
			"config.LOG_LEVEL changed"},
		{"an unknown identity beside stable's image", bad, nil, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			image := tt.trial[identity.Image]
			state := trial(t, tt.trial, rolledBack(image)...).State()
			if _, latched := state.Latch(image); !latched {
				t.Error("what was rolled back has no latch")
			}
			then := tt.then[identity.Image]
			if then == "" {
				then = stable
			}
			_, parts, latched := state.LatchOf(then, tt.then)
			if latched != tt.latched || identity.Describe(parts) != tt.parts {
				t.Errorf("latched %t by %q", latched, identity.Describe(parts))
			}
		})
	}
}

func TestOnlyItsReleaseOpensTheLatchOfAConfiguration(t *testing.T) {
	bad := configured(stable, "secret.finance-db", "bad")
	released := append(rolledBack(stable), Entry{Kind: LatchReleased, Image: stable, Ref: 3})
	if _, _, latched := trial(t, bad, released...).State().LatchOf(stable, bad); latched {
		t.Error("a released configuration is latched")
	}
	other := append(rolledBack(stable), Entry{Kind: LatchReleased, Image: stable, Ref: 1})
	if _, _, latched := trial(t, bad, other...).State().LatchOf(stable, bad); !latched {
		t.Error("another number opened the latch")
	}
}

// The canary's Deployment has stable's image when a configuration was rolled back. The mended one must not be taken for
// the bad one by those who know the image alone.
func TestAMendedConfigurationIsNotLatchedByItsImage(t *testing.T) {
	good := configured(stable, "secret.finance-db", "good")
	begins := begun(stable, 0, 10)
	begins.Stable, begins.Identity, begins.StableIdentity = stable, good.Hash(), ofStable().Hash()
	begins.Identities = map[string]identity.Identity{good.Hash(): good}
	history := trial(t, configured(stable, "secret.finance-db", "bad"), append(rolledBack(stable), begins)...)
	if _, latched := history.State().Latch(stable); latched {
		t.Error("the mended configuration is latched")
	}
}

func TestSuspectsAreNamedBesideALatchedImage(t *testing.T) {
	state := trial(t, configured(onTrial, "config.LOG_LEVEL", "debug"), rolledBack(onTrial)...).State()
	latch, _ := state.Latch(onTrial)
	if got := identity.Describe(state.Suspects(latch)); got != "config.LOG_LEVEL changed" {
		t.Errorf("suspects: %q", got)
	}
}

func TestAnotherIdentityBeginsItsSoakAnew(t *testing.T) {
	again := func(hash identity.Identity) Entry {
		entry := reached(onTrial, 10)
		entry.Stable, entry.Identity, entry.StableIdentity = stable, hash.Hash(), ofStable().Hash()
		entry.Identities = map[string]identity.Identity{hash.Hash(): hash}
		return entry
	}
	first := configured(onTrial, "env.A", "1")
	for name, tt := range map[string]struct {
		entry Entry
		anew  bool
	}{
		"the same identity": {again(first), false},
		"another one":       {again(configured(onTrial, "env.A", "2")), true},
		"one that is named alone": {Entry{Kind: Identified, Identity: configured(onTrial, "env.A", "2").Hash(),
			Identities: map[string]identity.Identity{configured(onTrial, "env.A", "2").Hash(): configured(onTrial, "env.A",
				"2")}}, false},
	} {
		state := trial(t, first, tt.entry).State()
		if anew := state.soakEntry == 3; anew != tt.anew {
			t.Errorf("%s: the soak began at entry %d", name, state.soakEntry)
		}
	}
}

func TestAnOlderLedgerIsIdentified(t *testing.T) {
	history, err := (&Ledger{}).with(start, []Entry{begun(onTrial, 0, 10), reached(onTrial, 10)})
	if err != nil {
		t.Fatal(err)
	}
	if state := history.State(); !state.Settled || state.OnTrial() != nil || state.StableIdentity != nil {
		t.Error("an older ledger knows identities")
	}
	one := configured(onTrial)
	history, err = history.with(start, []Entry{{Kind: Identified, Identity: one.Hash(), StableIdentity: ofStable().Hash(),
		Identities: history.State().Unknown(one, ofStable())}})
	if err != nil {
		t.Fatal(err)
	}
	state := history.State()
	if diff := cmp.Diff(one, state.OnTrial()); diff != "" || state.StableIdentity.Hash() != ofStable().Hash() {
		t.Error(diff, state.StableIdentity)
	}
	if state.soakEntry != 2 {
		t.Error("the soak began anew")
	}
	if state.Unknown(one, nil) != nil {
		t.Error("what is known is written again")
	}
}

// A first update that did not pass its gate leaves nothing to keep: what is mended goes to both tracks.
func TestNothingIsSettledBeforeAGatePassed(t *testing.T) {
	first := begun(onTrial, 0, 10)
	first.Stable, first.Identity, first.StableIdentity = stable, configured(onTrial).Hash(), ofStable().Hash()
	first.Identities = map[string]identity.Identity{
		configured(onTrial).Hash(): configured(onTrial), ofStable().Hash(): ofStable(),
	}
	history, err := (&Ledger{}).with(start, append([]Entry{first}, rolledBack(onTrial)...))
	if err != nil {
		t.Fatal(err)
	}
	if state := history.State(); state.Settled || state.StableIdentity != nil || state.Stable != stable {
		t.Errorf("settled: %t, stable runs %v", state.Settled, state.StableIdentity)
	}
}

// Where the configuration alone is on trial, stable has the image already: only the identities tell the way down from a
// finish.
func TestAConfigurationThatGoesDownIsNoFinish(t *testing.T) {
	debug := configured(stable, "config.LOG_LEVEL", "debug")
	down := Entry{Kind: ShiftBegun, Image: stable, Stable: stable, Release: "v2", From: 10, Identity: debug.Hash(),
		StableIdentity: ofStable().Hash()}
	finish := down
	finish.StableIdentity = debug.Hash()
	approval := Entry{Kind: Approved, Image: stable, To: 30}
	for name, tt := range map[string]struct {
		entry   Entry
		lowered bool
	}{"down": {down, true}, "a finish": {finish, false}} {
		for _, kind := range []Kind{ShiftBegun, ShiftReached} {
			tt.entry.Kind = kind
			state := trial(t, debug, approval, tt.entry).State()
			if lowered := state.Lowered != nil; lowered != tt.lowered {
				t.Errorf("%s, %s: lowered %t", name, kind, lowered)
			}
			if _, approved := state.Approval(stable, 30); approved == tt.lowered {
				t.Errorf("%s, %s: approved %t", name, kind, approved)
			}
		}
	}
}

// An approval is for what was on trial when it was given.
func TestAnotherConfigurationDropsApprovalsOfHigherStages(t *testing.T) {
	first := configured(onTrial, "env.A", "1")
	for name, tt := range map[string]struct {
		then     identity.Identity
		approved bool
	}{"the same": {first, true}, "another": {configured(onTrial, "env.A", "2"), false}} {
		again := reached(onTrial, 10)
		again.Stable, again.Identity, again.StableIdentity = stable, tt.then.Hash(), ofStable().Hash()
		again.Identities = map[string]identity.Identity{tt.then.Hash(): tt.then}
		approvals := []Entry{{Kind: Approved, Image: onTrial, To: 10}, {Kind: Approved, Image: onTrial, To: 30}}
		state := trial(t, first, append(approvals, again)...).State()
		if _, approved := state.Approval(onTrial, 30); approved != tt.approved {
			t.Errorf("%s: the stage of 30 %% is approved: %t", name, approved)
		}
		if _, approved := state.Approval(onTrial, 10); !approved {
			t.Errorf("%s: the stage that was reached lost its approval", name)
		}
	}
}

// The pods of A are gone once B has the track, whatever becomes of B: A's soak begins again where it comes back.
func TestASoakBeginsAgainAfterAnotherReleaseHadTheTrack(t *testing.T) {
	a, b := configured(onTrial, "config.LOG_LEVEL", "debug"), configured(onTrial, "config.LOG_LEVEL", "trace")
	begins := func(release identity.Identity, from int) Entry {
		entry := begun(onTrial, from, 10)
		entry.Stable, entry.Identity, entry.StableIdentity = stable, release.Hash(), ofStable().Hash()
		entry.Identities = map[string]identity.Identity{release.Hash(): release}
		return entry
	}
	reaches := reached(onTrial, 10)
	reaches.Stable, reaches.Identity = stable, a.Hash()
	for name, tt := range map[string]struct {
		between []Entry
		entry   int
	}{
		"B had begun":             {[]Entry{begins(b, 0), begins(a, 0), reaches}, 5},
		"A was verified again":    {[]Entry{begins(a, 10), reaches}, 2},
		"another image had begun": {[]Entry{begins(b.With("sha256:99"), 0), begins(a, 0), reaches}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := trial(t, a, tt.between...).State().soakEntry; got != tt.entry {
				t.Errorf("the soak began with entry %d, want %d", got, tt.entry)
			}
		})
	}
}

// A former image comes back with the configuration that it last had as the stable one.
func TestTheLedgerKnowsWhatFormerImagesRanWith(t *testing.T) {
	passed := configured(onTrial, "config.LOG_LEVEL", "debug")
	rotated := configured(onTrial, "config.LOG_LEVEL", "debug", "secret.finance-db", "rotated")
	finish := Entry{Kind: Finished, Image: onTrial, Stable: onTrial, Identity: passed.Hash(),
		StableIdentity: passed.Hash()}
	express := Entry{Kind: Expressed, Reason: "leaked", Image: onTrial, Stable: onTrial, StableIdentity: rotated.Hash(),
		Identities: map[string]identity.Identity{rotated.Hash(): rotated}}
	state := trial(t, passed, finish, express).State()
	if diff := cmp.Diff(ofStable(), state.Formerly(stable)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if state.StableIdentity.Hash() != rotated.Hash() || state.Formerly("sha256:99") != nil {
		t.Errorf("stable runs %v, and an unknown image ran %v", state.StableIdentity, state.Formerly("sha256:99"))
	}
}
