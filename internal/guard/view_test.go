package guard

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// viewed is a view of a canary in traffic and of a stable track, and its configuration.
func viewed(t *testing.T) (*view, *world, Config) {
	t.Helper()
	w := newWorld(t, 2, 1)
	for _, p := range w.pods {
		p.Status.Phase = corev1.PodRunning
	}
	config := Config{Release: "v2", ErrorRate: 0.01, SlowShare: 0.05, Latency: 500e6, Alpha: DefaultAlpha}
	config.Spec.Namespace, config.Spec.App, config.Spec.Metrics = space, "finance", gate.DefaultMetrics()
	v := newView(Config{})
	v.update(w, config, born)
	v.listed = true
	return &v, w, config
}

func TestEvidenceBeginsAnewForAnotherCanary(t *testing.T) {
	v, w, config := viewed(t)
	var before *tracker
	for _, step := range []struct {
		name   string
		change func()
		weight int
		begins bool
	}{
		{"the first look, before the ledger is read", nil, unknownWeight, true},
		{"the ledger is read", nil, 10, false},
		{"nothing changes", nil, 10, false},
		{"another weight", nil, 30, true},
		{"another configuration", func() {
			v.pods.Deployment.Spec.Template.Annotations = map[string]string{names.Identity: "b"}
		}, 30, true},
		{"another image", func() { v.pods.Deployment.Spec.Template.Spec.Containers[0].Image = "finance@sha256:2222" },
			30, true},
	} {
		if step.change != nil {
			step.change()
		}
		if got := v.follow(config, step.weight, born); got != step.begins || (v.tracker != before) != step.begins {
			t.Errorf("%s: begins %v", step.name, got)
		}
		before = v.tracker
	}
	w.mu.Lock()
	w.pods["finance-v2-0"].Labels[names.Traffic] = names.Isolated
	w.mu.Unlock()
	v.update(w, config, born.Add(time.Minute))
	if v.follow(config, 30, born.Add(time.Minute)) || v.tracker != nil || v.subject != (subject{}) {
		t.Error("the evidence on a canary out of traffic is kept")
	}
}

// An image whose weight is not known yet is another canary all the same.
func TestEvidenceIsNotCarriedOverToAnotherImage(t *testing.T) {
	v, _, config := viewed(t)
	v.follow(config, unknownWeight, born)
	v.pods.Deployment.Spec.Template.Spec.Containers[0].Image = "finance@sha256:2222"
	if !v.follow(config, unknownWeight, born) {
		t.Error("the evidence on the image before is kept")
	}
}

func TestPodsThatAppearDuringTheWatchAreYoung(t *testing.T) {
	v, w, config := viewed(t)
	if len(v.young) != 0 {
		t.Errorf("%v are young at the first list", v.young)
	}
	w.add("finance-v2-9", names.Canary)
	w.pods["finance-v2-9"].Status.Phase = corev1.PodPending
	v.update(w, config, born)
	v.outgrow()
	uid := string(w.pods["finance-v2-9"].UID)
	if len(v.young) != 1 || !v.young[uid] {
		t.Errorf("young are %v, want %s", v.young, uid)
	}
	w.pods["finance-v2-9"].Status.Phase = corev1.PodRunning
	v.update(w, config, born)
	if v.outgrow(); len(v.young) != 0 {
		t.Errorf("%v stay young", v.young)
	}
	delete(w.pods, "finance-v2-9")
	if v.update(w, config, born); len(v.pods.WasReady) != 3 {
		t.Errorf("%d pods are remembered, want 3", len(v.pods.WasReady))
	}
}

func TestWhichPodsAreScraped(t *testing.T) {
	canaryAlone := func(w *world) { delete(w.pods, "finance-stable-0"); delete(w.pods, "finance-stable-1") }
	canary := func(change func(*corev1.Pod)) func(*world) {
		return func(w *world) { change(w.pods["finance-v2-0"]) }
	}
	for _, tt := range []struct {
		name           string
		change         func(*world)
		watches        bool
		canary, stable int
	}{
		{name: "both tracks", canary: 1, stable: 2},
		{name: "a canary alone", change: canaryAlone, canary: 1},
		{name: "no canary in traffic", change: canary(func(p *corev1.Pod) { p.Labels[names.Traffic] = names.Isolated })},
		{name: "stable is watched after a rollback",
			change:  canary(func(p *corev1.Pod) { p.Labels[names.Traffic] = names.Isolated }),
			watches: true, stable: 2},
		{name: "a canary pod of another image", change: canary(func(p *corev1.Pod) {
			p.Spec.Containers[1].Image = "finance@sha256:2222"
		})},
		{name: "a canary pod of another configuration", change: canary(func(p *corev1.Pod) {
			p.Annotations = map[string]string{names.Identity: "another"}
		})},
		{name: "a canary pod without an address", change: canary(func(p *corev1.Pod) { p.Status.PodIP = "" })},
		{name: "a canary pod that does not run", change: canary(func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending })},
		{name: "a canary pod that is being deleted", change: canary(leaves)},
	} {
		v, w, config := viewed(t)
		if tt.change != nil {
			tt.change(w)
		}
		v.update(w, config, born)
		tracks := map[string]int{}
		for _, track := range v.toScrape(tt.watches) {
			tracks[track]++
		}
		if tracks[names.Canary] != tt.canary || tracks[names.Stable] != tt.stable {
			t.Errorf("%s: %v", tt.name, tracks)
		}
	}
}
