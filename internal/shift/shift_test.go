package shift

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// heard is what the user was told.
type heard struct{ infos, warnings []string }

func (h *heard) Info(text string) error { h.infos = append(h.infos, text); return nil }
func (h *heard) Warn(text string) error { h.warnings = append(h.warnings, text); return nil }

const (
	oldImage = "sha256:0000"
	onTrial  = "sha256:1111"
)

// served is a Prometheus that holds one request a second for every track, of which the canary's fail as told.
type served struct {
	failing float64
	offline bool
}

func (s served) server() shifttest.Prometheus {
	return shifttest.Prometheus{Begin: born.Add(-time.Hour), Failing: s.failing, Offline: s.offline}
}

func (s served) Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	return s.server().Samples(ctx, selector, start, end)
}

func (s served) LabelValues(ctx context.Context, label, selector string, start, end time.Time) ([]string, error) {
	return s.server().LabelValues(ctx, label, selector, start, end)
}

func (s served) Ask(ctx context.Context, query string, at time.Time) (model.Value, error) {
	return s.server().Ask(ctx, query, at)
}

var born = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// values are a stack's configuration.
type values map[string]string

func (v values) Get(key string) (string, bool) { value, ok := v[key]; return value, ok }

func (v values) IsSecret(key string) bool { return key == "secrets" }

func (v values) Keys() []string { return slices.Sorted(maps.Keys(v)) }

// trial is a shift of a production stack to a weight, at a time.
type trial struct {
	*Shift
	world *shifttest.Cluster
	heard *heard
}

func newTrial(t *testing.T, weight int, prometheus soak.Server, now time.Time) trial {
	t.Helper()
	return newNamedTrial(t, "v2", weight, prometheus, now)
}

// newNamedTrial is a trial of a release with a name.
func newNamedTrial(t *testing.T, release string, weight int, prometheus soak.Server, now time.Time) trial {
	t.Helper()
	config := productionConfig()
	config["release"], config["canaryWeight"] = release, strconv.Itoa(weight)
	s, err := settings.Load("production", values(config))
	if err != nil {
		t.Fatal(err)
	}
	w, log := shifttest.New(), &heard{}
	return trial{world: w, heard: log, Shift: New(Options{
		Rollout: &rollout.Rollout{
			Settings: s, Cluster: w, Clock: at(now), Who: "anna", Getenv: func(string) string { return "" },
			Prometheus: func() (soak.Server, error) { return prometheus, nil },
		},
		Cluster: w, Log: log, Images: Images{Canary: KnownDigest(onTrial), Stable: KnownDigest(oldImage)},
		Staging: advance.Staging{Required: true, Stack: "staging", Verified: onTrial},
	})}
}

// standsAt writes a ledger that reached a weight at a time.
func (tr trial) standsAt(t *testing.T, weight int, when time.Time) {
	t.Helper()
	_, err := ledger.Write(t.Context(), tr.rollout.Ledger(), func() time.Time { return when }, ledger.Entry{
		Kind: ledger.ShiftReached, Release: "v2", Image: onTrial, Stable: oldImage, To: weight,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (tr trial) kinds(t *testing.T) string {
	t.Helper()
	history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, entry := range history.Entries() {
		kinds = append(kinds, string(entry.Kind))
	}
	return strings.Join(kinds, " ")
}

func TestShift(t *testing.T) {
	soaked := born.Add(50 * time.Hour)
	tests := []struct {
		name    string
		to      int
		stands  int
		served  served
		now     time.Time
		refused string // "" when the move is allowed
		curable bool
		wrote   string
	}{
		{name: "soaked", to: 30, stands: 10, now: soaked, wrote: "shift-reached verdict shift-begun"},
		{name: "too early", to: 30, stands: 10, now: born.Add(31 * time.Hour), refused: "of 48 h 0 min", curable: true,
			wrote: "shift-reached checkpoint"},
		{name: "too early, and no checkpoint is due", to: 30, stands: 10, now: born.Add(10 * time.Minute),
			refused: "of 48 h 0 min", curable: true, wrote: "shift-reached"},
		{name: "illegal", to: 60, stands: 10, now: soaked, refused: "not a legal move", wrote: "shift-reached"},
		{name: "blind", to: 30, stands: 10, now: soaked, served: served{offline: true}, refused: "cannot be reached",
			curable: true, wrote: "shift-reached checkpoint"},
		{name: "between target and limit", to: 30, stands: 10, now: soaked, served: served{failing: 0.0075},
			refused: "criteria not met", curable: true, wrote: "shift-reached checkpoint extended"},
		{name: "bad", to: 30, stands: 10, now: soaked, served: served{failing: 0.05},
			refused: "rolled back", wrote: "shift-reached rollback-begun rolled-back"},
		{name: "down", to: 10, stands: 60, now: born.Add(time.Hour), wrote: "shift-reached shift-begun"},
		{name: "stay", to: 10, stands: 10, now: born.Add(time.Hour), wrote: "shift-reached"},
		{name: "first", to: 10, now: soaked, wrote: "staging-verified shift-begun"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, dryRun := range []bool{true, false} {
				tr := newTrial(t, tt.to, tt.served, tt.now)
				tr.dryRun = dryRun
				if tt.stands > 0 {
					tr.standsAt(t, tt.stands, born.Add(30*time.Second))
				}
				before := tr.kinds(t)
				err := tr.Judge(t.Context())
				if dryRun {
					if wrote := tr.kinds(t); wrote != before {
						t.Errorf("a preview wrote %s", wrote)
					}
					if (err != nil) != (tt.refused != "" && !tt.curable) {
						t.Errorf("preview: %v", err)
					}
					if (len(tr.heard.warnings) > 0) != tt.curable {
						t.Errorf("preview warns %q", tr.heard.warnings)
					}
					continue
				}
				if (err != nil) != (tt.refused != "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("error %v, want one with %q", err, tt.refused)
				}
				if wrote := tr.kinds(t); wrote != tt.wrote {
					t.Errorf("the ledger holds %s, want %s", wrote, tt.wrote)
				}
			}
		})
	}
}

// racing is a Prometheus during whose first answer somebody else looks at the soak, and notes it.
type racing struct {
	served
	meanwhile func()
}

func (r *racing) Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	if meanwhile := r.meanwhile; meanwhile != nil {
		r.meanwhile = nil
		meanwhile()
	}
	return r.served.Samples(ctx, selector, start, end)
}

func TestAnUpdateAndTheGuardExtendASoakOnce(t *testing.T) {
	now := born.Add(50 * time.Hour)
	undecided := served{failing: 0.0075}
	update := newTrial(t, 30, served{}, now)
	update.standsAt(t, 10, born)
	second := update.shared(t, 30)
	second.rollout.Prometheus = func() (soak.Server, error) { return undecided, nil }
	prometheus := &racing{served: undecided, meanwhile: func() {
		if err := second.Judge(t.Context()); err == nil {
			t.Error("the first look lets the shift pass")
		}
	}}
	update.rollout.Prometheus = func() (soak.Server, error) { return prometheus, nil }
	if err := update.Judge(t.Context()); err == nil || !strings.Contains(err.Error(), "criteria not met") {
		t.Errorf("error %v", err)
	}
	if wrote := update.kinds(t); wrote != "shift-reached checkpoint extended" {
		t.Errorf("the ledger holds %s", wrote)
	}
}

func TestAnOverrideHoldsAtTheEndOfASoakWithoutAVerdict(t *testing.T) {
	tr := newTrial(t, 30, served{failing: 0.0075}, born.Add(50*time.Hour))
	tr.standsAt(t, 10, born)
	tr.rollout.Settings.Override = settings.Override{
		Weight: settings.Weight{Set: true, Percent: 30}, Reason: "the regulator's deadline",
	}
	if err := tr.Judge(t.Context()); err != nil {
		t.Error(err)
	}
	if wrote := tr.kinds(t); wrote != "shift-reached overridden verdict shift-begun" {
		t.Errorf("the ledger holds %s", wrote)
	}
}

// A limit that was loosened for one stage is seen in the entries of that stage.
func TestTheLedgerKeepsWhatAMoveWasJudgedBy(t *testing.T) {
	tr := newTrial(t, 30, served{}, born.Add(50*time.Hour))
	tr.rollout.Settings.Criteria.RollbackErrorRate, tr.rollout.Settings.Bake.Duration = 0.9, model.Duration(time.Minute)
	tr.standsAt(t, 10, born.Add(30*time.Second))
	if err := tr.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tr.reached(t.Context()); err != nil {
		t.Fatal(err)
	}
	history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	entries := history.Entries()
	if len(entries) != 4 {
		t.Fatalf("the ledger holds %s", tr.kinds(t))
	}
	for _, entry := range entries[1:] {
		terms := entry.Terms
		if terms == nil || terms.Soak != 172800 || terms.Bake != 60 || len(terms.Limits) == 0 ||
			terms.Limits[0].Rollback != 0.9 {
			t.Errorf("%s was judged by %+v", entry.Kind, terms)
		}
	}
}

func TestARolledBackImageStaysOutUntilItsLatchIsReleased(t *testing.T) {
	tr := newTrial(t, 10, served{}, born)
	outcome := tr.rollBack(t.Context(), onTrial, "v2", "33 of 90 requests failed", nil)
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tr.world.Scaled, " "); got != "finance-service-stable: 10 finance-service-v2: 0" {
		t.Errorf("scaled %s", got)
	}
	err := tr.Judge(t.Context())
	if err == nil || !strings.Contains(err.Error(), "33 of 90") || !strings.Contains(err.Error(), "latch.release 1") {
		t.Fatalf("error %v", err)
	}
	released := newTrial(t, 10, served{}, born)
	released.world.History, released.world.Version = tr.world.History, tr.world.Version
	released.rollout.Settings.Latch = settings.Latch{Release: 1, Reason: "the database was the cause"}
	if err := released.Judge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := released.kinds(t); got != "rollback-begun rolled-back latch-released staging-verified shift-begun" {
		t.Errorf("the ledger holds %s", got)
	}
	// The same release does not count for the next latch.
	released.rollBack(t.Context(), onTrial, "v2", "again", nil)
	again := newTrial(t, 10, served{}, born)
	again.world.History, again.world.Version = released.world.History, released.world.Version
	again.rollout.Settings.Latch = settings.Latch{Release: 1, Reason: "the database was the cause"}
	if err := again.Judge(t.Context()); err == nil || !strings.Contains(err.Error(), "again") {
		t.Errorf("error %v: an old release opens a new latch", err)
	}
}

func TestABrokenLedgerStopsTheWayUpAndNotTheWayDown(t *testing.T) {
	for weight, stops := range map[int]bool{10: true, 0: false} {
		tr := newTrial(t, weight, served{}, born)
		tr.standsAt(t, 10, born)
		tr.world.History["history"] = strings.Replace(tr.world.History["history"], `"to":10`, `"to":99`, 1)
		before := tr.world.History["history"]
		err := tr.Judge(t.Context())
		if (err != nil) != stops || stops && !errors.Is(err, ledger.ErrEdited) {
			t.Errorf("to %d %%: %v", weight, err)
		}
		if err := tr.reached(t.Context()); err == nil && stops {
			t.Error("a position is noted in a broken ledger")
		}
		if tr.world.History["history"] != before {
			t.Error("it was overwritten")
		}
		if !stops && len(tr.heard.warnings) == 0 {
			t.Error("nobody was told")
		}
	}
}

func TestReachedStartsTheSoakOnce(t *testing.T) {
	tr := newTrial(t, 10, served{}, born)
	for range 3 {
		if err := tr.reached(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := tr.kinds(t); got != "shift-reached" {
		t.Errorf("the ledger holds %s", got)
	}
	finish := newTrial(t, 0, served{}, born)
	finish.standsAt(t, 100, born)
	finish.images.Stable = KnownDigest(onTrial)
	if err := finish.reached(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := finish.kinds(t); got != "shift-reached finished" {
		t.Errorf("the ledger holds %s", got)
	}
}

// Going back to no canary must not need requests.
func TestOnlyWhatTakesRequestsIsBaked(t *testing.T) {
	for weight, bakes := range map[int]bool{0: false, 10: true} {
		tr := newTrial(t, weight, served{}, born)
		release := NewGate(tr.Shift, nil)
		options, err := release.options(t.Context(), "vextrus/finance@"+onTrial)
		if err != nil || (options.Bake != nil) != bakes {
			t.Errorf("at %d %%: baked %v, %v", weight, options.Bake != nil, err)
		}
	}
}
