package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

const (
	canaryDigest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	stableDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	password     = "correct-horse-battery-staple"
)

// fakeStack records what it is settled at.
type fakeStack struct {
	settled  map[string]string
	settings *settings.Settings
	err      error
}

func (f *fakeStack) Settle(_ context.Context, values map[string]string, _ io.Writer) error {
	f.settled = values
	return f.err
}

func (f *fakeStack) WithSecrets(context.Context) (*settings.Settings, error) {
	return f.settings, f.err
}

func production(t *testing.T, changes map[string]string) *settings.Settings {
	t.Helper()
	s, err := settings.Load("production", testkit.Config{
		"app": "shop", "namespace": "shop", "release": "v2", "image": "shop@" + canaryDigest, "week": "1",
		"stableImage": "shop@" + stableDigest, "serviceName": "shop", "prometheus": "http://127.0.0.1:1", "replicas": "10",
		"secretEnv": `{"PASSWORD":"db/password"}`, "secrets": `{"db":{"password":"` + password + `"}}`,
		"smoke": `{"tokenFrom":"","originFrom":""}`,
	}.With(changes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// atTen is an operation on a rollout at 10 %: ten pods, one of them the canary's.
func atTen(t *testing.T) (*Operation, *fakeStack, *cluster.Cluster) {
	t.Helper()
	s := production(t, nil)
	track := func(track, version string) map[string]string {
		return map[string]string{"app": "shop", "track": track, "version": version, "traffic": "enabled"}
	}
	c := cluster.New(t,
		cluster.Service("shop", "shop", map[string]string{"app": "shop", "traffic": "enabled"}),
		cluster.Deployment("shop", "shop-stable", "shop@"+stableDigest, 9, track("stable", "stable")),
		cluster.Deployment("shop", "shop-v2", "shop@"+canaryDigest, 1, track("canary", "v2")),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-release"},
			Data: map[string]string{"image": "shop@" + canaryDigest, "weight": "10"}},
	)
	stack := &fakeStack{settings: s}
	o := &Operation{
		Rollout: rollout.New(s, c.Client, nil, func(string) string { return "" }), Cluster: c.Client, Stack: stack,
		StackName: "production", Output: io.Discard, Progress: func(string) {},
	}
	begun := ledger.Entry{Kind: ledger.ShiftBegun, Release: "v2", Image: canaryDigest, Stable: stableDigest, To: 10}
	reached := begun
	reached.Kind = ledger.ShiftReached
	if _, err := ledger.Write(t.Context(), o.Rollout.Ledger(), time.Now, begun, reached); err != nil {
		t.Fatal(err)
	}
	return o, stack, c
}

func TestARollbackTakesTheCanaryOutAndTheStackFollows(t *testing.T) {
	o, stack, c := atTen(t)
	pods, err := c.DeploymentPods(t.Context(), "shop", "shop-v2")
	if err != nil || len(pods) != 1 {
		t.Fatalf("%d pods: %v", len(pods), err)
	}
	c.Log("shop", pods[0].Name, false, "connect with "+password+"\n")
	var progress []string
	o.Progress = func(text string) { progress = append(progress, text) }
	plan, err := o.Prepare(t.Context(), Selection{Option: Scale})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Nothing || plan.Canary.Release != "v2" || plan.Canary.Weight != 10 {
		t.Fatalf("plan %+v", plan)
	}
	question := o.Question(plan, "the cluster")
	for _, part := range []string{"shop v2 has 10 % of the requests and 1 pods", "the cluster", canaryDigest,
		"kubectl scale deployment shop-v2 -n shop --replicas=0"} {
		if !strings.Contains(question, part) {
			t.Errorf("%q is not in the question:\n%s", part, question)
		}
	}
	report := o.Run(t.Context(), plan, "wrong totals", 0)
	if !report.OutOfTraffic || !report.Settled {
		t.Errorf("report:\n%s", report.Summary())
	}
	if diff := cmp.Diff(map[string]string{"canaryWeight": "0"}, stack.settled); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	history, err := ledger.Read(t.Context(), o.Rollout.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	if _, latched := history.State().Latch(canaryDigest); !latched || history.State().Weight != 0 {
		t.Errorf("state %+v", history.State())
	}
	for name, want := range map[string]int{"shop-stable": 10, "shop-v2": 0} {
		if got, err := c.Replicas(t.Context(), "shop", name); err != nil || got != want {
			t.Errorf("%s has %d pods, want %d: %v", name, got, want, err)
		}
	}
	archives, err := c.Evidence(t.Context(), "shop", "shop")
	if err != nil || len(archives) != 1 {
		t.Fatalf("%d pieces of evidence: %v", len(archives), err)
	}
	evidence, err := rollback.Unpack(archives[0].Archive)
	if log := fmt.Sprint(evidence.Pods); err != nil || !strings.Contains(log, "connect with") ||
		strings.Contains(log, password) {
		t.Errorf("logs %s: %v", log, err)
	}
	if !slices.ContainsFunc(progress, func(text string) bool { return strings.Contains(text, "wrong totals") }) {
		t.Errorf("progress %q", progress)
	}
	// The same selection again finds the work done: the record of the update is what says so.
	record, version, err := c.ConfigMap(t.Context(), "shop", "shop-release")
	if err != nil {
		t.Fatal(err)
	}
	record["weight"] = "0"
	if err := c.SwapConfigMap(t.Context(), "shop", "shop-release", record, version); err != nil {
		t.Fatal(err)
	}
	o.Rollout = o.Rollout.With(production(t, map[string]string{"canaryWeight": "0"}))
	if plan, err := o.Prepare(t.Context(), Selection{Option: Scale}); err != nil || !plan.Nothing {
		t.Errorf("plan %+v: %v", plan, err)
	}
}

func TestARollbackNeedsNeitherStackNorLedger(t *testing.T) {
	o, stack, c := atTen(t)
	stack.err = errors.New("no passphrase")
	mend := c.Fail("get", "configmaps", errors.New("configmaps may not be read"))
	if _, err := o.Prepare(t.Context(), Selection{Option: Scale}); err == nil {
		t.Error("a rollback begins without the release record")
	}
	mend()
	ledgerText, version, err := c.ConfigMap(t.Context(), "shop", "shop-ledger")
	if err != nil {
		t.Fatal(err)
	}
	ledgerText["history"] = "{}\n"
	if err := c.SwapConfigMap(t.Context(), "shop", "shop-ledger", ledgerText, version); err != nil {
		t.Fatal(err)
	}
	var warned bool
	o.Progress = func(text string) { warned = warned || strings.HasPrefix(text, "warning: ") }
	plan, err := o.Prepare(t.Context(), Selection{Option: Scale})
	if err != nil || !warned || plan.Canary.Release != "v2" {
		t.Fatalf("plan %+v, warned %t: %v", plan, warned, err)
	}
	report := o.Run(t.Context(), plan, "wrong totals", 0)
	if !report.OutOfTraffic || report.Settled || report.Verdict() != gate.Fail {
		t.Errorf("report:\n%s", report.Summary())
	}
	for _, part := range []string{"pulumi config set canaryWeight 0 -s production", "pulumi up --refresh -s production",
		"rollout smoke -s production", "no passphrase"} {
		if !strings.Contains(report.Summary(), part) {
			t.Errorf("%q is not left to do:\n%s", part, report.Summary())
		}
	}
}

func TestASelectionThatDoesNotFitIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		selection Selection
		want      []string
	}{
		"no such release":      {Selection{Release: "v9", Option: Scale}, []string{`no release "v9"`, "v2"}},
		"no such option":       {Selection{Option: "pause"}, []string{`"pause"`, "scale, delete, undo"}},
		"a revision to scale":  {Selection{Option: Scale, ToRevision: 2}, []string{"--to-revision 2", "undo"}},
		"no revision to go to": {Selection{Option: Undo}, []string{"no revision before"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, stack, _ := atTen(t)
			_, err := o.Prepare(t.Context(), tt.selection)
			if _, ok := errors.AsType[*SelectionError](err); !ok {
				t.Errorf("%T", err)
			}
			testkit.WantError(t, err, tt.want...)
			if stack.settled != nil {
				t.Error("the stack was changed")
			}
		})
	}
}

func TestTheSuiteOfTheUpdateIsNotRepeated(t *testing.T) {
	o, _, c := atTen(t)
	began := time.Now()
	var asked atomic.Int64
	c.HandlePod("shop", "shop-stable", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	record := func(at time.Time) {
		t.Helper()
		if err := c.Record(t.Context(), "shop", "shop-verification", map[string]string{"track": "stable",
			"time": at.UTC().Format(time.RFC3339), "smoke": "Passed: 12", "verdict": "pass"}); err != nil {
			t.Fatal(err)
		}
	}
	o.secrets = fetchSecrets(t.Context(), o.Stack)
	record(began)
	text, verdict, err := o.smokeStable(t.Context(), began)
	if err != nil || verdict != gate.Pass || text != "(by pulumi up)\nPassed: 12" || asked.Load() > 0 {
		t.Errorf("%s after %d requests, %q: %v", verdict, asked.Load(), text, err)
	}
	record(began.Add(-time.Hour))
	if text, verdict, err = o.smokeStable(t.Context(), began); err != nil || verdict != gate.Fail ||
		asked.Load() == 0 {
		t.Errorf("%s after %d requests, %q: %v", verdict, asked.Load(), text, err)
	}
}

func TestAWatchWithoutPrometheusIsAnError(t *testing.T) {
	o, _, _ := atTen(t)
	var progress []string
	o.Progress = func(text string) { progress = append(progress, text) }
	evaluation := o.watchStable(t.Context(), 20*time.Millisecond)
	if evaluation.Verdict() != gate.Error || len(progress) == 0 || !strings.Contains(progress[0], "error; ") {
		t.Errorf("%s, progress %q", evaluation.Verdict(), progress)
	}
}

func TestEventsOfBothTracksAreInOrder(t *testing.T) {
	o, _, c := atTen(t)
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i, name := range []string{"shop-stable-1", "shop-v2-1", "shop-stable-2", "guard-1"} {
		c.Add(&corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: "shop", Name: name + "-event"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: name}, Reason: "Killing", Type: "Normal",
			LastTimestamp: metav1.NewTime(at.Add(-time.Duration(i) * time.Minute)),
		})
	}
	events, err := o.events(t.Context(), "shop-v2")
	if err != nil || len(events) != 3 || !strings.Contains(events[0], "shop-stable-2") ||
		!strings.Contains(events[1], "shop-v2-1") || !strings.Contains(events[2], "shop-stable-1") {
		t.Errorf("events %q: %v", events, err)
	}
}

func TestSecretsThatDoNotArriveAreNotWaitedFor(t *testing.T) {
	pending := &pendingSecrets{done: make(chan struct{})}
	if secrets := pending.revealed(); secrets != nil {
		t.Errorf("%d secrets of nobody", len(secrets))
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if _, err := pending.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
