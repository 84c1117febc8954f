package rollback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// world is a cluster in memory: pods with labels, a Service that sends requests to those with traffic=enabled, two
// Deployments.
type world struct {
	pods   map[string]map[string]string
	scaled map[string]int
	// live is how many stable pods the cluster asks for.
	live     int
	log      string
	evidence []byte
	ledger   []string
	calls    []string
	// failing makes the call of that name fail, once or always.
	failing string
	always  bool
}

var errTest = errors.New("refused by the test")

func (w *world) call(name string) error {
	w.calls = append(w.calls, name)
	if w.failing != name {
		return nil
	}
	if !w.always {
		w.failing = ""
	}
	return errTest
}

func (w *world) AllPods(_ context.Context, _ string, labels map[string]string) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	for name, labelled := range w.pods {
		if labelled["track"] == labels["track"] {
			pods = append(pods, corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labelled},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "vextrus/finance@sha256:11"}}},
				Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", RestartCount: 1}}},
			})
		}
	}
	return pods, nil
}

func (w *world) LabelPods(_ context.Context, _ string, selector map[string]string, key, value string) ([]string,
	error) {
	if err := w.call("label"); err != nil {
		return nil, err
	}
	var changed []string
	for name, labels := range w.pods {
		if labels["track"] == selector["track"] && labels[key] != value {
			labels[key] = value
			changed = append(changed, name)
		}
	}
	return changed, nil
}

func (w *world) Endpoints(context.Context, string, string) ([]string, error) {
	if err := w.call("endpoints"); err != nil {
		return nil, err
	}
	var names []string
	for name, labels := range w.pods {
		if labels["traffic"] == "enabled" {
			names = append(names, name)
		}
	}
	return names, nil
}

func (w *world) Scale(_ context.Context, _, deployment string, replicas int) error {
	if err := w.call("scale " + deployment); err != nil {
		return err
	}
	w.scaled[deployment] = replicas
	if replicas == 0 {
		for name, labels := range w.pods {
			if labels["track"] == "canary" {
				delete(w.pods, name)
			}
		}
	}
	return nil
}

func (w *world) Replicas(context.Context, string, string) (int, error) {
	return w.live, w.call("replicas")
}

func (w *world) WaitDeploymentReady(context.Context, string, string, int) error {
	return w.call("wait")
}

func (w *world) Logs(_ context.Context, _, _, _ string, previous bool, _ int64) (string, error) {
	if err := w.call("logs"); err != nil {
		return "", err
	}
	return fmt.Sprintf("previous %v: %s", previous, w.log), nil
}

func (w *world) EventTexts(context.Context, string, string) ([]string, error) {
	return []string{"Warning BackOff"}, w.call("events")
}

func (w *world) SaveEvidence(_ context.Context, _, _, _ string, archive []byte, _ int) error {
	if err := w.call("save"); err != nil {
		return err
	}
	w.evidence = archive
	return nil
}

func (w *world) Begin(context.Context, string) error {
	if err := w.call("begin"); err != nil {
		return err
	}
	w.ledger = append(w.ledger, "begun")
	return nil
}

func (w *world) Finish(context.Context, Outcome) error {
	if err := w.call("finish"); err != nil {
		return err
	}
	w.ledger = append(w.ledger, "finished")
	return nil
}

func newWorld() *world {
	w := &world{pods: map[string]map[string]string{}, scaled: map[string]int{}, log: "ready"}
	for i := range 7 {
		w.pods[fmt.Sprintf("stable-%d", i)] = map[string]string{"track": "stable", "traffic": "enabled"}
	}
	for i := range 3 {
		w.pods[fmt.Sprintf("canary-%d", i)] = map[string]string{"track": "canary", "traffic": "enabled"}
	}
	return w
}

func options() Options {
	return Options{
		Namespace: "shop", App: "finance", Service: "finance", Canary: map[string]string{"app": "finance", "track": "canary"},
		Deployment: "finance-v2", StableDeployment: "finance-stable", Capacity: 10, LabelKey: "traffic",
		LabelValue: "isolated",
		Reason:     "33 of 90 requests failed", Numbers: map[string]string{"bake": "33 of 90"},
		Secrets: []string{"s3cr3t-value"},
		Now:     func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) },
	}
}

// expectOut checks that no canary pod gets requests and that stable can take them all.
func (w *world) expectOut(t *testing.T) {
	t.Helper()
	endpoints, err := w.Endpoints(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range endpoints {
		if strings.HasPrefix(name, "canary") {
			t.Errorf("%s still gets requests", name)
		}
	}
	if replicas, ok := w.scaled["finance-v2"]; !ok || replicas != 0 || w.scaled["finance-stable"] != 10 {
		t.Errorf("scaled %v", w.scaled)
	}
	if !slices.Contains(w.ledger, "begun") || !slices.Contains(w.ledger, "finished") {
		t.Errorf("the ledger holds %v", w.ledger)
	}
}

func TestRunInOrder(t *testing.T) {
	w := newWorld()
	outcome := Run(t.Context(), w, w, options())
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{"begin", "label", "endpoints", "replicas", "scale finance-stable", "wait", "logs", "logs", "logs",
		"logs", "logs",
		"logs", "events", "save", "scale finance-v2", "finish"}
	if !slices.Equal(w.calls, want) {
		t.Errorf("called %v, want %v", w.calls, want)
	}
	w.expectOut(t)
	for _, word := range []string{"33 of 90", "3 pods, no endpoint is left", "finance-evidence-20260302-090000"} {
		if !strings.Contains(outcome.String(), word) {
			t.Errorf("the outcome does not tell %q:\n%s", word, outcome)
		}
	}
}

// Whatever fails once, a second run completes the rollback, and the first one does all that it can.
func TestEveryStepMayFailAndTheNextRunCompletes(t *testing.T) {
	for _, step := range []string{"begin", "scale finance-stable", "wait", "logs", "events", "save", "scale finance-v2",
		"finish"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld()
			w.failing = step
			if step == "logs" {
				w.always = true
			}
			outcome := Run(t.Context(), w, w, options())
			if !errors.Is(outcome.Err(), errTest) && !strings.Contains(fmt.Sprint(outcome.Err()), errTest.Error()) {
				t.Errorf("the failure is not reported: %v", outcome.Err())
			}
			for name, labels := range w.pods {
				if labels["track"] == "canary" && labels["traffic"] != "isolated" {
					t.Errorf("%s was not isolated", name)
				}
			}
			if w.failing, w.always = "", false; Run(t.Context(), w, w, options()).Err() != nil {
				t.Error("the second run fails")
			}
			w.expectOut(t)
		})
	}
}

func TestAnUnreachableLabelStillScalesTheCanaryAway(t *testing.T) {
	w := newWorld()
	w.failing = "label"
	if err := Run(t.Context(), w, w, options()).Err(); err != nil {
		t.Errorf("a label that fails once is not tried again: %v", err)
	}
	w.expectOut(t)
}

func TestEvidenceHoldsNoCredentials(t *testing.T) {
	w := newWorld()
	w.log = `connect postgres://app:hunter22@db:5432/finance password=hunter22 "token":"abcdef0123456789" Bearer abcdefgh12345678 ` +
		`eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzbW9rZSJ9.c2lnbmF0dXJl s3cr3t-value end`
	set := options()
	set.Reason = "s3cr3t-value leaked"
	if err := Run(t.Context(), w, w, set).Err(); err != nil {
		t.Fatal(err)
	}
	evidence, err := Unpack(w.evidence)
	if err != nil {
		t.Fatal(err)
	}
	if len(evidence.Pods) != 3 || len(evidence.Events) != 1 || len(evidence.Pods[0].Logs) != 2 {
		t.Fatalf("%+v", evidence)
	}
	text := fmt.Sprintf("%+v", evidence)
	for _, secret := range []string{"hunter22", "abcdef0123456789", "abcdefgh12345678", "eyJhbGci", "s3cr3t-value"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s stands in the evidence", secret)
		}
	}
	if !strings.Contains(text, "@db:5432/finance") || !strings.Contains(text, " end") {
		t.Errorf("too much was taken out: %s", evidence.Pods[0].Logs["app"])
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	w := newWorld()
	// Text that does not compress: numbers by a small generator.
	var log strings.Builder
	for state := uint32(1); log.Len() < 1<<20; {
		state = state*1664525 + 1013904223
		fmt.Fprintf(&log, "%08x%08x", state, state>>7^state<<9)
	}
	w.log = log.String()
	for i := range 40 {
		w.pods[fmt.Sprintf("canary-x%d", i)] = map[string]string{"track": "canary", "traffic": "enabled"}
	}
	outcome := Run(t.Context(), w, w, options())
	if len(w.evidence) == 0 || len(w.evidence) > archiveBytes {
		t.Errorf("%d bytes: %v", len(w.evidence), outcome.Err())
	}
	if !strings.Contains(fmt.Sprint(outcome.Err()), "more than the 20") {
		t.Errorf("what is missing is not named: %v", outcome.Err())
	}
}

// Half of a line may hold half of a credential, which nothing recognizes.
func TestLogsAreCutBetweenLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		most int
		want string
	}{
		{"short\nenough", 12, "short\nenough"},
		{"token=abcdef0123456789\nthe failure", 20, "…the failure"},
		{"one line without an end", 11, "…hout an end"},
		{"\u00e9\u00e9\n\u00e9\u00e9", 3, "…\u00e9"},
	} {
		if got := end(tt.text, tt.most); got != tt.want {
			t.Errorf("%q cut to %d bytes is %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}
