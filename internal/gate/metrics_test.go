package gate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestMetricsFor(t *testing.T) {
	base := DefaultMetrics().With(map[string]string{"namespace": "shop"})
	canary := base.For("canary", "week1")
	want := map[string]string{"namespace": "shop", "track": "canary", "version": "week1"}
	if diff := cmp.Diff(want, canary.Selector); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"namespace": "shop"}, base.Selector); diff != "" {
		t.Errorf("the selector it was made from changed (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"track": "stable"}, DefaultMetrics().For("stable", "").Selector); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestMetricsValidate(t *testing.T) {
	if err := DefaultMetrics().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	tests := []struct {
		change func(*Metrics)
		want   string
	}{
		{func(m *Metrics) { m.RequestsTotal = "http requests" }, `"http requests" is not a metric name`},
		{func(m *Metrics) { m.DurationBucket = "" }, `"" is not a metric name`},
		{func(m *Metrics) { m.StatusLabel = "status-code" }, `statusLabel "status-code"`},
		{func(m *Metrics) { m.ErrorPattern = "5(" }, `errorPattern "5("`},
		{func(m *Metrics) { m.ErrorPattern = "" }, "errorPattern is empty"},
		{func(m *Metrics) { m.Selector = map[string]string{"a b": "c"} }, `"a b"`},
		{func(m *Metrics) { m.Lookback = -time.Second }, "must not be negative"},
	}
	for _, test := range tests {
		m := DefaultMetrics()
		test.change(&m)
		testkit.WantError(t, m.Validate(), test.want)
	}
}

// Where the series carry no labels of the pods, matchers select a track.
func TestTracksByMatchers(t *testing.T) {
	base := DefaultMetrics().With(map[string]string{"reporter": "destination"})
	base.App, base.Pods = "shop.eu", map[string]string{"app": "shop.eu"}
	base.Tracks = []promql.Matcher{promql.Matches("pod", "$deployment-[a-z0-9]+-.*"), promql.Equal("namespace", "eu")}
	for _, tt := range []struct{ track, release, want string }{
		{"canary", "v2", `pod=~"shop\\.eu-v2-[a-z0-9]+-.*",namespace="eu"`},
		{"stable", "", `pod=~"shop\\.eu-stable-[a-z0-9]+-.*",namespace="eu"`},
		{"canary", "", `namespace="eu"`},
	} {
		m := base.For(tt.track, tt.release)
		got, err := m.Select(m.RequestsTotal)
		if want := `http_requests_total{reporter="destination",` + tt.want + "}"; err != nil || got != want {
			t.Errorf("%s %s: %s, %v; want %s", tt.track, tt.release, got, err, want)
		}
		if m.Pods != nil || len(m.podsOfTrack()) != len(m.Track) {
			t.Errorf("%s: the pods are found by %v and %v", tt.track, m.Pods, m.podsOfTrack())
		}
	}
	base.Tracks = []promql.Matcher{promql.Equal("destination_workload", "$deployment"), promql.Equal("v", "$release")}
	stable := base.For("stable", "")
	if got, err := stable.SelectAll("a"); err != nil || got != `a{reporter="destination",destination_workload="shop.eu-stable"}` {
		t.Errorf("%s, %v", got, err)
	}
	if pods := stable.podsOfTrack(); pods != nil {
		t.Errorf("a mesh's series tell the age of pods: %v", pods)
	}
}

func TestCustomers(t *testing.T) {
	m := DefaultMetrics()
	m.Matchers = []promql.Matcher{promql.Equal("route", "/pay"), promql.Matches("agent", "kube-probe.*").Not()}
	m.Exclude = map[string]string{"path": "/health", "route": "/.*"}
	want := []promql.Matcher{m.Matchers[0], m.Matchers[1], promql.Matches("path", "/health").Not()}
	if diff := cmp.Diff(want, m.Customers()); diff != "" {
		t.Error(diff)
	}
	for labels, excluded := range map[[2]model.LabelValue]bool{
		{"/pay", "curl"}: false, {"/", "curl"}: true, {"/pay", "kube-probe/1"}: true,
	} {
		if got := m.Excludes(model.Metric{"route": labels[0], "agent": labels[1]}); got != excluded {
			t.Errorf("%v: excluded %v", labels, got)
		}
	}
}
