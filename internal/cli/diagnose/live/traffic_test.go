package live

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/gate"
	promtest "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

// counter is a series that grows from 0 to the value in the five minutes up to now.
func counter(value float64, labels ...string) *model.SampleStream {
	const scrapes = 20
	stream := &model.SampleStream{Metric: promtest.Sample(0, append(labels, "pod", "week1-a")...).Metric}
	for i := range scrapes + 1 {
		at := now.Add(-time.Duration(scrapes-i) * 15 * time.Second)
		stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
			Value: model.SampleValue(value * float64(i) / scrapes)})
	}
	return stream
}

func TestTrafficIsCountedAsTheGatesDo(t *testing.T) {
	c, name := newCluster(t, nil)
	server, client := newServer(t, name)
	server.Answer("http_requests_total", model.Matrix{counter(960, "code", "200"), counter(40, "code", "503")})
	server.Labels("bucket", "le", "0.5", "+Inf")
	server.Answer("bucket", model.Matrix{counter(900, "le", "0.5"), counter(1000, "le", "+Inf")})
	s := gather(t, c, client, "week1")
	want := &diagnose.Traffic{Window: 5 * time.Minute, Requests: gate.Counts{N: 1000, K: 40},
		Slow: gate.Counts{N: 1000, K: 100}}
	if diff := cmp.Diff(want, s.Workloads[0].Traffic); diff != "" {
		t.Errorf("traffic (-want +got):\n%s\nunseen %q", diff, s.Unseen)
	}
}

// The requests count although the histogram of their durations is missing.
func TestTrafficWithoutLatencies(t *testing.T) {
	c, name := newCluster(t, nil)
	server, client := newServer(t, name)
	server.Answer("http_requests_total", model.Matrix{counter(1000, "code", "200")})
	s := gather(t, c, client, "week1")
	traffic := s.Workloads[0].Traffic
	if traffic == nil || traffic.Requests.N != 1000 || traffic.Slow.N != 0 {
		t.Errorf("traffic %+v", traffic)
	}
	if len(s.Unseen) != 1 || !strings.Contains(s.Unseen[0], "latency") || !strings.Contains(s.Unseen[0], "of week1: ") {
		t.Errorf("unseen %q", s.Unseen)
	}
}

// A name that no PromQL text can hold costs the resource usage alone.
func TestUsageOfANameThatIsNone(t *testing.T) {
	_, client := newServer(t, "week1-a")
	r := &reader{server: client, snapshot: &diagnose.Snapshot{}, options: Options{Namespace: "\xff",
		Redact: strings.ToUpper, Now: func() time.Time { return now }}}
	workload := &diagnose.Workload{Name: "week1", Pods: []diagnose.Pod{{}}}
	r.usage(t.Context(), workload)
	if len(r.snapshot.Unseen) != 1 || !strings.HasPrefix(r.snapshot.Unseen[0], "RESOURCE USAGE: ") ||
		workload.Pods[0].Usage != nil {
		t.Errorf("unseen %q, usage %+v", r.snapshot.Unseen, workload.Pods[0].Usage)
	}
}

func TestALongReasonIsCutBetweenLetters(t *testing.T) {
	r := &reader{snapshot: &diagnose.Snapshot{}, options: Options{Redact: func(text string) string { return text }}}
	r.unseen("events", errorText(strings.Repeat("ä", 400)))
	text := r.snapshot.Unseen[0]
	if len(text) > longest+len("…") || !utf8.ValidString(text) || !strings.HasSuffix(text, "ä…") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

type errorText string

func (e errorText) Error() string { return string(e) }
