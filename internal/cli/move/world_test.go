package move

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// killed is the panic of a process that is killed.
type killed struct{}

// calendarWorld is a stack whose time, file, ledger and requests the test has in its hands. Its updates are those of
// internal/shift, without pods.
type calendarWorld struct {
	*shifttest.Cluster
	t      *testing.T
	now    time.Time
	file   map[string]string
	dir    string
	served shifttest.Prometheus
	// left is how many steps a process takes until it is killed; less than 0 for one that lives.
	left int
	// updates counts the updates that began.
	updates int
}

func newCalendarWorld(t *testing.T, start time.Time, changes map[string]string) *calendarWorld {
	t.Helper()
	return &calendarWorld{
		Cluster: shifttest.New(), t: t, now: start, left: -1, dir: t.TempDir(),
		served: shifttest.Prometheus{Begin: start.Add(-time.Hour), Every: time.Minute},
		file: testkit.Config{
			"app": "shop", "namespace": "shop", "image": "shop@" + fresh, "stableImage": "shop@" + older, "canaryWeight": "0",
			"prometheus": "http://127.0.0.1:1", "replicas": "10", "staging": `{"required":false}`, "secretEnv": "{}",
			"smoke": `{"tokenFrom":"","originFrom":""}`, "soak": `{"duration":"2h","extension":"1h"}`, "advance": "auto",
			"metrics": `{"interval":"1m"}`, "floors": `{"soak":"1m","reason":"weeks in a test"}`,
		}.With(changes),
	}
}

// step is a point at which a process may be killed.
func (w *calendarWorld) step() {
	if w.left == 0 {
		panic(killed{})
	}
	w.left--
}

// Now and After implement gate.Clock.
func (w *calendarWorld) Now() time.Time { return w.now }

func (w *calendarWorld) After(time.Duration) <-chan time.Time { return testkit.Clock(w.now).After(0) }

// ConfigMap holds the release record beside the ledger.
func (w *calendarWorld) ConfigMap(ctx context.Context, namespace, name string) (data map[string]string, version string,
	err error) {
	w.step()
	if name == "shop-release" {
		return map[string]string{"image": w.file["image"]}, "1", nil
	}
	return w.Cluster.ConfigMap(ctx, namespace, name)
}

// SwapConfigMap may be the last thing that a process does, or what it does no longer.
func (w *calendarWorld) SwapConfigMap(ctx context.Context, namespace, name string, data map[string]string,
	version string) error {
	w.step()
	err := w.Cluster.SwapConfigMap(ctx, namespace, name, data, version)
	w.step()
	return err
}

// rollout is that of a process that starts now.
func (w *calendarWorld) rollout() *rollout.Rollout {
	w.t.Helper()
	s, err := settings.Load("production", testkit.Config(w.file))
	if err != nil {
		w.t.Fatal(err)
	}
	r := &rollout.Rollout{Settings: s, Cluster: w, Clock: w, Who: "schedule", Dir: w.dir,
		Getenv:     func(string) string { return "" },
		Prometheus: func() (soak.Server, error) { return w.served, nil }}
	named, err := r.Named(w.t.Context(), digestOf(w.file["image"]))
	if err != nil {
		w.t.Fatal(err)
	}
	return named
}

func digestOf(reference string) string { return reference[strings.Index(reference, "@")+1:] }

func (w *calendarWorld) history() *ledger.Ledger {
	w.t.Helper()
	history, err := ledger.Read(w.t.Context(), rollout.LedgerIn(w, w.rollout().Settings))
	if err != nil {
		w.t.Fatal(err)
	}
	return history
}

func (w *calendarWorld) note(entry ledger.Entry) {
	w.t.Helper()
	if _, err := ledger.Write(w.t.Context(), w.rollout().Ledger(), w.Now, entry); err != nil {
		w.t.Fatal(err)
	}
}

// Values implements Stack.
func (w *calendarWorld) Values(paths []string) (map[string]string, error) {
	values := map[string]string{}
	for _, path := range paths {
		values[path] = w.file[path]
	}
	return values, nil
}

// Set implements Stack. The CLI replaces the file as a whole.
func (w *calendarWorld) Set(_ context.Context, values map[string]string) error {
	w.step()
	changed := maps.Clone(w.file)
	for key, value := range values {
		changed[key] = value
		if value == "" {
			delete(changed, key)
		}
	}
	w.file = changed
	w.step()
	return nil
}

// silent is a user who reads nothing.
type silent struct{}

func (silent) Info(string) error { return nil }
func (silent) Warn(string) error { return nil }

// Up implements Stack: `pulumi up` of the file as it is.
func (w *calendarWorld) Up(ctx context.Context, _ io.Writer, _ bool) error {
	w.step()
	w.updates++
	r := w.rollout()
	target := r.Settings.Position().Weight
	canary, stable := digestOf(w.file["image"]), digestOf(w.file["stableImage"])
	update := shift.New(shift.Options{Rollout: r, Cluster: w, Log: silent{},
		Images: shift.Images{Canary: shift.KnownDigest(canary), Stable: shift.KnownDigest(stable)}})
	if err := update.Look(ctx); err != nil {
		return err
	}
	if update.Errand() != "" {
		if err := update.RunErrand(ctx); err != nil {
			return err
		}
	}
	if err := update.Judge(ctx); err != nil {
		return err
	}
	w.step()
	state := w.history().State()
	if state.Begun == nil && state.Weight == target && state.Stable == stable {
		return nil
	}
	reached := ledger.Entry{Kind: ledger.ShiftReached, Who: r.Who, Release: r.Settings.Release, Image: canary,
		Stable: stable, From: state.Weight, To: target}
	if state.Weight == 100 && stable == state.Image {
		reached.Kind = ledger.Finished
	}
	_, err := ledger.Write(ctx, r.Ledger(), r.Clock.Now, reached)
	return err
}

// OutputsOf implements Stack.
func (w *calendarWorld) OutputsOf(context.Context, string) (map[string]any, error) { return nil, nil }

// Registry implements Stack.
func (w *calendarWorld) Registry(context.Context) (image.Options, error) { return image.Options{}, nil }

func (w *calendarWorld) operation() *Operation {
	return &Operation{Rollout: w.rollout(), Stack: w, StackName: "production", Output: io.Discard,
		Progress: func(string) {}}
}

// scheduled is one run of the scheduled command. It tells what was found, and whether the run was killed.
func (w *calendarWorld) scheduled() (ready Readiness, died bool) {
	w.t.Helper()
	defer func() {
		w.left = -1
		switch problem := recover(); problem {
		case nil:
		case killed{}:
			died = true
		default:
			panic(problem)
		}
	}()
	o := w.operation()
	ready, err := o.WhenReady(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if ready.Action != Wait {
		if err := o.Make(w.t.Context(), ready.Move, *ready.Decision); err != nil {
			w.t.Fatalf("%s: %v", ready.Reason, err)
		}
	}
	return ready, false
}

// moves are the weights that the ledger's shifts began and reached, in order.
func (w *calendarWorld) moves() string {
	w.t.Helper()
	var moves []string
	for _, entry := range w.history().Entries() {
		switch entry.Kind {
		case ledger.ShiftBegun:
			moves = append(moves, fmt.Sprintf("%d>%d", entry.From, entry.To))
		case ledger.ShiftReached:
			moves = append(moves, fmt.Sprintf("%d", entry.To))
		case ledger.Finished, ledger.RolledBack:
			moves = append(moves, string(entry.Kind))
		}
	}
	return strings.Join(moves, " ")
}

// A run that is killed at any point is taken up by the next one, and no stage is entered twice or skipped.
func TestARunThatIsKilledNeverMovesTwice(t *testing.T) {
	const want = "0>10 10 10>30 30 30>60 60 60>100 100 100>0 finished"
	kills := 0
	for seed := range uint64(20) {
		source := rand.New(rand.NewPCG(18, seed))
		w := newCalendarWorld(t, monday, nil)
		for range 60 {
			before := w.history().State()
			w.left = source.IntN(20)
			_, died := w.scheduled()
			if died {
				kills++
			}
			if after := w.history().State(); after.Weight != before.Weight && before.Begun == nil && before.Weight > 0 &&
				w.now.Sub(before.SoakSince) < 2*time.Hour {
				t.Fatalf("seed %d: %d %% after %v at %d %%", seed, after.Weight, w.now.Sub(before.SoakSince), before.Weight)
			}
			w.now = w.now.Add(time.Duration(source.IntN(60)) * time.Minute)
		}
		for range 20 {
			w.scheduled()
			w.now = w.now.Add(time.Hour)
		}
		if got := w.moves(); got != want {
			t.Errorf("seed %d: %s, want %s", seed, got, want)
		}
		if w.file["stableImage"] != "shop@"+fresh || w.file["canaryWeight"] != "0" {
			t.Errorf("seed %d: the file is %v", seed, w.file)
		}
	}
	if kills < 20 {
		t.Errorf("only %d runs were killed", kills)
	}
	t.Logf("%d runs were killed", kills)
}
