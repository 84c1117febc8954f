package soak

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
)

// The gate's crash loop is the guard's: an init container that fails again and again counts too.
func TestPodStates(t *testing.T) {
	looping := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	pods := []corev1.Pod{
		{ObjectMeta: metav1.ObjectMeta{Name: "healthy"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "restarted"}, Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2}, {RestartCount: 1}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "looping"}, Status: corev1.PodStatus{
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 4, State: looping}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "never started"}, Status: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{RestartCount: 4, State: looping}}}},
	}
	want := []gate.PodState{
		{Name: "healthy"}, {Name: "restarted", Restarts: 3}, {Name: "looping", Restarts: 4, CrashLoop: true},
		{Name: "never started", CrashLoop: true},
	}
	if diff := cmp.Diff(want, podStates(pods)); diff != "" {
		t.Errorf("states (-want +got)\n%s", diff)
	}
}

// A canary in quarantine does not advance, and its soak is not extended for it.
func TestAQuarantineHoldsTheSoak(t *testing.T) {
	if got := quarantined(ledger.State{}); got != nil {
		t.Errorf("%+v", got)
	}
	since := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	until := since.Add(time.Minute)
	got := quarantined(ledger.State{Quarantine: &ledger.Entry{Time: since, Until: &until, Reason: "7 of 20 failed"}})
	want := []gate.Result{{Name: "quarantine", Verdict: gate.Error, Reason: "the canary is out of traffic since " +
		"2026-03-02T09:00:00Z (7 of 20 failed); look again after 2026-03-02T09:01:00Z"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
