package verify

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/smoke"
)

const suiteFile = `
name: two
description: liveness and latency of a test server
maxRequests: 40
checks:
  - name: live
    request: { path: /live }
    expect: { status: [200] }
  - name: ready
    request: { path: /ready }
    expect: { status: [200] }
`

// servers is a Cluster whose pods are test servers.
type servers struct {
	pods    []string
	handler http.Handler
	// stable answers for the stable track, which has one pod unless it is nil.
	stable    http.Handler
	listErr   error
	reachErr  error
	unready   error
	waited    []string
	recordErr error

	closed   int
	recorded map[string]string
}

func (s *servers) WaitRolledOut(_ context.Context, _, deployment string) error {
	s.waited = append(s.waited, deployment)
	return s.unready
}

// ReadyPods also lists a pod of the earlier template until WaitRolledOut was called.
func (s *servers) ReadyPods(_ context.Context, _, deployment string) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	if !slices.Contains(s.waited, deployment) {
		return []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "old"}}}, s.listErr
	}
	if deployment == "finance-service-stable" {
		if s.stable != nil {
			pods = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "stable"}},
				{ObjectMeta: metav1.ObjectMeta{Name: "stable-2"}}}
		}
		return pods, s.listErr
	}
	for _, name := range s.pods {
		pods = append(pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return pods, s.listErr
}

func (s *servers) PodClient(_ context.Context, _, pod string, _ int) (*http.Client, string, func(), error) {
	if s.reachErr != nil {
		return nil, "", nil, s.reachErr
	}
	handler := s.handler
	switch pod {
	case "stable":
		handler = s.stable
	case "old":
		handler = answering(http.StatusTeapot)
	}
	server := httptest.NewServer(handler)
	return server.Client(), server.URL, func() { s.closed++; server.Close() }, nil
}

func (s *servers) Record(_ context.Context, _, _ string, data map[string]string) error {
	s.recorded = data
	return s.recordErr
}

func answering(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func options(t *testing.T) Options {
	t.Helper()
	suite, err := smoke.Parse("two.yaml", []byte(suiteFile))
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Namespace: "vextrus-production", Deployment: "finance-service-week1", Port: 3014,
		Release: "week1", Image: "vextrus/finance@sha256:aa", Track: "canary", RecordName: "finance-service-verification",
		Suite: suite, SmokeTimeout: time.Minute, Now: func() time.Time { return time.Unix(1700000000, 0) },
	}
}

func baking(verdict gate.Verdict, calls *int) func(context.Context) gate.Evaluation {
	return func(context.Context) gate.Evaluation {
		*calls++
		return gate.Evaluation{Results: []gate.Result{{Name: "error rate", Verdict: verdict, N: 100,
			Reason: "because of the test"}}}
	}
}

func TestRun(t *testing.T) {
	tests := []struct {
		name    string
		cluster servers
		bake    gate.Verdict
		want    gate.Verdict
		baked   bool
		says    []string // what a refusal must tell
	}{
		{name: "healthy", cluster: servers{pods: []string{"a", "b"}, handler: answering(200)}, bake: gate.Pass,
			want: gate.Pass, baked: true},
		{name: "smoke fails", cluster: servers{pods: []string{"a"}, handler: answering(500)}, bake: gate.Pass,
			want: gate.Fail,
			says: []string{"canary week1", "2 of 2 smoke tests", "live", "canaryWeight 0"}},
		{name: "bake fails", cluster: servers{pods: []string{"a"}, handler: answering(200)}, bake: gate.Fail, want: gate.Fail,
			baked: true,
			says:  []string{"verdict fail", "because of the test", "canaryWeight 0"}},
		{name: "bake inconclusive", cluster: servers{pods: []string{"a"}, handler: answering(200)}, bake: gate.Inconclusive,
			want: gate.Inconclusive, baked: true,
			says: []string{"verdict inconclusive", "no evidence speaks against"}},
		{name: "bake error", cluster: servers{pods: []string{"a"}, handler: answering(200)}, bake: gate.Error,
			want: gate.Error, baked: true,
			says: []string{"verdict error", "runs the gate again"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			given := options(t)
			given.Bake = baking(tt.bake, &calls)
			report, err := Run(t.Context(), &tt.cluster, given)
			if report.Verdict != tt.want || (calls > 0) != tt.baked {
				t.Errorf("verdict %s after %d bakes, want %s", report.Verdict, calls, tt.want)
			}
			if tt.cluster.closed != len(tt.cluster.pods) {
				t.Errorf("%d of %d pods were closed", tt.cluster.closed, len(tt.cluster.pods))
			}
			if tt.cluster.recorded["verdict"] != string(tt.want) || tt.cluster.recorded["time"] != "2023-11-14T22:13:20Z" {
				t.Errorf("recorded %v", tt.cluster.recorded)
			}
			var refused *RefusedError
			if errors.As(err, &refused) != (tt.want != gate.Pass) {
				t.Fatalf("error %v for verdict %s", err, tt.want)
			}
			for _, word := range tt.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the refusal does not say %q:\n%v", word, err)
				}
			}
		})
	}
}

// failingAt answers with 500 at some paths.
func failingAt(paths ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(paths, r.URL.Path) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
}

func TestACanaryIsNotBlamedForWhatTheStableTrackFailsToo(t *testing.T) {
	const sentence = "the stable track fails the same checks (pod stable): a shared dependency fails, not the canary"
	for name, tt := range map[string]struct {
		canary, stable http.Handler
		want           gate.Verdict
	}{
		"the same":            {failingAt("/ready"), failingAt("/ready"), gate.Inconclusive},
		"stable fails more":   {failingAt("/ready"), failingAt("/ready", "/live"), gate.Inconclusive},
		"canary fails more":   {failingAt("/ready", "/live"), failingAt("/ready"), gate.Fail},
		"another":             {failingAt("/live"), failingAt("/ready"), gate.Fail},
		"the canary alone":    {failingAt("/ready"), failingAt(), gate.Fail},
		"no stable pod":       {failingAt("/ready"), nil, gate.Fail},
		"the stable one only": {failingAt(), failingAt("/ready"), gate.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := &servers{pods: []string{"a"}, handler: tt.canary, stable: tt.stable}
			given := options(t)
			given.Beside = "finance-service-stable"
			report, err := Run(t.Context(), cluster, given)
			if report.Verdict != tt.want {
				t.Errorf("verdict %s, want %s: %v", report.Verdict, tt.want, err)
			}
			said := err != nil && strings.Contains(err.Error(), sentence)
			if recorded := strings.Contains(cluster.recorded["smoke"], sentence); said != (tt.want == gate.Inconclusive) ||
				recorded != said {
				t.Errorf("said %v, recorded %v: %v", said, recorded, err)
			}
		})
	}
}

func TestASuiteThatCannotLookIsAnErrorAndNoFailure(t *testing.T) {
	cluster := &servers{pods: []string{"a"}, handler: answering(200)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := Run(ctx, cluster, options(t))
	if report.Verdict != gate.Error || err == nil {
		t.Errorf("verdict %s, error %v", report.Verdict, err)
	}
}

func TestGateThatCannotRun(t *testing.T) {
	broken := errors.New("broken")
	for name, cluster := range map[string]*servers{
		"no pod ready":    {handler: answering(200)},
		"list fails":      {listErr: broken},
		"not rolled out":  {pods: []string{"a"}, handler: answering(200), unready: broken},
		"pod unreachable": {pods: []string{"a"}, reachErr: broken},
		"record fails":    {pods: []string{"a"}, handler: answering(200), recordErr: broken},
	} {
		_, err := Run(t.Context(), cluster, options(t))
		var refused *RefusedError
		if err == nil || errors.As(err, &refused) {
			t.Errorf("%s: error %v, want one that is no refusal", name, err)
		}
	}
}

func TestWithoutABakeTheSmokeSuiteDecides(t *testing.T) {
	report, err := Run(t.Context(), &servers{pods: []string{"a"}, handler: answering(200)}, options(t))
	if err != nil || report.Bake != nil || !strings.Contains(report.String(), "Passed: 2") {
		t.Errorf("%v, %s", err, report)
	}
}

// The times of both suites go into the report: the requests to the stable track are no evidence either.
func TestTheReportSaysWhenTheSuiteSentItsRequests(t *testing.T) {
	start := time.Unix(1700000000, 0)
	for name, tt := range map[string]struct {
		canary http.Handler
		until  time.Time
	}{
		"healthy":                        {answering(200), start.Add(time.Second)},
		"compared with the stable track": {answering(500), start.Add(3 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			given, asked := options(t), 0
			given.Beside = "finance-service-stable"
			given.Now = func() time.Time { asked++; return start.Add(time.Duration(asked-1) * time.Second) }
			report, _ := Run(t.Context(), &servers{pods: []string{"a"}, handler: tt.canary, stable: answering(200)}, given)
			if !report.Sent.Start.Equal(start) || !report.Sent.End.Equal(tt.until) {
				t.Errorf("sent from %v to %v, want until %v", report.Sent.Start, report.Sent.End, tt.until)
			}
		})
	}
	report, err := Run(t.Context(), &servers{handler: answering(200)}, options(t))
	if err == nil || !report.Sent.Start.IsZero() {
		t.Errorf("without a pod: sent at %v, %v", report.Sent.Start, err)
	}
}
