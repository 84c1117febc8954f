package soak

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

// count gives how many checkpoints and extensions the ledger holds.
func count(t *testing.T, m *store.Memory) (checkpoints, extensions int) {
	t.Helper()
	for _, entry := range m.Entries(t) {
		switch entry.Kind {
		case ledger.Checkpoint:
			checkpoints++
		case ledger.Extended:
			extensions++
		}
	}
	return checkpoints, extensions
}

func clockAt(at time.Time) func() time.Time { return func() time.Time { return at } }

var reachedTen = ledger.Entry{
	Kind: ledger.ShiftReached, Release: "v2", Image: "sha256:11", Stable: "sha256:00", To: 10,
}

// overWithout is a look at the end of a soak that was extended that often.
func overWithout(verdict gate.Verdict, extensions int) advance.Soak {
	look := lookWith(verdict)
	look.Extensions, look.Soaked = extensions, twoDays.Required(extensions)
	return look
}

func TestFiftyWritersNoteOneCheckpointAndOneExtension(t *testing.T) {
	memory, now := &store.Memory{}, began.Add(50*time.Hour)
	memory.Write(t, began, reachedTen)
	look := overWithout(gate.Inconclusive, 0)
	var writers sync.WaitGroup
	var checkpoints, extensions atomic.Int32
	start := make(chan struct{})
	for i := range 50 {
		writers.Go(func() {
			<-start
			noted, err := Note(t.Context(), memory, clockAt(now), "writer/"+strconv.Itoa(i), look)
			if err != nil {
				t.Error(err)
			}
			if noted.Checkpoint {
				checkpoints.Add(1)
			}
			if noted.Extension {
				extensions.Add(1)
			}
		})
	}
	close(start)
	writers.Wait()
	if checkpoints.Load() != 1 || extensions.Load() != 1 {
		t.Errorf("%d writers report a checkpoint and %d an extension, want 1 of each", checkpoints.Load(), extensions.Load())
	}
	if checkpoints, extensions := count(t, memory); checkpoints != 1 || extensions != 1 {
		t.Errorf("the ledger holds %d checkpoints and %d extensions, want 1 of each", checkpoints, extensions)
	}
}

func TestNote(t *testing.T) {
	extended := ledger.Entry{Kind: ledger.Extended, Release: "v2", Image: "sha256:11", To: 10}
	looked := ledger.Entry{Kind: ledger.Checkpoint, Release: "v2", Image: "sha256:11", To: 10}
	reachedThirty, begun := reachedTen, reachedTen
	reachedThirty.To, begun.Kind, begun.To = 30, ledger.ShiftBegun, 30
	goesOn := func(soaked time.Duration, extensions int) advance.Soak {
		look := overWithout(gate.Inconclusive, extensions)
		look.Soaked = soaked
		return look
	}
	hour := time.Hour
	tests := []struct {
		name string
		look advance.Soak
		// since are the entries after the stage was reached, written that long after it.
		since []ledger.Entry
		wrote time.Duration
		now   time.Duration
		want  Noted
	}{
		{name: "the soak goes on", look: goesOn(31*hour, 0), now: 31 * hour, want: Noted{Checkpoint: true}},
		{name: "over without a verdict", look: overWithout(gate.Inconclusive, 0), now: 50 * hour,
			want: Noted{Checkpoint: true, Extension: true}},
		{name: "over, and the checkpoint is noted already", look: overWithout(gate.Inconclusive, 0),
			since: []ledger.Entry{looked}, wrote: 49 * hour, now: 50 * hour, want: Noted{Extension: true}},
		{name: "passed", look: overWithout(gate.Pass, 0), now: 50 * hour, want: Noted{Checkpoint: true}},
		{name: "failed", look: overWithout(gate.Fail, 0), now: 50 * hour, want: Noted{Checkpoint: true}},
		{name: "not seen", look: overWithout(gate.Error, 0), now: 50 * hour, want: Noted{Checkpoint: true}},
		{name: "extended since the look", look: overWithout(gate.Inconclusive, 0), since: []ledger.Entry{looked, extended},
			wrote: 50 * hour, now: 50 * hour},
		{name: "the extension goes on", look: goesOn(50*hour, 1), since: []ledger.Entry{extended}, wrote: 48 * hour,
			now: 50 * hour, want: Noted{Checkpoint: true}},
		{name: "the extension is over", look: overWithout(gate.Inconclusive, 1), since: []ledger.Entry{extended},
			wrote: 48 * hour, now: 72 * hour, want: Noted{Checkpoint: true, Extension: true}},
		{name: "the rollout has moved on", look: overWithout(gate.Inconclusive, 0), since: []ledger.Entry{reachedThirty},
			wrote: 49 * hour, now: 50 * hour},
		{name: "a shift is under way", look: overWithout(gate.Inconclusive, 0), since: []ledger.Entry{begun},
			wrote: 49 * hour, now: 50 * hour},
		{name: "the canary was rolled back", look: overWithout(gate.Inconclusive, 0),
			since: []ledger.Entry{{Kind: ledger.RollbackBegun, Image: "sha256:11"}}, wrote: 49 * hour, now: 50 * hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			memory := &store.Memory{}
			memory.Write(t, began, reachedTen)
			if len(tt.since) > 0 {
				memory.Write(t, began.Add(tt.wrote), tt.since...)
			}
			checkpoints, extensions := count(t, memory)
			got, err := Note(t.Context(), memory, clockAt(began.Add(tt.now)), "guard", tt.look)
			if err != nil || got != tt.want {
				t.Fatalf("noted %+v, want %+v (error %v)", got, tt.want, err)
			}
			laterCheckpoints, laterExtensions := count(t, memory)
			wrote := Noted{Checkpoint: laterCheckpoints > checkpoints, Extension: laterExtensions > extensions}
			if wrote != tt.want {
				t.Errorf("the ledger has got %+v, want %+v", wrote, tt.want)
			}
		})
	}
}

func TestNoteHoldsTheNumbersOfTheLook(t *testing.T) {
	numbers := []ledger.Number{
		{Name: "error rate", Verdict: "inconclusive", N: 900, K: 3, Lower: 0.000123, Upper: 0.0125},
		{Name: "restarts", Verdict: "pass"},
	}
	terms := &ledger.Terms{Soak: 172800, Extension: 86400, Limits: []ledger.Limit{
		{Name: "error rate", Target: 0.005, Rollback: 0.01}, {Name: "queue", Target: 100, Direction: "below"}}}
	want := []ledger.Entry{
		{Kind: ledger.Checkpoint, Who: "guard", Release: "v2", Image: "sha256:11", From: 10, To: 10, Verdict: "inconclusive",
			Reason: "error rate: 3 of 900 requests failed", Soaked: 172800, Numbers: numbers, Terms: terms},
		{Kind: ledger.Extended, Who: "guard", Release: "v2", Image: "sha256:11", To: 10, Verdict: "inconclusive",
			Reason: "by 24h0m0s: error rate: 3 of 900 requests failed", Soaked: 172800, Numbers: numbers, Terms: terms},
	}
	look, state := overWithout(gate.Inconclusive, 0), atTen(0)
	look.Criteria = []gate.Criterion{gate.ErrorRate(0.005, 0.01)}
	look.Queries = []gate.QueryCriterion{{Name: "queue", Limit: 100, Direction: "below"}}
	got := []ledger.Entry{checkpoint(look, state, "guard"), extension(look, state, "guard")}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(ledger.Entry{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if passed := checkpoint(lookWith(gate.Pass), state, "guard"); passed.Reason != "" || passed.Verdict != "pass" {
		t.Errorf("a look that passes is noted as %s: %s", passed.Verdict, passed.Reason)
	}
}

func TestNoteFailsWithItsStoreAndReportsNothing(t *testing.T) {
	memory := &store.Memory{}
	memory.Write(t, began, reachedTen)
	memory.Fail(context.DeadlineExceeded)
	noted, err := Note(t.Context(), memory, clockAt(began.Add(50*time.Hour)), "guard", overWithout(gate.Inconclusive, 0))
	if err == nil || noted != (Noted{}) {
		t.Errorf("noted %+v, error %v", noted, err)
	}
}
