package forecast

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Ranger answers a range query. The Client of internal/prometheus does.
type Ranger interface {
	Range(ctx context.Context, query string, start, end time.Time, step time.Duration) (model.Matrix, error)
}

// Sought is the traffic to read from Prometheus.
type Sought struct {
	// Metrics select the service's series of both tracks.
	Metrics gate.Metrics
	// Latency is the limit of a slow request; 0 where latency is not judged.
	Latency time.Duration
	// Weeks are the weeks to read, up to the last midnight in UTC before Now.
	Weeks int
	Now   time.Time
}

// NoSamplesError is a query that had no samples.
type NoSamplesError struct {
	Query      string
	From, Till time.Time
}

// Error names the query, so that it can be tried elsewhere.
func (e *NoSamplesError) Error() string {
	return fmt.Sprintf("no samples from %s to %s: %s", stamp(e.From), stamp(e.Till), e.Query)
}

// Observe reads the profile of the last weeks: one point for each hour. Days without all their hours are left out and
// named. A query without samples, and a service without any whole day, are a *NoSamplesError.
func Observe(ctx context.Context, server Ranger, sought Sought) (Profile, error) {
	until := sought.Now.UTC().Truncate(day)
	first := until.Add(-time.Duration(sought.Weeks) * 7 * day)
	queries, err := sought.queries()
	if err != nil {
		return Profile{}, err
	}
	ask := func(query string) (model.Matrix, error) {
		// A point is of the hour before it.
		return server.Range(ctx, query, first.Add(time.Hour), until, time.Hour)
	}
	requests, err := ask(queries.requests)
	if err != nil {
		return Profile{}, err
	}
	failed, err := ask(queries.failed)
	if err != nil {
		return Profile{}, err
	}
	var buckets model.Matrix
	if sought.Latency > 0 {
		if buckets, err = ask(queries.buckets); err != nil {
			return Profile{}, err
		}
	}
	switch {
	case len(requests) == 0:
		return Profile{}, &NoSamplesError{Query: queries.requests, From: first, Till: until}
	case len(buckets) == 0 && sought.Latency > 0:
		return Profile{}, &NoSamplesError{Query: queries.buckets, From: first, Till: until}
	}
	hours := map[time.Time]tally{}
	each(requests, func(at time.Time, rate float64, _ model.Metric) {
		hours[at] = tally{n: rate * time.Hour.Seconds(), counted: true}
	})
	each(failed, func(at time.Time, rate float64, _ model.Metric) {
		sum := hours[at]
		sum.failed = rate * time.Hour.Seconds()
		hours[at] = sum
	})
	within := sought.slow(buckets, hours)
	profile := fromHours(hours, first, until)
	profile.Durations = within
	if profile.empty() {
		return Profile{}, &NoSamplesError{Query: queries.requests, From: first, Till: until}
	}
	profile.Source = fmt.Sprintf("Prometheus, %d whole days from %s to %s", profile.count(),
		first.Format(time.DateOnly), until.Add(-day).Format(time.DateOnly))
	if !within && sought.Latency > 0 {
		profile.Notes = append(profile.Notes, fmt.Sprintf("latency is not forecast: no bucket up to %v in %s",
			sought.Latency, queries.buckets))
	}
	return profile.check()
}

type queries struct{ requests, failed, buckets string }

func (s Sought) queries() (queries, error) {
	m := s.Metrics
	all, err := m.Select(m.RequestsTotal)
	if err != nil {
		return queries{}, err
	}
	bad, err := m.Failed()
	if err != nil {
		return queries{}, err
	}
	buckets, err := m.Select(m.DurationBucket)
	if err != nil {
		return queries{}, err
	}
	return queries{
		requests: promql.Sum(promql.Rate(all, time.Hour)), failed: promql.Sum(promql.Rate(bad, time.Hour)),
		buckets: promql.Sum(promql.Rate(buckets, time.Hour), model.BucketLabel),
	}, nil
}

// each visits the finite points of all series, by the beginning of their hour.
func each(matrix model.Matrix, visit func(at time.Time, rate float64, labels model.Metric)) {
	for _, series := range matrix {
		for _, sample := range series.Values {
			if value := float64(sample.Value); !math.IsNaN(value) && !math.IsInf(value, 0) {
				visit(sample.Timestamp.Time().UTC().Add(-time.Hour).Truncate(time.Hour), max(value, 0), series.Metric)
			}
		}
	}
}

// slow adds the share of the requests above the highest bound up to the limit: those that a pass counts as slow. It
// returns false without such a bound.
func (s Sought) slow(buckets model.Matrix, hours map[time.Time]tally) bool {
	unit := s.Metrics.DurationUnit
	if unit == 0 {
		unit = time.Second
	}
	limit, best := float64(s.Latency)/float64(unit), math.Inf(-1)
	bounds := map[time.Time]map[float64]float64{}
	each(buckets, func(at time.Time, rate float64, labels model.Metric) {
		bound, err := strconv.ParseFloat(strings.TrimSpace(string(labels[model.BucketLabel])), 64)
		if err != nil {
			return
		}
		if bound <= limit*(1+1e-9) {
			best = max(best, bound)
		}
		if bounds[at] == nil {
			bounds[at] = map[float64]float64{}
		}
		bounds[at][bound] += rate
	})
	if math.IsInf(best, -1) {
		return false
	}
	for at, rates := range bounds {
		sum, known := hours[at]
		if all := rates[math.Inf(1)]; known && all > 0 {
			sum.slow = sum.n * (1 - rates[best]/all)
			hours[at] = sum
		}
	}
	return true
}

func (p Profile) count() int {
	total := 0
	for _, days := range p.Days {
		total += len(days)
	}
	return total
}

// missing collects the days that are not whole, neighbours together.
type missing struct {
	spans []span
}

type span struct {
	first, last time.Time
	// hours are those that a single day has.
	hours int
}

func (m *missing) add(at time.Time, hours int) {
	if n := len(m.spans); n > 0 && hours == 0 && m.spans[n-1].hours == 0 && m.spans[n-1].last.Add(day).Equal(at) {
		m.spans[n-1].last = at
		return
	}
	m.spans = append(m.spans, span{at, at, hours})
}

func (m *missing) notes() []string {
	var notes []string
	for _, s := range m.spans {
		from := s.first.Format(time.DateOnly)
		switch {
		case s.hours > 0:
			notes = append(notes, fmt.Sprintf("%s is left out: it has %d of 24 hours", from, s.hours))
		case s.first.Equal(s.last):
			notes = append(notes, fmt.Sprintf("%s has no data", from))
		default:
			notes = append(notes, fmt.Sprintf("%s to %s have no data", from, s.last.Format(time.DateOnly)))
		}
	}
	return notes
}
