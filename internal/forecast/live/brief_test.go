package live

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/testkit"
	fake "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// hourly is one value an hour of the last four weeks.
func hourly(value float64, labels ...string) *model.SampleStream {
	stream := &model.SampleStream{Metric: fake.Sample(0, labels...).Metric}
	midnight := monday.Truncate(24 * time.Hour)
	for at := midnight.Add(-Weeks * 7 * 24 * time.Hour); at.Before(midnight); at = at.Add(time.Hour) {
		stream.Values = append(stream.Values, model.SamplePair{
			Timestamp: model.TimeFromUnixNano(at.Add(time.Hour).UnixNano()), Value: model.SampleValue(value)})
	}
	return stream
}

// previewed is the rollout of a stack whose service has so many requests per second.
func previewed(t *testing.T, rate float64, changes map[string]string) (*rollout.Rollout, *fake.Server) {
	t.Helper()
	config := testkit.Config{
		"image": "vextrus/finance:v2", "stableImage": "vextrus/finance:v1", "prometheus": "monitoring/prometheus:9090",
		"secretEnv": "{}", "smoke": `{"originFrom":"","tokenFrom":""}`, "soak": `{"duration":"4h","extension":"2h"}`,
	}
	maps.Copy(config, changes)
	s, err := settings.Load("production", config)
	if err != nil {
		t.Fatal(err)
	}
	server := fake.New(t)
	if rate > 0 {
		server.Answer("http_requests_total", model.Matrix{hourly(rate)})
		server.Answer(`code=~"5.."`, model.Matrix{hourly(rate / 1000)})
		server.Answer("bucket", model.Matrix{hourly(rate*0.99, "le", "0.5"), hourly(rate, "le", "+Inf")})
	}
	return &rollout.Rollout{Settings: s, Clock: testkit.Clock(monday), Dir: t.TempDir(),
		Prometheus: func() (soak.Server, error) { return prometheus.Connect(endpoint.Way{}, server.URL) }}, server
}

func TestTheBriefSaysWhatAReleaseComesTo(t *testing.T) {
	r, _ := previewed(t, 20, map[string]string{
		"calendar": `{"freezes":[{"from":"2026-03-02","to":"2026-03-09","reason":"x"}]}`})
	// Without the time that a preview gives it, which a busy machine may exceed.
	text := func() string {
		result, err := brief(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return result.Brief()
	}
	first := text()
	for _, word := range []string{forecast.BriefPrefix + "done 50 % by Tue 2026-03-10", "90 % by", "false rollback: ",
		"requests missing: none", "2 % fail: ", "33 % fail: ", "100 % fail: ", "at worst", "pods and", "CPU",
		"rollout forecast -s production"} {
		if !strings.Contains(first, word) {
			t.Errorf("the brief does not say %q:\n%s", word, first)
		}
	}
	if again := text(); again != first {
		t.Errorf("another one for the same traffic:\n%s", again)
	}
}

// A preview goes on without a forecast, and says in one line why.
func TestAForecastThatCannotBeMadeIsOneLine(t *testing.T) {
	for name, tt := range map[string]struct {
		rate   float64
		change func(context.Context, *rollout.Rollout, *fake.Server) context.Context
		want   string
	}{
		"no samples": {0, nil, "no samples from Mon 2026-02-02 00:00 UTC"},
		"an error": {20, func(ctx context.Context, _ *rollout.Rollout, s *fake.Server) context.Context {
			s.Fail(errors.New("too many\nsamples"))
			return ctx
		}, "too many samples"},
		"no way": {20, func(ctx context.Context, r *rollout.Rollout, _ *fake.Server) context.Context {
			r.Prometheus = func() (soak.Server, error) { return nil, errors.New("no Service of this name") }
			return ctx
		}, "no Service of this name"},
		"no answer in time": {20, func(ctx context.Context, _ *rollout.Rollout, _ *fake.Server) context.Context {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(errors.New("prometheus did not answer within 3s"))
			return ctx
		}, "prometheus did not answer within 3s"},
		"no calendar": {20, func(ctx context.Context, r *rollout.Rollout, _ *fake.Server) context.Context {
			r.Settings.Calendar.FreezeFile = "freezes.ics"
			return ctx
		}, "calendar.freezeFile"},
	} {
		t.Run(name, func(t *testing.T) {
			r, server := previewed(t, tt.rate, nil)
			ctx := t.Context()
			if tt.change != nil {
				ctx = tt.change(ctx, r, server)
			}
			brief, err := Brief(ctx, r)
			if err != nil || !strings.HasPrefix(brief, forecast.BriefPrefix+"none, because ") || strings.Contains(brief, "\n") ||
				!strings.Contains(brief, tt.want) || !strings.HasSuffix(brief, "try `rollout forecast -s production`") {
				t.Errorf("%q, %v", brief, err)
			}
		})
	}
}

// A request a minute decides nothing: that is known before the start, with what would help.
func TestTrafficThatCannotDecideIsAnError(t *testing.T) {
	r, _ := previewed(t, 1.0/60, nil)
	_, err := brief(t.Context(), r)
	if _, ok := errors.AsType[*forecast.UndecidedError](err); !ok {
		t.Fatalf("no error of the traffic: %v", err)
	}
	testkit.WantError(t, err, "cannot be decided at this traffic", "would help", "synthetic traffic", "-s production")
}
