package kube

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestLastSuccess(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "n", Name: name} }
	client := &Client{clientset: fake.NewClientset(
		&batchv1.CronJob{ObjectMeta: meta("cron"), Status: batchv1.CronJobStatus{LastSuccessfulTime: &at}},
		&batchv1.CronJob{ObjectMeta: meta("new")},
		&batchv1.Job{ObjectMeta: meta("job"), Status: batchv1.JobStatus{CompletionTime: &at,
			Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}}},
		&batchv1.Job{ObjectMeta: meta("failed"),
			Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed,
				Status: corev1.ConditionTrue}}}},
	)}
	for name, want := range map[string]struct {
		at     time.Time
		exists bool
	}{"cron": {at.Time, true}, "new": {time.Time{}, true}, "job": {at.Time, true}, "failed": {time.Time{}, true},
		"absent": {time.Time{}, false}} {
		got, exists, err := client.LastSuccess(t.Context(), "n", name)
		if err != nil || exists != want.exists || !got.Equal(want.at) {
			t.Errorf("%s: %v, %v, %v", name, got, exists, err)
		}
	}
}
