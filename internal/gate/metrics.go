package gate

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/names"
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
	// Matchers are further conditions that every counted series meets.
	Matchers []promql.Matcher `json:",omitempty"`
	// Exclude has the series that count no request of a customer, such as those of probes and scrapes: regular
	// expressions of label values, anchored at both ends. A series counts unless one of them matches.
	Exclude map[string]string
	// Tracks select the series of a track in place of TrackLabel and VersionLabel, where another server counts the
	// requests or a series names its pod alone; see [Metrics.For]. App is the service's name, for its Deployments.
	Tracks []promql.Matcher `json:",omitempty"`
	App    string           `json:",omitempty"`
	// Track are the matchers of the track that the metrics select by Tracks.
	Track []promql.Matcher `json:"-"`
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

// Select selects the counted series of a metric that meet further matchers: the requests of customers.
func (m Metrics) Select(metric string, more ...promql.Matcher) (string, error) {
	return promql.Selector(metric, m.Selector, slices.Concat(m.Track, m.Customers(), more)...)
}

// SelectAll selects the series of a metric with those that count no request of a customer.
func (m Metrics) SelectAll(metric string) (string, error) {
	return promql.Selector(metric, m.Selector, m.Track...)
}

// Failed selects the counter of requests with a bad status.
func (m Metrics) Failed() (string, error) {
	return m.Select(m.RequestsTotal, promql.Matches(m.StatusLabel, m.ErrorPattern))
}

// Customers are the matchers that leave the requests of customers: Matchers, and the opposites of Exclude. One of
// Exclude on a label with an exact value is not needed.
func (m Metrics) Customers() []promql.Matcher {
	matchers := slices.Clone(m.Matchers)
	for _, label := range slices.Sorted(maps.Keys(m.Exclude)) {
		if !m.isExact(label) {
			matchers = append(matchers, promql.Matches(label, m.Exclude[label]).Not())
		}
	}
	return matchers
}

// isExact reports whether the counted series have one value of the label.
func (m Metrics) isExact(label string) bool {
	_, exact := m.Selector[label]
	return exact || slices.ContainsFunc(m.Matchers, func(one promql.Matcher) bool {
		return one.Label == label && one.IsExact()
	})
}

// Excludes reports whether a series counts no request of a customer. An expression that is not valid excludes nothing.
func (m Metrics) Excludes(labels model.Metric) bool {
	for _, one := range m.Customers() {
		meets, err := one.Compile()
		if err == nil && !meets(string(labels[model.LabelName(one.Label)])) {
			return true
		}
	}
	return false
}

// For is a copy that selects the series of a track, and of a release unless it is empty.
func (m Metrics) For(track, release string) Metrics {
	if len(m.Tracks) > 0 {
		return m.forTracks(track, release)
	}
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

// forTracks is For by the matchers of Tracks.
func (m Metrics) forTracks(track, release string) Metrics {
	m.Track, m.Pods = nil, nil
	for _, one := range m.Tracks {
		if value, known := m.ofTrack(one, track, release); known {
			one.Value = value
			m.Track = append(m.Track, one)
		}
	}
	return m
}

// ofTrack replaces $track, $release and $deployment in a matcher's value by those of the track. It is false where the
// release is asked for and not known: the matcher would take nothing.
func (m Metrics) ofTrack(one promql.Matcher, track, release string) (value string, known bool) {
	deployment := names.StableDeployment(m.App)
	if track == names.Canary {
		deployment = names.CanaryDeployment(m.App, release)
		known = release != "" || !strings.Contains(one.Value, "$deployment")
	} else {
		known = true
	}
	known = known && (release != "" || !strings.Contains(one.Value, "$release"))
	return one.Expand(map[string]string{"track": track, "release": release, "deployment": deployment}).Value, known
}

// podsOfTrack are the matchers of the track if they are about pods alone: only then does the track's process tell its
// own age. Requests that a gateway counts say nothing about the pods behind it.
func (m Metrics) podsOfTrack() []promql.Matcher {
	if slices.ContainsFunc(m.Track, func(one promql.Matcher) bool { return !podLabels[model.LabelName(one.Label)] }) {
		return nil
	}
	return m.Track
}

// Validate returns an error that names every invalid name and value.
func (m Metrics) Validate() error {
	var problems []error
	for _, metric := range []string{m.RequestsTotal, m.DurationBucket} {
		if _, err := m.Select(metric); err != nil {
			problems = append(problems, fmt.Errorf("metrics: %w", err))
		}
	}
	if !promql.IsLabel(m.StatusLabel) {
		problems = append(problems, fmt.Errorf(
			"metrics: statusLabel %q is not a label name: %s are allowed", m.StatusLabel, promql.AllowedInLabel))
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
// display; the gates count raw samples. Where Tracks select the track, the series have no label for it.
func (m Metrics) Increase(window time.Duration) (string, error) {
	selector, err := m.Select(m.RequestsTotal)
	if err != nil {
		return "", err
	}
	if len(m.Tracks) > 0 {
		return promql.Sum(promql.Increase(selector, window)), nil
	}
	return promql.Sum(promql.Increase(selector, window), m.TrackLabel), nil
}
