package recovery

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const (
	bad  = "sha256:bad0000000000000000000000000"
	good = "sha256:900d000000000000000000000000"
)

func deployment(release, digest string, replicas int32) appsv1.Deployment {
	return appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-" + release, Labels: map[string]string{"version": release}},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "registry/shop@" + digest}}},
		}},
	}
}

// made is a Deployment whose pods say what they are made of.
func made(deployment appsv1.Deployment, identity string) appsv1.Deployment {
	deployment.Spec.Template.Annotations = map[string]string{names.Identity: identity}
	return deployment
}

func TestFind(t *testing.T) {
	atTen := &ledger.State{Weight: 10, Release: "v2", Image: bad}
	entering := &ledger.State{Begun: &ledger.Entry{Release: "v2", Image: bad, To: 10}}
	rolling := &ledger.State{Release: "v2", Image: bad, Unfinished: &ledger.Entry{Release: "v2", Image: bad}}
	out := &ledger.State{Release: "v2", Image: bad}
	tests := []struct {
		name  string
		facts Facts
		want  Canary
		err   string
	}{
		{name: "what the ledger tells of", facts: Facts{Configured: "v3", State: atTen,
			Deployments: []appsv1.Deployment{deployment("v2", bad, 1), deployment("v3", good, 0)}},
			want: Canary{Release: "v2", Image: bad, Weight: 10, Desired: 1}},
		{name: "a shift that was allowed", facts: Facts{State: entering,
			Deployments: []appsv1.Deployment{deployment("v2", bad, 1)}},
			want: Canary{Release: "v2", Image: bad, Desired: 1}},
		{name: "a rollback that was interrupted", facts: Facts{State: rolling,
			Deployments: []appsv1.Deployment{deployment("v2", bad, 0)}},
			want: Canary{Release: "v2", Image: bad}},
		{name: "without a ledger", facts: Facts{Configured: "v2", Deployments: []appsv1.Deployment{deployment("v2", bad, 3)}},
			want: Canary{Release: "v2", Image: bad, Desired: 3}},
		{name: "without a Deployment", facts: Facts{State: atTen}, want: Canary{Release: "v2", Image: bad, Weight: 10}},
		{name: "the image that runs counts, not the one that is noted",
			facts: Facts{State: atTen, Deployments: []appsv1.Deployment{deployment("v2", good, 1)}},
			want:  Canary{Release: "v2", Image: good, Weight: 10, Desired: 1}},
		{name: "brought back by hand", facts: Facts{Configured: "v2", State: out,
			Deployments: []appsv1.Deployment{deployment("v2", bad, 2)}},
			want: Canary{Release: "v2", Image: bad, Desired: 2}},
		{name: "nothing to roll back", facts: Facts{Configured: "v2", State: out,
			Deployments: []appsv1.Deployment{deployment("v2", bad, 0)}},
			want: Canary{Release: "v2", Image: bad, Out: true}},
		{name: "the one that is named", facts: Facts{Wanted: "v3", State: atTen,
			Deployments: []appsv1.Deployment{deployment("v2", bad, 1), deployment("v3", good, 1)}},
			want: Canary{Release: "v3", Image: good, Desired: 1}},
		{name: "one that does not exist", facts: Facts{Wanted: "v9", State: atTen,
			Deployments: []appsv1.Deployment{deployment("v2", bad, 1)}},
			err: `no release "v9"`},
		{name: "pods that say what they are made of", facts: Facts{Configured: "v2", Deployments: []appsv1.Deployment{
			made(deployment("v2", bad, 1), "ab12")}},
			want: Canary{Release: "v2", Image: bad, Desired: 1, Identity: "ab12"}},
		{name: "a sidecar before the service", facts: Facts{Configured: "v2", Deployments: []appsv1.Deployment{{
			ObjectMeta: metav1.ObjectMeta{Name: "shop-v2"},
			Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "proxy@" + good},
					{Name: "shop", Image: "shop@" + bad}}}}},
		}}}, want: Canary{Release: "v2", Image: bad, Desired: 1}},
		{name: "an image by tag", facts: Facts{Configured: "v2", Deployments: []appsv1.Deployment{{
			ObjectMeta: metav1.ObjectMeta{Name: "shop-v2"},
			Spec: appsv1.DeploymentSpec{
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: "shop:2"}}}}},
		}}}, err: "without a digest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.facts.App = "shop"
			got, err := Find(tt.facts)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			tt.want.Deployment, got.Reference = "shop-"+tt.want.Release, ""
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	canary := Canary{Release: "v2", Deployment: "shop-v2", Image: bad}
	older := "sha256:01de70000000000000000000"
	revisions := []kube.Revision{{Number: 1, Image: "shop@" + older}, {Number: 2, Image: "shop@" + good},
		{Number: 4, Image: "shop@" + bad, Present: true}}
	latched := func(digest string) *ledger.State {
		book, err := ledger.Append(t.Context(), &memory{}, func() time.Time { return now },
			func(*ledger.Ledger) ([]ledger.Entry, error) {
				return []ledger.Entry{{Kind: ledger.RollbackBegun, Who: "guard", Image: digest, Reason: "12 of 90 failed"}}, nil
			})
		if err != nil {
			t.Fatal(err)
		}
		state := book.State()
		return &state
	}
	tests := []struct {
		name      string
		option    string
		to        int
		revisions []kube.Revision
		state     *ledger.State
		want      int
		err       []string
	}{
		{name: "scale", option: Scale},
		{name: "delete", option: Delete},
		{name: "the revision before", option: Undo, revisions: revisions, want: 2},
		{name: "a revision by its number", option: Undo, to: 1, revisions: revisions, want: 1},
		{name: "one that is unknown", option: Undo, to: 7, revisions: revisions,
			err: []string{"no revision 7", "1 (shop@" + older, "2 (shop@"}},
		{name: "the present one", option: Undo, to: 4, revisions: revisions, err: []string{"is the present one"}},
		{name: "nothing before", option: Undo, revisions: revisions[2:],
			err: []string{"no revision before", "--option scale"}},
		{name: "no revisions at all", option: Undo, to: 1, err: []string{"no revisions"}},
		{name: "a latched one", option: Undo, revisions: revisions, state: latched(good),
			err: []string{"rolled back itself", "12 of 90 failed", "by guard"}},
		{name: "the present image", option: Undo, revisions: []kube.Revision{{Number: 3, Image: "shop@" + bad}},
			err: []string{"the present image"}},
		{name: "a revision for scale", option: Scale, to: 2, err: []string{"--to-revision 2", "undo"}},
		{name: "an unknown option", option: "restart", err: []string{"scale, delete, undo"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			choice, err := Choose(tt.option, tt.to, canary, tt.revisions, tt.state)
			if tt.err == nil {
				if err != nil || choice.Option != tt.option || choice.Revision.Number != tt.want {
					t.Errorf("chose %+v: %v", choice, err)
				}
				return
			}
			for _, word := range tt.err {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%v does not name %q", err, word)
				}
			}
		})
	}
}

// memory is a ledger's store.
type memory struct{ data map[string]string }

func (m *memory) Load(context.Context) (data map[string]string, version string, err error) {
	return m.data, "1", nil
}

func (m *memory) Save(_ context.Context, data map[string]string, _ string) error {
	m.data = data
	return nil
}

// hands notes what the options do.
type hands struct{ did []string }

func (h *hands) DeleteDeployment(_ context.Context, namespace, name string) error {
	h.did = append(h.did, "delete "+namespace+"/"+name)
	return nil
}

func (h *hands) UndoTo(_ context.Context, namespace, name string, revision kube.Revision) error {
	h.did = append(h.did, "undo "+namespace+"/"+name+" to "+revision.Image)
	return nil
}

func TestWhatTheOptionsDo(t *testing.T) {
	revision := kube.Revision{Number: 2, Image: "shop@" + good}
	for option, want := range map[string]struct {
		did, kubectl string
		config       map[string]string
	}{
		Scale: {"", "kubectl scale deployment shop-v2 -n shop --replicas=0", map[string]string{"canaryWeight": "0"}},
		Delete: {"delete shop/shop-v2", "kubectl delete deployment shop-v2 -n shop",
			map[string]string{"canaryWeight": "0", "image": ""}},
		Undo: {"undo shop/shop-v2 to shop@" + good, "kubectl rollout undo deployment/shop-v2 -n shop --to-revision=2",
			map[string]string{"canaryWeight": "0", "image": "shop@" + good}},
	} {
		choice, did := Choice{Option: option, Revision: revision}, &hands{}
		options := rollback.Options{Namespace: "shop", Deployment: "shop-v2"}
		choice.Apply(&options, did)
		if options.Remove != nil {
			if _, err := options.Remove(t.Context()); err != nil || options.RemoveName == "" {
				t.Errorf("%s: %v, called %q", option, err, options.RemoveName)
			}
		}
		if got := strings.Join(did.did, ", "); got != want.did {
			t.Errorf("%s did %q, want %q", option, got, want.did)
		}
		if got := choice.Kubectl("shop", "shop-v2"); got != want.kubectl {
			t.Errorf("%s is %q by hand", option, got)
		}
		if diff := cmp.Diff(want.config, choice.Config(false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", option, diff)
		}
		if diff := cmp.Diff(map[string]string{"canaryWeight": "0"}, choice.Config(true)); diff != "" {
			t.Errorf("%s of a built image (-want +got):\n%s", option, diff)
		}
	}
}

func done(names ...string) rollback.Outcome {
	outcome := rollback.Outcome{Reason: "customers report wrong totals", Evidence: "shop-evidence-20260302-090000"}
	for _, name := range names {
		outcome.Steps = append(outcome.Steps, rollback.Step{Name: name, Done: "done", Took: 100 * time.Millisecond})
	}
	return outcome
}

func verdict(v gate.Verdict) func(context.Context) gate.Evaluation {
	return func(context.Context) gate.Evaluation {
		return gate.Evaluation{Start: now, End: now.Add(time.Minute),
			Results: []gate.Result{{Name: "error rate", Verdict: v, Reason: "0 of 900 requests failed"}}}
	}
}

// whole is a rollback after which everything works.
func whole() (Request, rollback.Outcome, FollowUp) {
	clock := now
	request := Request{Stack: "production", Namespace: "shop", Who: "anna",
		Choice: Choice{Option: Undo, Revision: kube.Revision{Number: 2, Image: "shop@" + good}},
		Canary: Canary{Release: "v2", Deployment: "shop-v2", Image: bad, Weight: 10, Desired: 1}}
	return request, done("note the intent", "isolate", "restore stable", "evidence", "undo canary", "record"), FollowUp{
		Settle: func(context.Context) error { return nil },
		Smoke: func(context.Context) (string, gate.Verdict, error) {
			return "Total Tests: 12\nPassed: 12\nFailed: 0\n", gate.Pass, nil
		},
		Watch: verdict(gate.Pass),
		Events: func(context.Context) ([]string, error) {
			return []string{"09:00:01 Normal Killing Pod/shop-v2-x: stopped"}, nil
		},
		Progress: func(string) {},
		Now:      func() time.Time { clock = clock.Add(time.Second); return clock },
	}
}

func TestRunAndItsReport(t *testing.T) {
	broken := errors.New("the state cannot be reached")
	tests := []struct {
		name    string
		change  func(*rollback.Outcome, *FollowUp)
		verdict gate.Verdict
		left    []string
	}{
		{"whole", func(*rollback.Outcome, *FollowUp) {}, gate.Pass, nil},
		{"pulumi is away", func(_ *rollback.Outcome,
			a *FollowUp) {
			a.Settle = func(context.Context) error { return broken }
		}, gate.Fail,
			[]string{"pulumi config set canaryWeight 0 -s production", "pulumi config set image shop@" + good,
				"pulumi up --refresh -s production (because: the state cannot be reached)"}},
		{"prometheus is away", func(_ *rollback.Outcome, a *FollowUp) { a.Watch = verdict(gate.Error) },
			gate.Inconclusive, []string{"rollout status --watch"}},
		{"no requests to watch", func(_ *rollback.Outcome, a *FollowUp) { a.Watch = verdict(gate.Inconclusive) },
			gate.Pass, nil},
		{"stable is bad too", func(_ *rollback.Outcome, a *FollowUp) { a.Watch = verdict(gate.Fail) }, gate.Fail,
			[]string{"rollout diagnose"}},
		{"the suite fails on stable", func(_ *rollback.Outcome, a *FollowUp) {
			a.Smoke = func(context.Context) (string, gate.Verdict, error) { return "Failed: 1", gate.Fail, nil }
		}, gate.Fail, []string{"fails the smoke suite too"}},
		{"the suite cannot be run", func(_ *rollback.Outcome, a *FollowUp) {
			a.Smoke = func(context.Context) (string, gate.Verdict, error) { return "", gate.Error, broken }
		}, gate.Inconclusive, []string{"rollout smoke -s production"}},
		{"a step failed", func(o *rollback.Outcome, _ *FollowUp) { o.Steps[3].Err = broken }, gate.Fail,
			[]string{"rollout rollback -s production --yes"}},
		{"endpoints may be left", func(o *rollback.Outcome, _ *FollowUp) { o.Steps[1].Err = broken }, gate.Fail,
			[]string{"rollout rollback -s production --yes"}},
		{"nothing follows", func(_ *rollback.Outcome, a *FollowUp) {
			a.Settle, a.Smoke, a.Watch, a.Events = nil, nil, nil,
				nil
		}, gate.Pass, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request, outcome, after := whole()
			tt.change(&outcome, &after)
			report := Run(t.Context(), request, func(context.Context) rollback.Outcome { return outcome }, after)
			if report.Verdict() != tt.verdict {
				t.Errorf("verdict %s", report.Verdict())
			}
			text, document := report.Summary(), report.Markdown()
			for _, word := range tt.left {
				if !strings.Contains(text, word) || !strings.Contains(document, word) {
					t.Errorf("what is left does not name %q:\n%s", word, text)
				}
			}
			if tt.left == nil && len(report.Left) > 0 {
				t.Errorf("left without need: %q", report.Left)
			}
			if out := strings.Contains(text, "is out of traffic after 200ms"); out != (outcome.Steps[1].Err == nil) {
				t.Errorf("the summary says:\n%s", text)
			}
			if tt.name == "whole" || tt.name == "pulumi is away" {
				golden.Compare(t, strings.ReplaceAll(tt.name, " ", "-")+".md", document)
			}
		})
	}
}

func TestAnInterruptedRequestIsCarriedThrough(t *testing.T) {
	request, outcome, after := whole()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	after.Watch = func(context.Context) gate.Evaluation { t.Error("the watch begins"); return gate.Evaluation{} }
	after.Settle = func(ctx context.Context) error { return ctx.Err() }
	report := Run(ctx, request, func(ctx context.Context) rollback.Outcome {
		if ctx.Err() != nil {
			t.Error("the rollback itself is interrupted")
		}
		return outcome
	}, after)
	if !report.OutOfTraffic || len(report.Left) < 3 || report.Verdict() != gate.Fail {
		t.Errorf("%s: %s", report.Verdict(), report.Summary())
	}
}
