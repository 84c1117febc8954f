package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// Metrics says where a pod serves its metrics and how they are called.
type Metrics struct {
	// Port is the pods' port for scrapes; 0 for containerPort.
	Port Port   `json:"port"`
	Path string `json:"path"`
	// Scheme is http or https.
	Scheme string    `json:"scheme"`
	TLS    ScrapeTLS `json:"tls"`

	Interval       model.Duration `json:"interval"`
	RequestsTotal  string         `json:"requestsTotal"`
	StatusLabel    string         `json:"statusLabel"`
	ErrorPattern   string         `json:"errorPattern"`
	DurationBucket string         `json:"durationBucket"`
	// ScrapeClassic keeps the classic histograms of the pods where Prometheus takes native ones.
	ScrapeClassic bool `json:"scrapeClassicHistograms"`
	// DurationUnit is the unit of the buckets' bounds: s, ms or us.
	DurationUnit Unit `json:"durationUnit"`
	// Selector holds labels that a series must carry to count, for example a path.
	Selector Values `json:"selector"`
	// Matchers are conditions of PromQL that a series must meet to count.
	Matchers []Matcher `json:"matchers"`
	// Exclude has the series that count no request of a customer: the kubelet's probes, and scrapes.
	Exclude Exclusions `json:"exclude"`
	// Tracks select the series of a track, in place of the labels that a scrape of the pods gives them: $namespace, $app,
	// $deployment, $release and $track stand for the track's.
	Tracks []Matcher `json:"tracks"`
}

// ScrapeTLS says what a scrape by https expects of a pod's certificate.
type ScrapeTLS struct {
	// CA is a ConfigMap and its key, as configmap/key, with the certificates of the authorities that the pods' own are
	// checked by; empty for the public ones.
	CA string `json:"ca"`
	// ServerName is the name in the certificate; empty for the pod's address.
	ServerName string `json:"serverName"`
	// InsecureSkipVerify takes any certificate.
	InsecureSkipVerify bool `json:"insecureSkipVerify"`
}

// Schemes of a scrape.
const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
)

// Unit is the unit of a histogram's bounds: s, ms or us.
type Unit string

var units = map[Unit]struct {
	length time.Duration
	plural string
}{"s": {time.Second, "seconds"}, "ms": {time.Millisecond, "milliseconds"}, "us": {time.Microsecond, "microseconds"}}

// UnmarshalText reads s, ms or us.
func (u *Unit) UnmarshalText(text []byte) error {
	if _, known := units[Unit(text)]; !known {
		return errors.New("allowed are s, ms and us")
	}
	*u = Unit(text)
	return nil
}

// Duration is the length of the unit.
func (u Unit) Duration() time.Duration { return units[u].length }

// Plural is what people call the unit.
func (u Unit) Plural() string { return units[u].plural }

// Latency is a limit of the latency; 0 turns the criterion off.
type Latency model.Duration

const off = "off"

// UnmarshalText reads a duration, or off.
func (l *Latency) UnmarshalText(text []byte) error {
	if string(text) == off {
		*l = 0
		return nil
	}
	limit, err := model.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("a duration is a number and a unit, such as 500ms, or %s", off)
	}
	if limit == 0 {
		return fmt.Errorf("must be more than 0; to do without a limit write %s", off)
	}
	*l = Latency(limit)
	return nil
}

// UnmarshalJSON reads a text, or false, as some readers of YAML take off.
func (l *Latency) UnmarshalJSON(data []byte) error {
	if string(bytes.TrimSpace(data)) == "false" {
		*l = 0
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a duration is a number and a unit, such as 500ms, or %s", off)
	}
	return l.UnmarshalText([]byte(text))
}

// String is the limit as it is configured.
func (l Latency) String() string {
	if l == 0 {
		return off
	}
	return model.Duration(l).String()
}

// Matcher is a condition of PromQL on a label, such as path!~"/health.*".
type Matcher struct{ promql.Matcher }

// UnmarshalText reads a matcher of PromQL.
func (m *Matcher) UnmarshalText(text []byte) (err error) {
	m.Matcher, err = promql.ParseMatcher(string(text))
	if err != nil {
		return fmt.Errorf(`%w; for example path!~"/health.*" or method="POST"`, err)
	}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (m Matcher) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Exclusions have the series that count no request of a customer, in one of two forms: regular expressions of label
// values, anchored at both ends, or matchers of PromQL. A series that one of them takes is left out.
type Exclusions struct {
	Patterns Values
	Matchers []Matcher
}

// UnmarshalJSON reads an object of patterns by label, or a list of matchers. It replaces what is there.
func (e *Exclusions) UnmarshalJSON(data []byte) error {
	*e = Exclusions{}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return json.Unmarshal(data, &e.Patterns)
	}
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		return errors.New(`a list of matchers is needed, such as ["path=~\"/health.*\"", "user_agent=~\"kube-probe.*\""]`)
	}
	e.Matchers = make([]Matcher, len(texts))
	for i, text := range texts {
		if err := e.Matchers[i].UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("entry %d, %s: %w", i, text, err)
		}
	}
	return nil
}

// String is the exclusions on one line.
func (e Exclusions) String() string {
	var parts []string
	for _, label := range slices.Sorted(maps.Keys(e.Patterns)) {
		parts = append(parts, label+": "+e.Patterns[label])
	}
	for _, one := range e.Matchers {
		parts = append(parts, one.String())
	}
	return strings.Join(parts, ", ")
}

// MarshalText writes the exclusions for a reference.
func (e Exclusions) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// Conditions are the matchers that the requests of customers meet, but for those of Exclude.Patterns.
func (m Metrics) Conditions() []promql.Matcher {
	var conditions []promql.Matcher
	for _, one := range m.Matchers {
		conditions = append(conditions, one.Matcher)
	}
	for _, one := range m.Exclude.Matchers {
		conditions = append(conditions, one.Not())
	}
	return conditions
}

// TrackMatchers are those of Tracks, with the names that both tracks share.
func (m Metrics) TrackMatchers(namespace, app string) []promql.Matcher {
	var matchers []promql.Matcher
	for _, one := range m.Tracks {
		matchers = append(matchers, one.Expand(map[string]string{"namespace": namespace, "app": app}))
	}
	return matchers
}

// validateMetricsPort checks a port of the metrics' own, which the Service leads to as well.
func (s *Settings) validateMetricsPort(errs *problems) {
	if s.Metrics.Port == 0 {
		return
	}
	port(errs, "metrics.port", s.Metrics.Port)
	given := strconv.Itoa(int(s.Metrics.Port))
	switch {
	case s.Metrics.Port == s.Container:
		errs.add("metrics.port", given, errs.remove("metrics.port"), "it is containerPort already")
	case s.Metrics.Port == s.Service.Port:
		errs.add("metrics.port", given, errs.setPath("service.port", "8080"),
			"service.port has the same number, and a Service leads to one port by it")
	case s.Service.Type != "ClusterIP" && !s.IsGateway():
		errs.add("metrics.port", given, errs.setPath("service.type", "ClusterIP"),
			"a Service of type %s would publish the metrics", s.Service.Type)
	}
}

// validateScrape checks how the pods are scraped.
func (s *Settings) validateScrape(errs *problems) {
	s.validateMetricsPort(errs)
	if !strings.HasPrefix(s.Metrics.Path, "/") {
		errs.add("metrics.path", s.Metrics.Path, errs.setPath("metrics.path", "/metrics"), "must begin with /")
	}
	if s.Metrics.Scheme != schemeHTTP && s.Metrics.Scheme != schemeHTTPS {
		errs.add("metrics.scheme", s.Metrics.Scheme, errs.setPath("metrics.scheme", nearestScheme(s.Metrics.Scheme)),
			"allowed are %s and %s", schemeHTTP, schemeHTTPS)
	}
	if s.Metrics.Scheme == schemeHTTP && s.Metrics.TLS != (ScrapeTLS{}) {
		errs.add("metrics.tls", "", errs.setPath("metrics.scheme", schemeHTTPS), "metrics.scheme is %s", schemeHTTP)
	}
	if ref := s.Metrics.TLS.CA; ref != "" && !configMapKey.MatchString(ref) {
		errs.add("metrics.tls.ca", ref, errs.setPath("metrics.tls.ca", "authorities/ca.crt"),
			"allowed is configmap/key of a ConfigMap in the stack's namespace, or nothing")
	}
	if s.Metrics.Interval < model.Duration(time.Second) {
		errs.add("metrics.interval", s.Metrics.Interval.String(), errs.setPath("metrics.interval", "15s"),
			"must be at least 1s")
	}
}

func nearestScheme(given string) string {
	if strings.Contains(strings.ToLower(given), "s") {
		return schemeHTTPS
	}
	return schemeHTTP
}

// validateMetrics checks the names of the counted series.
func (s *Settings) validateMetrics(errs *problems) {
	s.validateScrape(errs)
	names := map[string]string{"metrics.requestsTotal": s.Metrics.RequestsTotal}
	if s.Criteria.Latency > 0 {
		names["metrics.durationBucket"] = s.Metrics.DurationBucket
	}
	for key, name := range names {
		if !promql.IsMetric(name) {
			errs.add(key, name, "", "no name of a metric: allowed are %s", promql.AllowedInMetric)
		}
	}
	s.validateSeries(errs)
	label := func(key, name string) {
		if !promql.IsLabel(name) {
			errs.add(key, name, "", "no name of a label: allowed are %s", promql.AllowedInLabel)
		}
	}
	label("metrics.statusLabel", s.Metrics.StatusLabel)
	for name := range s.Metrics.Selector {
		label("metrics.selector", name)
	}
	for name, pattern := range s.Metrics.Exclude.Patterns {
		label("metrics.exclude", name)
		if _, err := regexp.Compile(pattern); err != nil {
			errs.add("metrics.exclude", pattern, errs.setPath("metrics.exclude."+name, DefaultExcludedPaths),
				"no regular expression for the label %s: %v", name, err)
		}
	}
	if _, err := regexp.Compile(s.Metrics.ErrorPattern); err != nil || s.Metrics.ErrorPattern == "" {
		errs.add("metrics.errorPattern", s.Metrics.ErrorPattern, errs.setPath("metrics.errorPattern", "5.."),
			"no regular expression for a status: %v", err)
	}
	s.validateTracks(errs)
}

// validateSeries refuses names that are no counters: a histogram's own, as a native one has, and the sum of its values.
func (s *Settings) validateSeries(errs *problems) {
	requests, durations := s.Metrics.RequestsTotal, s.Metrics.DurationBucket
	for _, ending := range []string{"_bucket", "_sum"} {
		if histogram, ok := strings.CutSuffix(requests, ending); ok {
			errs.add("metrics.requestsTotal", requests, errs.setPath("metrics.requestsTotal", histogram+"_count"),
				"a counter of requests is needed; that of a histogram ends in _count")
		}
	}
	if s.Criteria.Latency > 0 && durations != "" && !strings.Contains(durations, "bucket") {
		name := strings.TrimSuffix(strings.TrimSuffix(durations, "_sum"), "_count")
		errs.add("metrics.durationBucket", durations, errs.setPath("metrics.durationBucket", name+"_bucket"),
			"the buckets of a classic histogram are needed, whose names end in _bucket; of a native one alone there are none, "+
				"and criteria.latency: off does without")
	}
}

// validateTracks refuses matchers that do not distinguish the tracks: each would count the other's requests.
func (s *Settings) validateTracks(errs *problems) {
	if len(s.Metrics.Tracks) == 0 {
		return
	}
	apart := func(one Matcher) bool {
		return strings.Contains(one.Value, "$deployment") || strings.Contains(one.Value, "$track")
	}
	if !slices.ContainsFunc(s.Metrics.Tracks, apart) {
		errs.add("metrics.tracks", "", errs.setPath("'metrics.tracks[0]'", `'pod=~"$deployment-.*"'`),
			"no matcher tells the tracks apart: one needs $deployment or $track, such as "+
				`destination_workload="$deployment"`)
	}
}
