package unlatch

import (
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

const (
	rolledBack = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	another    = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
)

func now() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

// latched is a ledger whose last release was rolled back.
func latched(t *testing.T, entries ...ledger.Entry) (*store.Memory, ledger.State) {
	t.Helper()
	kept := &store.Memory{}
	all := append([]ledger.Entry{
		{Kind: ledger.ShiftReached, Release: "v2", Image: rolledBack, To: 10},
		{Kind: ledger.RollbackBegun, Release: "v2", Image: rolledBack, From: 10, Who: "guard", Reason: "12 of 90 failed"},
	}, entries...)
	written, err := ledger.Write(t.Context(), kept, now, all...)
	if err != nil {
		t.Fatal(err)
	}
	return kept, written.State()
}

var done = ledger.Entry{Kind: ledger.RolledBack, Release: "v2", Image: rolledBack, Verdict: "complete"}

func TestFindTheLatch(t *testing.T) {
	for name, tt := range map[string]struct {
		wanted, configured string
		want               []string // parts of the error; none for the latch
	}{
		"of the configured image":     {configured: "shop@" + rolledBack},
		"of the last image, by a tag": {configured: "shop:2"},
		"of the wanted image":         {wanted: "shop@" + rolledBack, configured: "shop@" + another},
		"of the wanted digest":        {wanted: rolledBack, configured: "shop@" + another},
		"of an image without one": {wanted: another, want: []string{"no latch keeps " + another,
			"rollout status -s production"}},
		"of a configured one without one": {configured: "shop@" + another, want: []string{rolledBack, "--image"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, state := latched(t, done)
			latch, err := Find(state, tt.wanted, tt.configured, "production")
			if tt.want != nil {
				testkit.WantError(t, err, tt.want...)
				if code := terminal.ExitCode(err); code != terminal.ExitUsage {
					t.Errorf("exit code %d", code)
				}
				return
			}
			if err != nil || latch.Image != rolledBack {
				t.Errorf("latch %+v: %v", latch, err)
			}
		})
	}
}

func TestALatchIsNotReleasedDuringItsRollback(t *testing.T) {
	_, state := latched(t)
	_, err := Find(state, "", "shop@"+rolledBack, "production")
	testkit.WantError(t, err, "the rollback of v2 is not finished", "rollout rollback -s production")
}

func TestALatchIsReleasedOnce(t *testing.T) {
	kept, state := latched(t, done)
	latch, err := Find(state, "", "shop@"+rolledBack, "production")
	if err != nil {
		t.Fatal(err)
	}
	if err := Release(t.Context(), kept, now, latch, "anna", "it was the database", "production"); err != nil {
		t.Fatal(err)
	}
	history, err := ledger.Read(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	entries := history.Entries()
	last := entries[len(entries)-1]
	if last.Kind != ledger.LatchReleased || last.Who != "anna" || last.Reason != "it was the database" ||
		last.Ref != latch.Seq {
		t.Errorf("entry %+v", last)
	}
	if _, engaged := history.State().Latch(rolledBack); engaged {
		t.Error("the latch is engaged")
	}
	err = Release(t.Context(), kept, now, latch, "ben", "me too", "production")
	testkit.WantError(t, err, "somebody else changed the latch", "rollout status -s production")
}

// A rotation that was rolled back is latched without the image that it came to. Its latch is found by the image, and
// without one, and a mended one that is on trial by now does not hide it.
func TestTheLatchOfAConfigurationIsReleased(t *testing.T) {
	of := func(digest, password string) identity.Identity {
		return identity.Identity{identity.Image: digest, identity.Secret + "db": password}
	}
	stable, bad, mended := of(another, "old"), of(rolledBack, "bad"), of(rolledBack, "good")
	release := of(rolledBack, "old")
	known := map[string]identity.Identity{}
	for _, each := range []identity.Identity{stable, bad, mended, release} {
		known[each.Hash()] = each
	}
	kept := &store.Memory{}
	_, err := ledger.Write(t.Context(), kept, now,
		ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: rolledBack, Stable: another, To: 10,
			Identity: release.Hash(), StableIdentity: stable.Hash(), Identities: known},
		ledger.Entry{Kind: ledger.ExpressBegun, Image: rolledBack, Stable: another, Identity: bad.Hash()},
		ledger.Entry{Kind: ledger.RollbackBegun, Release: "v2", Image: rolledBack, Identity: bad.Hash()},
		ledger.Entry{Kind: ledger.RolledBack, Release: "v2", Image: rolledBack, Identity: bad.Hash(), Verdict: "complete"},
		ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: rolledBack, Stable: another, To: 10,
			Identity: mended.Hash(), StableIdentity: stable.Hash()})
	if err != nil {
		t.Fatal(err)
	}
	history, err := ledger.Read(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	state := history.State()
	for _, wanted := range []string{"", "shop@" + rolledBack} {
		for _, configured := range []string{"shop@" + rolledBack, "shop:2"} {
			latch, err := Find(state, wanted, configured, "production")
			if err != nil || latch.Seq != 3 || Covers(state, latch) != "secret db changed" {
				t.Errorf("%q, %q: entry %d keeps out %s: %v", wanted, configured, latch.Seq, Covers(state, latch), err)
			}
		}
	}
	if _, err := Find(state, another, "", "production"); err == nil {
		t.Error("another image has the latch")
	}
	latch, _ := Find(state, "", "", "production")
	if err := Release(t.Context(), kept, now, latch, "anna", "mended", "production"); err != nil {
		t.Fatal(err)
	}
	if err := Release(t.Context(), kept, now, latch, "anna", "mended", "production"); err == nil {
		t.Error("it is released twice")
	}
	if history, err = ledger.Read(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	if _, _, latched := history.State().LatchOf(rolledBack, bad); latched {
		t.Error("the configuration is latched after its release")
	}
}
