package gate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
