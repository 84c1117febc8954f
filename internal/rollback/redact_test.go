package rollback

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/redact"
)

func packed(t *testing.T, e Evidence, secrets ...string) Evidence {
	t.Helper()
	redactor := redact.New(secrets)
	var members [][]byte
	for _, pod := range e.Pods {
		member, lack, err := packPod(pod, archiveBytes, redactor)
		if err != nil {
			t.Fatal(err)
		}
		if members = append(members, member); lack != "" {
			e.Missing = append(e.Missing, lack)
		}
	}
	archive, err := e.pack(members, redactor)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := Unpack(archive)
	if err != nil {
		t.Fatal(err)
	}
	return unpacked
}

// podWith is a pod whose container ended with a message.
func podWith(message string) PodEvidence {
	ended := &corev1.ContainerStateTerminated{ExitCode: 3, Message: message,
		StartedAt: metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	return PodEvidence{Name: "pod-a", Labels: map[string]string{"token": "hunter22"}, Status: corev1.PodStatus{
		ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Terminated: ended}}},
	}, Logs: map[string]string{"app": "{\"msg\":\"{\\\"password\\\":\\\"hunter22\\\"}\"}"}}
}

func TestEveryFieldOfTheEvidenceIsRedacted(t *testing.T) {
	const dsn = "redis://:hunter22@redis:6379"
	got := packed(t, Evidence{Reason: dsn, Numbers: map[string]string{"query": dsn}, Events: []string{dsn},
		Missing: []string{dsn},
		Pods:    []PodEvidence{podWith("panic: " + dsn)}})
	message := got.Pods[0].Status.ContainerStatuses[0].State.Terminated.Message
	for name, text := range map[string]string{"reason": got.Reason, "numbers": got.Numbers["query"],
		"event":   got.Events[0],
		"missing": got.Missing[0], "termination message": message, "label": got.Pods[0].Labels["token"],
		"log": got.Pods[0].Logs["app"]} {
		if strings.Contains(text, "hunter22") || !strings.Contains(text, redact.Mark) {
			t.Errorf("%s: %q", name, text)
		}
	}
	if got.Pods[0].Status.ContainerStatuses[0].State.Terminated.ExitCode != 3 {
		t.Error("the state of the pod is lost")
	}
}

func TestASecretThatReadsLikeATimeCostsNoEvidence(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	got := packed(t, Evidence{Time: at, Reason: "bad", Pods: []PodEvidence{podWith("exit")}}, "2026")
	if !got.Time.Equal(at) || got.Reason != "bad" || len(got.Pods) != 1 || got.Pods[0].Logs["app"] == "" {
		t.Errorf("the evidence is %+v", got)
	}
	if len(got.Missing) != 1 || !strings.Contains(got.Missing[0], "state of pod pod-a") {
		t.Errorf("missing: %q", got.Missing)
	}
}
