package prometheus_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/testkit"
	fake "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

func connect(t *testing.T) (*fake.Server, *prometheus.Client) {
	t.Helper()
	server := fake.New(t)
	client, err := prometheus.NewClient(&http.Client{}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestTheRealClientReadsWhatTheServerHolds(t *testing.T) {
	server, client := connect(t)
	ctx, now := t.Context(), time.Unix(1700000000, 0)
	server.Answer("up", model.Vector{fake.Sample(0, "track", "stable")})
	server.Answer("up{", model.Vector{fake.Sample(1, "track", "canary")})
	series := model.Matrix{{Metric: model.Metric{"pod": "a"}, Values: []model.SamplePair{{Timestamp: 1, Value: 2}}}}
	server.Answer("requests", series)
	server.Labels("up", "pod", "a", "b")
	server.Labels("up{", "pod", "c")
	server.Load([]fake.Rule{{"g", "A", ""}, {"g", "B", "x"}, {"h", "C", ""}}, "http://am:9093")

	value, err := client.Ask(ctx, `up{track="canary"}`, now)
	if vector, ok := value.(model.Vector); err != nil || !ok || len(vector) != 1 || vector[0].Value != 1 ||
		vector[0].Metric["track"] != "canary" {
		t.Errorf("%v, %v", value, err)
	}
	if value, err := client.Ask(ctx, "none", now); err != nil || len(value.(model.Vector)) > 0 {
		t.Errorf("%v, %v", value, err)
	}
	if matrix, err := client.Samples(ctx, "requests", now.Add(-time.Minute), now); err != nil || len(matrix) != 1 {
		t.Errorf("%v, %v", matrix, err)
	}
	if matrix, err := client.Samples(ctx, "none", now.Add(-time.Minute), now); err != nil || len(matrix) > 0 {
		t.Errorf("%v, %v", matrix, err)
	}
	if matrix, err := client.Range(ctx, "requests", now.Add(-time.Minute), now, time.Second); err != nil ||
		len(matrix) != 1 {
		t.Errorf("%v, %v", matrix, err)
	}
	if pods, err := client.LabelValues(ctx, "pod", "up", now, now); err != nil || !slices.Equal(pods, []string{"a", "b"}) {
		t.Errorf("%v, %v", pods, err)
	}
	if pods, err := client.LabelValues(ctx, "pod", `up{track="canary"}`, now, now); err != nil ||
		!slices.Equal(pods, []string{"c"}) {
		t.Errorf("%v, %v", pods, err)
	}
	if pods, err := client.LabelValues(ctx, "pod", "down", now, now); err != nil || len(pods) > 0 {
		t.Errorf("%v, %v", pods, err)
	}
	names, broken, err := client.RuleGroups(ctx)
	if err != nil || !slices.Equal(names, []string{"g", "h"}) || !slices.Equal(broken, []string{"B of g: x"}) {
		t.Errorf("%v, %v, %v", names, broken, err)
	}
	if addresses, err := client.Alertmanagers(ctx); err != nil || !slices.Equal(addresses, []string{"http://am:9093"}) {
		t.Errorf("%v, %v", addresses, err)
	}
	if asked := server.Asked(); len(asked) != 5 || asked[1] != "none" {
		t.Errorf("asked %q", asked)
	}
}

func TestAServerThatFailsIsMended(t *testing.T) {
	server, client := connect(t)
	server.Fail(errors.New("too many samples"))
	_, err := client.Ask(t.Context(), "up", time.Now())
	testkit.WantError(t, err, "too many samples")
	server.Fail(errors.New("too many samples"), "vector(1)")
	if _, err := client.Ask(t.Context(), "vector(1)", time.Now()); err != nil {
		t.Errorf("a spared query: %v", err)
	}
	_, err = client.Ask(t.Context(), "up", time.Now())
	testkit.WantError(t, err, "too many samples")
	server.Fail(nil)
	if _, err := client.Ask(t.Context(), "up", time.Now()); err != nil {
		t.Error(err)
	}
}
