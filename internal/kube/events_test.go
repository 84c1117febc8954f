package kube

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestEventTexts(t *testing.T) {
	event := func(name, object, reason string, minute int) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Type: "Warning", Reason: reason, Message: "told",
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: object},
			LastTimestamp:  metav1.Time{Time: time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC)},
		}
	}
	client := &Client{clientset: fake.NewClientset(
		event("1", "finance-v2-abc", "BackOff", 5), event("2", "finance-v2-abc", "Failed", 3),
		event("3", "finance-stable-x", "Killing", 1),
	)}
	lines, err := client.EventTexts(t.Context(), "shop", "finance-v2")
	if err != nil || len(lines) != 2 || !strings.Contains(lines[0], "Failed") ||
		!strings.Contains(lines[1], "09:05:00 Warning BackOff Pod/finance-v2-abc: told") {
		t.Errorf("%q, %v", lines, err)
	}
}

func TestEventsInOrderOfTime(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 2, 9, minute, 0, 0, time.UTC) }
	event := func(name string, change func(*corev1.Event)) *corev1.Event {
		e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name,
			CreationTimestamp: metav1.NewTime(at(0))}}
		change(e)
		return e
	}
	client := &Client{clientset: fake.NewClientset(
		event("last", func(e *corev1.Event) { e.LastTimestamp = metav1.NewTime(at(3)) }),
		event("series", func(e *corev1.Event) {
			e.EventTime, e.Series = metav1.NewMicroTime(at(1)), &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(4))}
		}),
		event("once", func(e *corev1.Event) { e.EventTime = metav1.NewMicroTime(at(2)) }),
		event("created", func(*corev1.Event) {}),
	)}
	events, err := client.Events(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range events {
		names = append(names, e.Name)
	}
	if want := []string{"created", "once", "last", "series"}; !cmp.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestAnnounce(t *testing.T) {
	client := &Client{clientset: fake.NewClientset()}
	if err := client.Announce(t.Context(), "shop", "finance-v2", Warning, "CanaryRolledBack",
		"33 of 90 requests failed"); err != nil {
		t.Fatal(err)
	}
	events, err := client.clientset.CoreV1().Events("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 1 {
		t.Fatalf("%d events, %v", len(events.Items), err)
	}
	event := events.Items[0]
	if event.Type != Warning || event.Reason != "CanaryRolledBack" || event.InvolvedObject.Name != "finance-v2" ||
		event.Message != "33 of 90 requests failed" {
		t.Errorf("%+v", event)
	}
}
