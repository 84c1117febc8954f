package shifttest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Prometheus holds one fast request a second for every track since Begin.
type Prometheus struct {
	Begin time.Time
	// Failing is the share of the canary's requests that fail, 0 to 1.
	Failing float64
	// Every is the interval of its scrapes; 0 for 15 seconds.
	Every time.Duration
	// Offline lets every query fail.
	Offline bool
}

var errOffline = errors.New("prometheus cannot be reached")

// Samples implements soak.Server.
func (p Prometheus) Samples(_ context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	switch {
	case p.Offline:
		return nil, errOffline
	case strings.HasPrefix(selector, "up{"):
		return model.Matrix{{Values: p.scraped(start, end, func(time.Time) float64 { return 1 })}}, nil
	case strings.HasPrefix(selector, "process_start_time_seconds"):
		return model.Matrix{{Values: p.scraped(start, end, func(time.Time) float64 { return float64(p.Begin.Unix()) })}}, nil
	case strings.HasPrefix(selector, "process_"):
		return nil, nil // the service does not tell what it needs
	}
	count := func(at time.Time) float64 { return float64(at.Unix() - p.Begin.Unix()) }
	if strings.HasPrefix(selector, "http_request_duration") {
		return model.Matrix{{Metric: model.Metric{"le": "0.5"}, Values: p.scraped(start, end, count)},
			{Metric: model.Metric{"le": "+Inf"}, Values: p.scraped(start, end, count)}}, nil
	}
	failed := func(at time.Time) float64 {
		if !strings.Contains(selector, `track="canary"`) {
			return 0
		}
		return float64(int(count(at) * p.Failing))
	}
	good := func(at time.Time) float64 { return count(at) - failed(at) }
	return model.Matrix{{Metric: model.Metric{"code": "200"}, Values: p.scraped(start, end, good)},
		{Metric: model.Metric{"code": "500"}, Values: p.scraped(start, end, failed)}}, nil
}

// scraped are the values of a series at the scrapes after start up to end.
func (p Prometheus) scraped(start, end time.Time, value func(time.Time) float64) []model.SamplePair {
	every := p.Every
	if every == 0 {
		every = 15 * time.Second
	}
	var samples []model.SamplePair
	for at := start.Truncate(every).Add(every); !at.After(end); at = at.Add(every) {
		samples = append(samples, model.SamplePair{Timestamp: model.TimeFromUnix(at.Unix()),
			Value: model.SampleValue(value(at))})
	}
	return samples
}

// LabelValues implements soak.Server.
func (p Prometheus) LabelValues(context.Context, string, string, time.Time, time.Time) ([]string, error) {
	return nil, nil
}

// Ask implements soak.Server. No alert fires, and no query has an answer.
func (p Prometheus) Ask(context.Context, string, time.Time) (model.Value, error) {
	if p.Offline {
		return nil, errOffline
	}
	return model.Vector{}, nil
}
