package move

import (
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/image"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

const (
	fresh = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	older = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// fakeStack keeps its configuration in a map, and updates by a function.
type fakeStack struct {
	config    map[string]string
	up        func() error
	refreshed []bool
	outputs   map[string]any
	err       error // of outputs and registry
}

func (f *fakeStack) Values(paths []string) (map[string]string, error) {
	values := map[string]string{}
	for _, path := range paths {
		values[path] = f.config[path]
	}
	return values, nil
}

func (f *fakeStack) Set(_ context.Context, values map[string]string) error {
	maps.Copy(f.config, values)
	return nil
}

func (f *fakeStack) Up(_ context.Context, _ io.Writer, refresh bool) error {
	f.refreshed = append(f.refreshed, refresh)
	if f.up == nil {
		return nil
	}
	return f.up()
}

func (f *fakeStack) OutputsOf(context.Context, string) (map[string]any, error) {
	return f.outputs, f.err
}

func (f *fakeStack) Registry(context.Context) (image.Options, error) { return image.Options{}, f.err }

// operation is an operation on a stack in memory whose ledger has the entries.
func operation(t *testing.T, changes map[string]string, entries ...ledger.Entry) (*Operation, *fakeStack) {
	t.Helper()
	s, err := settings.Load("production", testkit.Config{
		"app": "shop", "namespace": "shop", "release": "v2", "image": "shop@" + fresh, "stableImage": "shop@" + older,
		"prometheus": "http://127.0.0.1:1", "replicas": "10", "staging": `{"required":false}`,
		"secretEnv": "{}", "smoke": `{"tokenFrom":"","originFrom":""}`,
	}.With(changes))
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.New(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-release"},
		Data: map[string]string{"image": "shop@" + fresh}})
	r := rollout.New(s, c.Client, nil, func(string) string { return "" })
	stack := &fakeStack{config: map[string]string{"canaryWeight": "10"}}
	o := &Operation{Rollout: r, Stack: stack, StackName: "production", Output: io.Discard, Progress: func(string) {}}
	write(t, o, entries...)
	return o, stack
}

func write(t *testing.T, o *Operation, entries ...ledger.Entry) {
	t.Helper()
	if len(entries) == 0 {
		return
	}
	if _, err := ledger.Write(t.Context(), o.Rollout.Ledger(), o.Rollout.Clock.Now, entries...); err != nil {
		t.Fatal(err)
	}
}

// at are the entries that bring the rollout to a weight.
func at(weight int) []ledger.Entry {
	begun := ledger.Entry{Kind: ledger.ShiftBegun, Release: "v2", Image: fresh, Stable: older, To: weight}
	reached := begun
	reached.Kind = ledger.ShiftReached
	return []ledger.Entry{begun, reached}
}

func TestTheNextWeight(t *testing.T) {
	o := &Operation{Rollout: &rollout.Rollout{Settings: &settings.Settings{Stages: plan.DefaultStages()}},
		StackName: "production"}
	for _, tt := range []struct {
		state ledger.State
		want  int
	}{
		{ledger.State{}, 10}, {ledger.State{Weight: 10}, 30}, {ledger.State{Weight: 15}, 30}, {ledger.State{Weight: 60}, 100},
		{ledger.State{Weight: 10, Begun: &ledger.Entry{To: 20}}, 20},
	} {
		if got, err := o.next(tt.state); err != nil || got != tt.want {
			t.Errorf("after %d %% comes %d %%, want %d: %v", tt.state.Weight, got, tt.want, err)
		}
	}
	if _, err := o.next(ledger.State{Weight: 100}); terminal.ExitCode(err) != terminal.ExitUsage ||
		!strings.Contains(err.Error(), "rollout finish -s production") {
		t.Errorf("after 100 %%: %v", err)
	}
}

func TestAdvanceSetsTheWeightAndRunsTheUpdate(t *testing.T) {
	o, stack := operation(t, nil)
	m, err := o.Advance(t.Context(), NextStage)
	if err != nil {
		t.Fatal(err)
	}
	if want := (plan.Target{Weight: 10, Canary: fresh, Stable: older}); m.Target != want {
		t.Fatalf("target %+v, want %+v", m.Target, want)
	}
	decision := o.Judge(t.Context(), m)
	if !decision.Allowed() {
		t.Fatalf("refused: %s", decision)
	}
	stack.config = map[string]string{"canaryWeight": "0"}
	if err := o.Make(t.Context(), m, decision); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"canaryWeight": "10"}, stack.config); diff != "" ||
		!cmp.Equal(stack.refreshed, []bool{false}) {
		t.Errorf("refreshed %v, configuration (-want +got):\n%s", stack.refreshed, diff)
	}
	write(t, o, at(10)...)
	if text := o.Position(t.Context()); text != "v2 has 10 % of the requests, and its soak begins" {
		t.Errorf("position %q", text)
	}
}

func TestAnUpdateThatMovesNothingRestoresTheConfiguration(t *testing.T) {
	failed := errors.New("pulumi up -s production failed")
	for name, tt := range map[string]struct {
		moves bool
		want  []string
		left  string
	}{
		"nothing moved": {false, []string{"failed", "nothing was moved, and the configuration is restored"}, "10"},
		"moved":         {true, []string{"failed", "rollout status -s production"}, "30"},
	} {
		t.Run(name, func(t *testing.T) {
			o, stack := operation(t, nil, at(10)...)
			stack.up = func() error {
				if tt.moves {
					write(t, o, at(30)[0])
				}
				return failed
			}
			m, err := o.Advance(t.Context(), 30)
			if err != nil {
				t.Fatal(err)
			}
			err = o.Make(t.Context(), m, advance.Decision{})
			testkit.WantError(t, err, tt.want...)
			if !errors.Is(err, failed) || stack.config["canaryWeight"] != tt.left {
				t.Errorf("error %v, weight %s, want %s", err, stack.config["canaryWeight"], tt.left)
			}
		})
	}
}

func TestAnOverrideIsSetForItsMoveAlone(t *testing.T) {
	o, stack := operation(t, nil, at(10)...)
	m, err := o.Advance(t.Context(), 30)
	if err != nil {
		t.Fatal(err)
	}
	if decision := o.Judge(t.Context(), m); decision.Allowed() {
		t.Fatalf("allowed without evidence: %s", decision)
	}
	m.Override = "the regulator's deadline"
	decision := o.Judge(t.Context(), m)
	if !decision.Allowed() || decision.Overridden == nil {
		t.Fatalf("refused in spite of the override: %s", decision)
	}
	if err := o.Make(t.Context(), m, decision); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"canaryWeight": "30", "override.weight": "30", "override.reason": "the regulator's deadline"}
	if diff := cmp.Diff(want, stack.config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestAnInterruptedShiftIsRefreshed(t *testing.T) {
	o, stack := operation(t, nil, at(10)[0])
	m, err := o.Advance(t.Context(), NextStage)
	if err != nil || m.Target.Weight != 10 {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := o.Make(t.Context(), m, o.Judge(t.Context(), m)); err != nil || !cmp.Equal(stack.refreshed, []bool{true}) {
		t.Errorf("refreshed %v: %v", stack.refreshed, err)
	}
}

func TestFinishMakesTheImageStable(t *testing.T) {
	o, stack := operation(t, nil, at(100)...)
	m, err := o.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (plan.Target{Weight: 0, Canary: fresh, Stable: fresh}); m.Target != want {
		t.Errorf("target %+v, want %+v", m.Target, want)
	}
	if err := o.Make(t.Context(), m, advance.Decision{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"stableImage": "shop@" + fresh, "canaryWeight": "0"}
	if diff := cmp.Diff(want, stack.config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	write(t, o, ledger.Entry{Kind: ledger.Finished, Release: "v2", Image: fresh, Stable: fresh})
	if text := o.Position(t.Context()); text != "no canary serves requests, the stable track runs "+fresh {
		t.Errorf("position %q", text)
	}
}

func TestMovesThatCannotBeMade(t *testing.T) {
	for name, tt := range map[string]struct {
		changes map[string]string
		entries []ledger.Entry
		to      int // 0 for a finish
		err     error
		code    int
		want    []string
	}{
		"down": {entries: at(30), to: 10, code: terminal.ExitUsage, want: []string{"--to 10", "already at 30 %",
			"rollout rollback -s production", "pulumi config set canaryWeight 10 -s production && pulumi up -s production"}},
		"a weight that the pods cannot split": {to: 33, code: terminal.ExitUsage, want: []string{"--to 33", "10 pods"}},
		"no image, and none verified": {changes: map[string]string{"image": "", "staging": `{"required":true}`},
			to: 10, code: terminal.ExitUsage, want: []string{"stack staging has verified no image", "pulumi up -s staging"}},
		"a tag without credentials": {changes: map[string]string{"image": "shop:2"}, to: 10,
			err: errors.New("no passphrase"), code: terminal.ExitFailed, want: []string{"config image", "no passphrase"}},
		"a finish from 60 %": {entries: at(60), code: terminal.ExitUsage,
			want: []string{"at 60 %", "rollout advance -s production"}},
		"a finish of another image": {entries: []ledger.Entry{
			{Kind: ledger.ShiftBegun, Release: "v2", Image: older, Stable: older, To: 100},
			{Kind: ledger.ShiftReached, Release: "v2", Image: older, Stable: older, To: 100},
		}, code: terminal.ExitFailed, want: []string{fresh, older, "pulumi up -s production"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, stack := operation(t, tt.changes, tt.entries...)
			stack.err = tt.err
			var err error
			if tt.to > 0 {
				_, err = o.Advance(t.Context(), tt.to)
			} else {
				_, err = o.Finish(t.Context())
			}
			testkit.WantError(t, err, tt.want...)
			if code := terminal.ExitCode(err); code != tt.code {
				t.Errorf("exit code %d, want %d: %v", code, tt.code, err)
			}
		})
	}
}

func TestStagingMustHaveVerifiedTheImage(t *testing.T) {
	for name, tt := range map[string]struct {
		outputs map[string]any
		err     error
		allowed bool
	}{
		"verified":   {outputs: map[string]any{"verifiedImage": "shop@" + fresh}, allowed: true},
		"another":    {outputs: map[string]any{"verifiedImage": "shop@" + older}},
		"nothing":    {outputs: map[string]any{}},
		"unreadable": {err: errors.New("no such stack")},
	} {
		t.Run(name, func(t *testing.T) {
			o, stack := operation(t, map[string]string{"staging": `{"required":true,"stack":"staging"}`})
			stack.outputs, stack.err = tt.outputs, tt.err
			m, err := o.Advance(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			if decision := o.Judge(t.Context(), m); decision.Allowed() != tt.allowed {
				t.Errorf("allowed %t: %s", decision.Allowed(), decision)
			}
		})
	}
}

func TestHowAMoveEnds(t *testing.T) {
	refused := func(causes ...advance.Cause) advance.Decision {
		var decision advance.Decision
		for _, cause := range causes {
			decision.Refusals = append(decision.Refusals, advance.Refusal{Cause: cause, Reason: "reason", Resolve: "do"})
		}
		return decision
	}
	failed := refused(advance.CauseFailed)
	failed.RollBack = true
	overridden := refused(advance.CauseSoak)
	overridden.Overridden = &advance.Override{Reason: "deadline"}
	for name, tt := range map[string]struct {
		decision advance.Decision
		want     int
	}{
		"allowed":                {advance.Decision{}, terminal.ExitDone},
		"too early":              {refused(advance.CauseSoak, advance.CauseCriteria), terminal.ExitUnknown},
		"blind":                  {refused(advance.CauseBlind), terminal.ExitUnknown},
		"closed":                 {refused(advance.CauseCalendar, advance.CauseIncident), terminal.ExitUnknown},
		"not signed off":         {refused(advance.CauseSoak, advance.CauseChecklist), terminal.ExitFailed},
		"latched":                {refused(advance.CauseLatched), terminal.ExitFailed},
		"early and not verified": {refused(advance.CauseSoak, advance.CauseStaging), terminal.ExitFailed},
		"worse than the limit":   {failed, terminal.ExitFailed},
		"overridden":             {overridden, terminal.ExitDone},
	} {
		if got := terminal.ExitCode(ErrorOf(tt.decision)); got != tt.want {
			t.Errorf("%s ends with %d, want %d", name, got, tt.want)
		}
		outcome := OutcomeOf(tt.decision)
		if outcome.Allowed != tt.decision.Allowed() || len(outcome.Refusals) != len(tt.decision.Refusals) {
			t.Errorf("the outcome of %s is %+v", name, outcome)
		}
	}
	lifted := advance.Decision{Lifted: []advance.Lifted{{
		Refusal: advance.Refusal{Cause: advance.CauseCalendar, Reason: "x"},
		By:      advance.TimedOverride{Key: "calendar.override", Reason: "hotfix"},
	}}}
	if outcome := OutcomeOf(lifted); !outcome.Allowed || len(outcome.Lifted) != 1 ||
		outcome.Lifted[0] != (Lifted{Cause: "calendar closed", Reason: "x", Override: "calendar.override", Why: "hotfix"}) {
		t.Errorf("the outcome of a lifted hold is %+v", outcome)
	}
	if causes := Causes(refused(advance.CauseSoak, advance.CauseCriteria)); causes != "soak too short, criteria not met" {
		t.Errorf("causes %s", causes)
	}
}

// Without an image in the configuration the release on trial keeps its own, and the next one is what staging has
// verified.
func TestWithoutAnImageStagingsIsMeant(t *testing.T) {
	for name, tt := range map[string]struct {
		entries []ledger.Entry
		to      int
		want    string
	}{
		"nothing on trial":   {to: 10, want: older},
		"a release on trial": {entries: at(10), to: 30, want: fresh},
	} {
		o, stack := operation(t, map[string]string{"image": "", "staging": `{"required":true}`}, tt.entries...)
		stack.outputs = map[string]any{"verifiedImage": "shop:3@" + older}
		m, err := o.Advance(t.Context(), tt.to)
		if err != nil || m.Target.Canary != tt.want {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}
