package rollback

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// store is a ledger's store in memory.
type store struct {
	mu      sync.Mutex
	data    map[string]string
	version int
}

func (s *store) Load(context.Context) (data map[string]string, version string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.data), strconv.Itoa(s.version), nil
}

func (s *store) Save(_ context.Context, data map[string]string, version string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version != strconv.Itoa(s.version) {
		return ledger.ErrConflict
	}
	s.data, s.version = maps.Clone(data), s.version+1
	return nil
}

func kinds(t *testing.T, s ledger.Store) []ledger.Kind {
	t.Helper()
	history, err := ledger.Read(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var list []ledger.Kind
	for _, entry := range history.Entries() {
		list = append(list, entry.Kind)
	}
	return list
}

func TestInLedgerRecordsARollbackOnce(t *testing.T) {
	const image = "sha256:11"
	failed := Outcome{Reason: "bad", Steps: []Step{{Name: "evidence", Err: errors.New("slow")}}}
	done := Outcome{Reason: "bad", Evidence: "finance-evidence-1"}
	tests := []struct {
		name     string
		outcomes []Outcome
		want     []ledger.Kind
	}{
		{"once", []Outcome{done}, []ledger.Kind{ledger.RollbackBegun, ledger.RolledBack}},
		{"again", []Outcome{done, done, failed}, []ledger.Kind{ledger.RollbackBegun, ledger.RolledBack}},
		{"completed by a second run", []Outcome{failed, failed, done, done},
			[]ledger.Kind{ledger.RollbackBegun, ledger.RolledBack, ledger.RolledBack}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &store{}
			recorder := InLedger{Store: s, Now: time.Now, Who: "guard", Image: image, Release: "v2"}
			for _, outcome := range tt.outcomes {
				if err := errors.Join(recorder.Begin(t.Context(), outcome.Reason),
					recorder.Finish(t.Context(), outcome)); err != nil {
					t.Fatal(err)
				}
			}
			if got := kinds(t, s); !slices.Equal(got, tt.want) {
				t.Errorf("the ledger holds %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTwoRollbacksAtOnceAreOneInTheLedger(t *testing.T) {
	s := &store{}
	var group sync.WaitGroup
	errs := make(chan error, 8)
	for range 8 {
		group.Go(func() {
			recorder := InLedger{Store: s, Now: time.Now, Who: "guard", Image: "sha256:11", Release: "v2"}
			errs <- errors.Join(recorder.Begin(t.Context(), "bad"), recorder.Finish(t.Context(), Outcome{Reason: "bad"}))
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if got := kinds(t, s); !slices.Equal(got, []ledger.Kind{ledger.RollbackBegun, ledger.RolledBack}) {
		t.Errorf("the ledger holds %v", got)
	}
}

func TestALatchThatIsBeingReleasedIsEngagedAnew(t *testing.T) {
	s := &store{}
	first := InLedger{Store: s, Now: time.Now, Who: "guard", Image: "sha256:11", Release: "v2"}
	if err := errors.Join(first.Begin(t.Context(), "bad"), first.Finish(t.Context(), Outcome{Reason: "bad"})); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Released = 1
	if err := errors.Join(second.Begin(t.Context(), "bad again"),
		second.Finish(t.Context(), Outcome{Reason: "bad again"})); err != nil {
		t.Fatal(err)
	}
	want := []ledger.Kind{ledger.RollbackBegun, ledger.RolledBack, ledger.RollbackBegun, ledger.RolledBack}
	if got := kinds(t, s); !slices.Equal(got, want) {
		t.Errorf("the ledger holds %v, want %v", got, want)
	}
}

// An API server that is away when a rollback begins, and back when it ends, must not leave the image unlatched.
func TestInLedgerNotesTheIntentWithTheOutcome(t *testing.T) {
	const image = "sha256:11"
	unnoted := Outcome{Reason: "bad", Steps: []Step{{Name: noteStep, Err: errors.New("no answer")}}}
	s := &store{}
	recorder := InLedger{Store: s, Now: time.Now, Who: "guard", Image: image, Release: "v2"}
	for range 2 {
		if err := recorder.Finish(t.Context(), unnoted); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := kinds(t, s), []ledger.Kind{ledger.RollbackBegun, ledger.RolledBack}; !slices.Equal(got, want) {
		t.Errorf("the ledger holds %v, want %v", got, want)
	}
	history, err := ledger.Read(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	state := history.State()
	if latch, latched := state.Latch(image); !latched || latch.Reason != "bad" || state.Unfinished != nil {
		t.Errorf("latched %v by %+v, unfinished %v", latched, latch, state.Unfinished)
	}
}

// Who released the latch while the rollback went on is not overruled by its outcome.
func TestInLedgerDoesNotLatchAgain(t *testing.T) {
	const image = "sha256:11"
	s := &store{}
	recorder := InLedger{Store: s, Now: time.Now, Who: "guard", Image: image, Release: "v2"}
	if err := recorder.Begin(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Write(t.Context(), s, time.Now, ledger.Entry{Kind: ledger.LatchReleased, Image: image, Ref: 1,
		Reason: "mended"}); err != nil {
		t.Fatal(err)
	}
	if err := recorder.Finish(t.Context(), Outcome{Reason: "bad"}); err != nil {
		t.Fatal(err)
	}
	history, err := ledger.Read(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if latch, latched := history.State().Latch(image); latched {
		t.Errorf("latched by %+v", latch)
	}
}

// A change of the express lane that was rolled back is latched, and its image is not. The pods that have it are rolled
// back once all the same, a failed step is completed, and neither latches the image afterwards.
func TestARolledBackExpressChangeIsRecordedOnce(t *testing.T) {
	const image = "sha256:11"
	of := func(digest, password string) identity.Identity {
		return identity.Identity{identity.Image: digest, identity.Secret + "db": password}
	}
	stable, release, changed := of("sha256:00", "old"), of(image, "old"), of(image, "new")
	s := &store{}
	_, err := ledger.Write(t.Context(), s, time.Now,
		ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: image, Stable: "sha256:00", To: 10,
			Identity: release.Hash(), StableIdentity: stable.Hash(), Identities: map[string]identity.Identity{
				release.Hash(): release, stable.Hash(): stable}},
		ledger.Entry{Kind: ledger.ExpressBegun, Image: image, Stable: "sha256:00", Identity: changed.Hash(),
			Identities: map[string]identity.Identity{changed.Hash(): changed}})
	if err != nil {
		t.Fatal(err)
	}
	recorder := InLedger{Store: s, Now: time.Now, Who: "guard", Image: image, Release: "v2", Identity: changed.Hash()}
	failed := Outcome{Reason: "bad", Steps: []Step{{Name: "evidence", Err: errors.New("slow")}}}
	for _, outcome := range []Outcome{failed, {Reason: "bad"}, {Reason: "bad"}} {
		if err := errors.Join(recorder.Begin(t.Context(), "bad"), recorder.Finish(t.Context(), outcome)); err != nil {
			t.Fatal(err)
		}
	}
	want := []ledger.Kind{ledger.ShiftReached, ledger.ExpressBegun, ledger.RollbackBegun, ledger.RolledBack,
		ledger.RolledBack}
	if got := kinds(t, s); !slices.Equal(got, want) {
		t.Errorf("the ledger holds %v, want %v", got, want)
	}
	history, err := ledger.Read(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	state := history.State()
	if _, _, latched := state.LatchOf(image, release); latched {
		t.Error("the image is latched")
	}
	if _, parts, _ := state.LatchOf(image, changed); identity.Describe(parts) != "secret db changed" {
		t.Errorf("latched are %q", identity.Describe(parts))
	}
}
