package gate

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// Metrics says how a service calls its metrics and which series belong to the release. [DefaultMetrics] has the usual
// names.
type Metrics struct {
	// RequestsTotal is the counter of requests and StatusLabel its label for the status.
	RequestsTotal string
	StatusLabel   string
	// ErrorPattern is the regular expression of a bad status, anchored at both ends as in PromQL.
	ErrorPattern string
	// DurationBucket is the counter of a classic histogram's buckets, DurationUnit the unit of their bounds.
	DurationBucket string
	DurationUnit   time.Duration
	// TrackLabel and VersionLabel are the labels of the series that tell the tracks and the releases apart.
	TrackLabel   string
	VersionLabel string
	// Selector has the labels that a series must carry with exactly these values.
	Selector map[string]string
	// ScrapeInterval is how often the pods are scraped; 0 infers it from the samples.
	ScrapeInterval time.Duration
	// Lookback is how long before a window the sample that its counts start from may lie; 0 means 5 minutes. A series
	// without one counts from 0.
	Lookback time.Duration
}

// DefaultMetrics has the names that the Prometheus client libraries and the finance service use, and selects every
// series.
func DefaultMetrics() Metrics {
	return Metrics{
		RequestsTotal: "http_requests_total", StatusLabel: "code", ErrorPattern: "5..",
		DurationBucket: "http_request_duration_seconds_bucket", DurationUnit: time.Second,
		TrackLabel: "track", VersionLabel: "version",
		Lookback: defaultLookback,
	}
}

const defaultLookback = 5 * time.Minute

// With adds labels to the selector of a copy.
func (m Metrics) With(labels map[string]string) Metrics {
	selector := maps.Clone(m.Selector)
	if selector == nil {
		selector = map[string]string{}
	}
	maps.Copy(selector, labels)
	m.Selector = selector
	return m
}

// For selects the series of a track and, unless it is empty, of a release.
func (m Metrics) For(track, release string) Metrics {
	labels := map[string]string{m.TrackLabel: track}
	if release != "" {
		labels[m.VersionLabel] = release
	}
	return m.With(labels)
}

// Validate says what is wrong with the names.
func (m Metrics) Validate() error {
	var problems []error
	for _, metric := range []string{m.RequestsTotal, m.DurationBucket} {
		if _, err := promql.Selector(metric, m.Selector); err != nil {
			problems = append(problems, fmt.Errorf("metrics: %w", err))
		}
	}
	if !model.LegacyValidation.IsValidLabelName(m.StatusLabel) {
		problems = append(problems, fmt.Errorf("metrics: statusLabel %q is no label name: letters, digits and _ are allowed",
			m.StatusLabel))
	}
	if m.ErrorPattern == "" {
		problems = append(problems,
			errors.New(`metrics: errorPattern is empty: give a regular expression for a status, such as "5.."`))
	}
	if _, err := regexp.Compile(anchored(m.ErrorPattern)); err != nil {
		problems = append(problems, fmt.Errorf("metrics: errorPattern %q: %w", m.ErrorPattern, err))
	}
	if m.DurationUnit < 0 || m.ScrapeInterval < 0 || m.Lookback < 0 {
		problems = append(problems, errors.New("metrics: durationUnit, scrapeInterval and lookback must not be negative"))
	}
	return errors.Join(problems...)
}

func (m Metrics) lookback() time.Duration {
	if m.Lookback == 0 {
		return defaultLookback
	}
	return m.Lookback
}

func (m Metrics) durationUnit() time.Duration {
	if m.DurationUnit == 0 {
		return time.Second
	}
	return m.DurationUnit
}

func anchored(pattern string) string { return "^(?:" + pattern + ")$" }

// Increase is the query for the requests of each track over the window before now, extrapolated by PromQL. It is for
// display; the gates count raw samples.
func (m Metrics) Increase(window time.Duration) (string, error) {
	selector, err := promql.Selector(m.RequestsTotal, m.Selector)
	if err != nil {
		return "", err
	}
	return promql.Sum(promql.Increase(selector, window), m.TrackLabel), nil
}
