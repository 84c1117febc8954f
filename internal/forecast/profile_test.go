package forecast

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/simulate"
	"github.com/vextrus/finance-rollout/internal/testkit"
	fake "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

// points are one value an hour of the last fortnight, each at the end of its hour, where keep says so.
func points(value float64, keep func(hour time.Time) bool, labels ...string) *model.SampleStream {
	stream := &model.SampleStream{Metric: fake.Sample(0, labels...).Metric}
	midnight := monday.Truncate(day)
	for at := midnight.Add(-14 * day); at.Before(midnight); at = at.Add(time.Hour) {
		if keep == nil || keep(at) {
			stream.Values = append(stream.Values, model.SamplePair{
				Timestamp: model.TimeFromUnixNano(at.Add(time.Hour).UnixNano()),
				Value:     model.SampleValue(value)})
		}
	}
	return stream
}

func observed(t *testing.T, server *fake.Server, weeks int) (Profile, error) {
	t.Helper()
	client, err := prometheus.NewClient(&http.Client{}, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	metrics := gate.DefaultMetrics().With(map[string]string{"app": "orders"})
	metrics.Exclude = map[string]string{"path": "/health"}
	return Observe(t.Context(), client, Sought{Metrics: metrics, Latency: 500 * time.Millisecond, Weeks: weeks,
		Now: monday})
}

// serve answers the three queries as a service of 4 requests/s would, of which 1 % fail and 10 % are slow.
func serve(t *testing.T, keep func(hour time.Time) bool) *fake.Server {
	t.Helper()
	server := fake.New(t)
	server.Answer("http_requests_total", model.Matrix{points(4, keep)})
	server.Answer(`code=~"5.."`, model.Matrix{points(0.04, keep)})
	server.Answer("bucket", model.Matrix{points(3, keep, "le", "0.1"), points(3.6, keep, "le", "0.5"),
		points(3.9, keep, "le", "1"), points(4, keep, "le", "+Inf")})
	return server
}

func TestObserve(t *testing.T) {
	gap := time.Date(2026, 2, 20, 5, 0, 0, 0, time.UTC)
	server := serve(t, func(hour time.Time) bool {
		return !hour.Equal(gap) && (hour.Before(monday.Add(-5*day)) || hour.After(monday.Add(-3*day)))
	})
	profile, err := observed(t, server, 3)
	if err != nil {
		t.Fatal(err)
	}
	about := cmpopts.EquateApprox(0, 1e-9)
	if diff := cmp.Diff(Hour{4, 0.01, 0.1}, profile.overall(), about); diff != "" || !profile.Durations {
		t.Errorf("durations %v: %s", profile.Durations, diff)
	}
	if profile.count() != 14-1-3 {
		t.Errorf("%d whole days", profile.count())
	}
	want := []string{"2026-02-09 to 2026-02-15 have no data", "2026-02-20 is left out: it has 23 of 24 hours",
		"2026-02-25 is left out: it has 9 of 24 hours", "2026-02-26 has no data",
		"2026-02-27 is left out: it has 14 of 24 hours", "no whole Friday was observed: the other days stand for it"}
	if diff := cmp.Diff(want, profile.Notes); diff != "" {
		t.Error(diff)
	}
	queries := []string{
		`sum(rate(http_requests_total{app="orders", path!~"/health"}[1h]))`,
		`sum(rate(http_requests_total{app="orders", path!~"/health", code=~"5.."}[1h]))`,
		`sum by (le) (rate(http_request_duration_seconds_bucket{app="orders", path!~"/health"}[1h]))`,
	}
	for i, query := range server.Asked() {
		if strings.ReplaceAll(query, " ", "") != strings.ReplaceAll(queries[i], " ", "") {
			t.Errorf("asked %s, want %s", query, queries[i])
		}
	}
}

// Without samples the error names the query that had none.
func TestObserveNamesTheQueryWithoutSamples(t *testing.T) {
	for part, set := range map[string]func(*fake.Server){
		"sum(rate(http_requests_total": func(*fake.Server) {},
		"http_request_duration_seconds_bucket": func(s *fake.Server) {
			s.Answer("http_requests_total", model.Matrix{points(4, nil)})
		},
		"from Mon 2026-02-16 00:00 UTC to Mon 2026-03-02 00:00 UTC": func(s *fake.Server) {
			gaps := func(hour time.Time) bool { return hour.Hour() != 3 }
			s.Answer("http_requests_total", model.Matrix{points(4, gaps)})
			s.Answer("bucket", model.Matrix{points(4, gaps, "le", "+Inf")})
		},
	} {
		server := fake.New(t)
		set(server)
		_, err := observed(t, server, 2)
		if _, ok := errors.AsType[*NoSamplesError](err); !ok || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %q", err, part)
		}
	}
	server := fake.New(t)
	server.Fail(errors.New("too many samples"))
	_, err := observed(t, server, 2)
	testkit.WantError(t, err, "too many samples")
}

func TestObserveWithoutABoundHasNoLatency(t *testing.T) {
	server := serve(t, nil)
	server.Answer("bucket", model.Matrix{points(4, nil, "le", "2"), points(4, nil, "le", "+Inf")})
	profile, err := observed(t, server, 2)
	if err != nil || profile.Durations || !strings.Contains(strings.Join(profile.Notes, "\n"), "latency is not forecast") {
		t.Errorf("%+v, %v", profile.Notes, err)
	}
}

type idle struct{}

func (idle) Range(context.Context, string, time.Time, time.Time, time.Duration) (model.Matrix, error) {
	return model.Matrix{points(0, nil, "le", "0.5"), points(math.NaN(), nil, "le", "+Inf")}, nil
}

func TestAServiceWithoutRequestsHasNoForecast(t *testing.T) {
	_, err := Observe(t.Context(), idle{}, Sought{Metrics: gate.DefaultMetrics(), Latency: time.Second, Weeks: 1,
		Now: monday})
	testkit.WantError(t, err, "no request in the observed time")
}

func record(start time.Time, step time.Duration, steps int, counts simulate.Counts) simulate.Traffic {
	traffic := simulate.Traffic{Start: start, Durations: true}
	for i := range steps {
		traffic.Intervals = append(traffic.Intervals, simulate.Interval{
			End: start.Add(time.Duration(i+1) * step), Canary: &counts, Stable: &counts})
	}
	return traffic
}

// A record has both tracks, and its whole days count.
func TestFromTraffic(t *testing.T) {
	profile, err := FromTraffic(record(monday, 30*time.Minute, 48*3, simulate.Counts{N: 900, K: 9, Slow: 90}), "a.csv")
	if err != nil || profile.count() != 2 || len(profile.Days[time.Tuesday]) != 1 || profile.Source != "a.csv" {
		t.Fatalf("%+v, %v", profile, err)
	}
	if diff := cmp.Diff(Hour{1, 0.01, 0.1}, profile.overall(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(profile.Notes, "no whole Sunday, Monday, Thursday, Friday or Saturday was observed: the "+
		"other days stand for it") {
		t.Errorf("%q", profile.Notes)
	}
	short, err := FromTraffic(record(monday, time.Minute, 90, simulate.Counts{N: 60}), "b.csv")
	if err != nil || math.Abs(short.overall().Rate-2) > 1e-9 || len(short.Notes) != 1 {
		t.Errorf("%+v, %v", short.Notes, err)
	}
	_, err = FromTraffic(record(monday, 2*time.Hour, 20, simulate.Counts{N: 60}), "c.csv")
	testkit.WantError(t, err, "a row every hour at least")
	_, err = FromTraffic(record(monday, time.Hour, 48, simulate.Counts{}), "d.csv")
	testkit.WantError(t, err, "no request")
	_, err = FromTraffic(simulate.Traffic{}, "e.csv")
	testkit.WantError(t, err, "empty")
}

func TestConstantRefusesWhatIsNoTraffic(t *testing.T) {
	for want, hour := range map[string]Hour{"rate 0": {}, "rate NaN": {Rate: math.NaN()}, "error share 2": {1, 2, 0},
		"slow share -1": {1, 0, -1}} {
		_, err := Constant(hour)
		testkit.WantError(t, err, want)
	}
}

// The requests of a time, and the time of the requests, agree.
func TestRequestsAndTheirTimeAgree(t *testing.T) {
	profile := diurnal(t)
	for _, wait := range []time.Duration{time.Minute, 45 * time.Minute, 13 * time.Hour, 9 * day} {
		from := monday.Add(10 * time.Minute)
		if takes := profile.takes(from, requests(profile, from, wait), 30*day); (takes - wait).Abs() > time.Second {
			t.Errorf("the requests of %v take %v", wait, takes)
		}
	}
	if most := profile.takes(monday, 1e12, 2*day); most != 2*day {
		t.Errorf("too many requests take %v", most)
	}
}

// requests is the expected number of requests of the whole service from a time on.
func requests(p Profile, from time.Time, length time.Duration) float64 {
	total := 0.0
	for at, end := from, from.Add(length); at.Before(end); {
		next := at.Truncate(time.Hour).Add(time.Hour)
		if next.After(end) {
			next = end
		}
		total += p.expected(at).Rate * next.Sub(at).Seconds()
		at = next
	}
	return total
}
