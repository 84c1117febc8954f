package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/forecast/live"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func TestFlagsOfARehearsal(t *testing.T) {
	for want, args := range map[string][]string{
		"--rehearse needs a stack: for example rollout simulate --rehearse -s production": {"--rehearse"},
		"--days is for --rehearse":                          {"--days", "3", "--rate", "1"},
		"omit files, --rate, --save and --runs":             {"--rehearse", "--rate", "1", "-s", "production"},
		"--rehearse takes the stack's own past: omit files": {"traffic.csv", "--rehearse", "-s", "production"},
		"--days 91: allowed are 1 to 90":                    {"--rehearse", "--days", "91", "-s", "production"},
	} {
		code, printed := called(t, append([]string{"simulate"}, args...)...)
		if code != terminal.ExitUsage || !strings.Contains(printed, want) {
			t.Errorf("%v: exit code %d, no %q in\n%s", args, code, want, printed)
		}
	}
}

// steady is a Prometheus with two stable pods that have served a request a second for ever, without errors.
type steady struct{}

func (steady) Samples(_ context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	if !strings.HasPrefix(selector, "http_requests_total{") || !strings.Contains(selector, `track="stable"`) {
		return nil, nil
	}
	var matrix model.Matrix
	for _, pod := range []string{"a", "b"} {
		stream := &model.SampleStream{Metric: model.Metric{"pod": model.LabelValue(pod), "namespace": "shop", "code": "200"}}
		for at := start.Truncate(15 * time.Second).Add(15 * time.Second); !at.After(end); at = at.Add(15 * time.Second) {
			stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnix(at.Unix()),
				Value: model.SampleValue(at.Unix())})
		}
		matrix = append(matrix, stream)
	}
	return matrix, nil
}

func (steady) LabelValues(context.Context, string, string, time.Time, time.Time) ([]string, error) {
	return nil, nil
}

func TestARehearsalReadsTheLastDays(t *testing.T) {
	s := settings.Defaults()
	now := time.Date(2026, 3, 9, 9, 20, 0, 0, time.UTC)
	got, err := rehearsal(t.Context(), steady{}, s, live.Limits(s, true), 3, now)
	if err != nil {
		t.Fatal(err)
	}
	// Three days hold one soak of 48 hours with its bake for each pod.
	if got.Trials != 2 || got.Held != 0 || len(got.RolledBack) != 0 ||
		!got.From.Equal(time.Date(2026, 3, 6, 9, 0, 0, 0, time.UTC)) || got.Step != 15*time.Second {
		t.Errorf("%+v", got)
	}
}

// The checklist reads as many days as a soak needs, and a past that is too short still shows how the errors come.
func TestTheChecklistRehearsesOnThePast(t *testing.T) {
	s := settings.Defaults()
	now := time.Date(2026, 3, 9, 9, 20, 0, 0, time.UTC)
	got, err := pastOf(t.Context(), steady{}, s, now)
	if err != nil || got.Soaks != 2 || got.RolledBack != 0 || got.Dispersion != 1 || got.Bursty || !(got.Upper > 0) {
		t.Errorf("%+v, %v", got, err)
	}
	s.Soak.Duration = model.Duration(60 * 24 * time.Hour)
	if got, err = pastOf(t.Context(), steady{}, s, now); err != nil || got.Soaks != 0 || got.Dispersion != 1 {
		t.Errorf("a soak of 60 days: %+v, %v", got, err)
	}
	if got, err = pastOf(t.Context(), empty{}, s, now); err != nil || got.Dispersion != 0 {
		t.Errorf("no request: %+v, %v", got, err)
	}
}

// empty is a Prometheus without a series.
type empty struct{ steady }

func (empty) Samples(context.Context, string, time.Time, time.Time) (model.Matrix, error) {
	return nil, nil
}

func TestTheStepOfThePast(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 15 * time.Second: 15 * time.Second,
		20 * time.Second: 30 * time.Second, time.Minute: time.Minute, 10 * time.Minute: 5 * time.Minute} {
		if got := stepFor(interval); got != want || time.Hour%got != 0 {
			t.Errorf("scraped every %v: steps of %v, want %v", interval, got, want)
		}
	}
}
