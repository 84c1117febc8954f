package soak

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
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
		{ObjectMeta: metav1.ObjectMeta{Name: "beside a sidecar", Labels: map[string]string{"app": "shop"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy"}, {Name: "shop"}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "proxy", RestartCount: 9, State: looping}, {Name: "shop", RestartCount: 1}}}},
	}
	want := []gate.PodState{
		{Name: "healthy"}, {Name: "restarted", Restarts: 3}, {Name: "looping", Restarts: 4, CrashLoop: true},
		{Name: "never started", CrashLoop: true}, {Name: "beside a sidecar", Restarts: 1},
	}
	if diff := cmp.Diff(want, podStates(pods)); diff != "" {
		t.Errorf("states (-want +got)\n%s", diff)
	}
}

// scrapes is a Prometheus that scraped a pod every 30 seconds. The values are the requests that it had served.
type scrapes []float64

func (s scrapes) Samples(_ context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	label := model.Metric{"code": "200", "pod": "a"}
	switch {
	case strings.HasPrefix(selector, "http_request_duration"):
		label = model.Metric{"le": "0.5", "pod": "a"}
	case !strings.HasPrefix(selector, "http_requests_total"):
		return nil, nil
	}
	page := &model.SampleStream{Metric: label}
	for i, value := range s {
		at := began.Add(time.Duration(i)*30*time.Second - 20*time.Second)
		if at.After(start) && !at.After(end) {
			page.Values = append(page.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
				Value: model.SampleValue(value)})
		}
	}
	matrix := model.Matrix{page}
	if label["le"] != "" {
		matrix = append(matrix, &model.SampleStream{Metric: model.Metric{"le": "+Inf", "pod": "a"}, Values: page.Values})
	}
	return matrix, nil
}

func (s scrapes) LabelValues(context.Context, string, string, time.Time, time.Time) ([]string, error) {
	return nil, nil
}

func (s scrapes) Ask(context.Context, string, time.Time) (model.Value, error) {
	return model.Vector{}, nil
}

// The suite's 32 requests came just before the soak began, and Prometheus scraped them after. A second suite tested a
// rotated secret during the soak, which went on. 7 + 3 + 2 requests are the customers'.
func TestACheckpointCountsNoRequestOfTheSmokeSuite(t *testing.T) {
	server := scrapes{8, 45, 52, 55, 90, 92}
	state := atTen(0)
	spec := Spec{Namespace: "shop", App: "shop", Metrics: gate.DefaultMetrics(), Plan: twoDays,
		Criteria: []gate.Criterion{gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)}}
	now := began.Add(150 * time.Second)
	counted := func() []int64 {
		look := Look(t.Context(), spec, &namespace{}, server, state, now)
		var counts []int64
		for _, result := range look.Evaluation.Results[:2] {
			if result.Verdict == gate.Error {
				t.Fatal(result.Reason)
			}
			counts = append(counts, result.N)
		}
		return counts
	}
	if diff := cmp.Diff([]int64{84, 84}, counted()); diff != "" {
		t.Errorf("without a note of the suites, requests (-want +got)\n%s", diff)
	}
	state.SmokeTests = []ledger.Span{
		{Start: began.Add(-12 * time.Second), End: began.Add(-8 * time.Second)},
		{Start: began.Add(80 * time.Second), End: began.Add(84 * time.Second)},
	}
	if diff := cmp.Diff([]int64{12, 12}, counted()); diff != "" {
		t.Errorf("requests (-want +got)\n%s", diff)
	}
}

// A soak that sees a request in ten minutes says early that it will not decide, and what would help.
func TestLowTrafficIsForetold(t *testing.T) {
	notesOf := func(n int64) []string {
		look := lookWith(gate.Inconclusive)
		look.Soaked = 10 * time.Hour
		look.Evaluation.Results[0] = gate.ErrorRate(0.005, 0.01).Judge(gate.Counts{N: n}, nil)
		forewarn(look)
		return look.Evaluation.Results[0].Notes
	}
	if notes := notesOf(60); len(notes) != 1 ||
		!strings.Contains(notes[0], "until the end of the soak about 228 requests") {
		t.Errorf("%q", notes)
	}
	if notes := notesOf(500); notes != nil {
		t.Errorf("enough requests: %q", notes)
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
