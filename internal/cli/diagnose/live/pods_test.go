package live

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
)

// A container that has not started yet has no log: asking for it would only be an error.
func TestAContainerThatWaitsHasNoLog(t *testing.T) {
	c, name := newCluster(t, nil)
	pod, err := c.Clientset.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
	if _, err := c.Clientset.CoreV1().Pods(namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s := gather(t, c, nil, "week1")
	want := []diagnose.Log{{Container: "app", Previous: true, Lines: []string{"before"}}}
	if diff := cmp.Diff(want, s.Workloads[0].Pods[0].Logs); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
}

// A pod is not asked while it starts, and where no path is given.
func TestWhoIsNotAskedForItsHealth(t *testing.T) {
	for name, tt := range map[string]struct {
		phase corev1.PodPhase
		path  string
	}{"a pod that starts": {corev1.PodPending, "/health"}, "no path": {corev1.PodRunning, ""}} {
		c, pod := newCluster(t, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: asked", name) })
		r := &reader{cluster: c.Client, snapshot: &diagnose.Snapshot{},
			options: Options{Namespace: namespace, Port: 3014, HealthPath: tt.path, Now: time.Now}}
		given := &diagnose.Pod{Pod: corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod},
			Status: corev1.PodStatus{Phase: tt.phase, ContainerStatuses: []corev1.ContainerStatus{
				{Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}}}
		r.health(t.Context(), given)
		if given.Health != nil || len(r.snapshot.Unseen) > 0 {
			t.Errorf("%s: health %+v, unseen %q", name, given.Health, r.snapshot.Unseen)
		}
	}
}

// A pod that closes the connection has no report, and the snapshot says so.
func TestAPodThatBreaksOff(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"before the answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"in the answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
			panic(http.ErrAbortHandler)
		},
	} {
		c, pod := newCluster(t, handler)
		s := gather(t, c, nil, "week1")
		if s.Workloads[0].Pods[0].Health != nil ||
			!slices.ContainsFunc(s.Unseen, func(text string) bool { return strings.HasPrefix(text, "health of "+pod+": ") }) {
			t.Errorf("%s: health %+v, unseen %q", name, s.Workloads[0].Pods[0].Health, s.Unseen)
		}
	}
}

// A Secret that may not be read is asked for once, however many pods need it.
func TestAReferenceIsReadOnce(t *testing.T) {
	c, _ := newCluster(t, nil)
	c.Fail("get", "secrets", errForbidden)
	s := gather(t, c, nil, "week1")
	asked := 0
	for _, call := range c.Calls() {
		if call == "get secrets db" {
			asked++
		}
	}
	if asked != 1 || len(s.Unseen) != 1 || !strings.HasPrefix(s.Unseen[0], "secret db: ") {
		t.Errorf("asked %d times, unseen %q", asked, s.Unseen)
	}
}
