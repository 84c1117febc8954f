package gate

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// Metrics names a service's metrics and selects the series of the release. [DefaultMetrics] has the usual names.
type Metrics struct {
	// RequestsTotal is the counter of requests and StatusLabel its label for the status.
	RequestsTotal string
	StatusLabel   string
	// ErrorPattern is the regular expression of a bad status, anchored at both ends as in PromQL.
	ErrorPattern string
	// DurationBucket is the counter of a classic histogram's buckets, DurationUnit the unit of their bounds.
	DurationBucket string
	DurationUnit   time.Duration
	// TrackLabel and VersionLabel are the labels that distinguish the tracks and the releases.
	TrackLabel   string
	VersionLabel string
	// Selector has the labels that every counted series has, with their exact values.
	Selector map[string]string
	// Exclude has the series that count no request of a customer, such as those of probes and scrapes: regular
	// expressions of label values, anchored at both ends. A series counts unless one of them matches.
	Exclude map[string]string
	// Pods has the labels that Prometheus puts on every series of the pods. They select the series that tell how old a
	// process is; without them its age is unknown.
	Pods map[string]string
	// ScrapeInterval is the time between scrapes of a pod; 0 infers it from the samples.
	ScrapeInterval time.Duration
	// Lookback is the time before a window in which the base of its counts is searched; 0 means 5 minutes. The first
	// sample of a process without one is the base, unless the process is younger than the window.
	Lookback time.Duration
}

// DefaultMetrics has the names that Prometheus' client libraries and the finance service use. It selects every series.
func DefaultMetrics() Metrics {
	return Metrics{
		RequestsTotal: "http_requests_total", StatusLabel: "code", ErrorPattern: "5..",
		DurationBucket: "http_request_duration_seconds_bucket", DurationUnit: time.Second,
		TrackLabel: "track", VersionLabel: "version",
		Lookback: defaultLookback,
	}
}

const defaultLookback = 5 * time.Minute

// With is a copy that also selects by the labels.
func (m Metrics) With(labels map[string]string) Metrics {
	selector := maps.Clone(m.Selector)
	if selector == nil {
		selector = map[string]string{}
	}
	maps.Copy(selector, labels)
	m.Selector = selector
	return m
}

// selector selects the counted series of a metric.
func (m Metrics) selector(metric string, patterns ...promql.Pattern) (string, error) {
	return promql.Selector(metric, m.Selector, append(m.Excluded(), patterns...)...)
}

// Excluded are the patterns that leave out the series of Exclude. One on a label with an exact value is not needed.
func (m Metrics) Excluded() []promql.Pattern {
	var patterns []promql.Pattern
	for _, label := range slices.Sorted(maps.Keys(m.Exclude)) {
		if _, exact := m.Selector[label]; !exact {
			patterns = append(patterns, promql.Pattern{Label: label, Expression: m.Exclude[label], Not: true})
		}
	}
	return patterns
}

// Excludes reports whether a series counts no request of a customer. An expression that is not valid matches nothing.
func (m Metrics) Excludes(labels model.Metric) bool {
	for _, pattern := range m.Excluded() {
		expression, err := regexp.Compile(anchored(pattern.Expression))
		if err == nil && expression.MatchString(string(labels[model.LabelName(pattern.Label)])) {
			return true
		}
	}
	return false
}

// For is a copy that selects the series of a track, and of a release unless it is empty.
func (m Metrics) For(track, release string) Metrics {
	labels := map[string]string{m.TrackLabel: track}
	if release != "" {
		labels[m.VersionLabel] = release
	}
	pods := maps.Clone(m.Pods)
	if pods == nil {
		pods = map[string]string{}
	}
	maps.Copy(pods, labels)
	m.Pods = pods
	return m.With(labels)
}

// Validate returns an error that names every invalid name and value.
func (m Metrics) Validate() error {
	var problems []error
	for _, metric := range []string{m.RequestsTotal, m.DurationBucket} {
		if _, err := m.selector(metric); err != nil {
			problems = append(problems, fmt.Errorf("metrics: %w", err))
		}
	}
	if !model.LegacyValidation.IsValidLabelName(m.StatusLabel) {
		problems = append(problems, fmt.Errorf(
			"metrics: statusLabel %q is not a label name: letters, digits and _ are allowed", m.StatusLabel))
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
	selector, err := m.selector(m.RequestsTotal)
	if err != nil {
		return "", err
	}
	return promql.Sum(promql.Increase(selector, window), m.TrackLabel), nil
}
