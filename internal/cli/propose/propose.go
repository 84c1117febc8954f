// Package propose reads a page of metrics and proposes the settings by which the gates count the requests on it. It is
// pure: a page becomes a proposal with its reasons.
package propose

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Proposal is what to write into the stack's file. Fields are empty where nothing fits.
type Proposal struct {
	// Requests is the counter, Status its label, ErrorPattern the statuses that are errors.
	Requests     string `json:"requestsTotal"`
	Status       string `json:"statusLabel"`
	ErrorPattern string `json:"errorPattern"`
	// Histogram is that of the durations by its _bucket series, Unit the unit of its bounds: s, ms or us.
	Histogram string `json:"durationBucket,omitempty"`
	Unit      string `json:"durationUnit,omitempty"`
	// Latency is a bound of the histogram; 0 without one.
	Latency time.Duration `json:"latency"`
	// PathLabel is the label with the path, Probes the values of it that no customer asks for.
	PathLabel string   `json:"pathLabel,omitempty"`
	Probes    []string `json:"probes,omitempty"`
	// Notes say why, and what a person has to look at.
	Notes []string `json:"notes,omitempty"`
}

// mostBytes bounds a page.
const mostBytes = 16 << 20

// FromPage reads a page in the text format of Prometheus. A page without a counter of requests by status is an error
// that names what the page has.
func FromPage(page io.Reader) (Proposal, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(page, mostBytes))
	if err != nil {
		return Proposal{}, fmt.Errorf("this is no page of metrics in the text format of Prometheus: %w", err)
	}
	candidates := counters(families)
	if len(candidates) == 0 {
		return Proposal{}, none(families)
	}
	best := candidates[0]
	p := Proposal{Requests: best.name, Status: best.status, ErrorPattern: best.errors, PathLabel: best.path,
		Probes: best.probes}
	for _, candidate := range candidates[1:] {
		p.Notes = append(p.Notes, fmt.Sprintf("another counter by status: %s (label %s)", candidate.name, candidate.status))
	}
	if best.path == "" {
		p.Notes = append(p.Notes, "no label of it names the path: probes and scrapes count as requests unless the service "+
			"leaves them out of its counter")
	} else if len(best.probes) == 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("no value of the label %s looks like a probe: ask again when the pod has run "+
			"for a minute", best.path))
	}
	p.durations(families, best)
	return p, nil
}

// counter is a counter of requests by status.
type counter struct {
	name, status, errors string
	path                 string
	probes               []string
	score                int
}

// status recognizes the values of a label with a status: 200, or 2xx.
var status = regexp.MustCompile(`^([1-5][0-9]{2}|[1-5](xx|XX))$`)

// pathLabels are the usual names of a label with the path, the likeliest first.
var pathLabels = []string{"path", "uri", "route", "http_route", "http.route", "handler", "endpoint", "url", "url_path",
	"url.path"}

// probe recognizes the paths of probes and scrapes.
var probe = regexp.MustCompile(`(?i)^/?(.*/)?(health|healthz|healthcheck|livez|readyz|ready|live|liveness|readiness|metrics|` +
	`prometheus|ping|actuator(/.*)?|version)(/.*)?$`)

// counters lists the counters of requests by status, the best first: those of the server's requests, and of these the
// ones that know the path.
func counters(families map[string]*dto.MetricFamily) []counter {
	var list []counter
	for _, name := range slices.Sorted(maps.Keys(families)) {
		family := families[name]
		series := name
		switch family.GetType() {
		case dto.MetricType_COUNTER, dto.MetricType_UNTYPED:
		case dto.MetricType_HISTOGRAM, dto.MetricType_SUMMARY:
			series = name + "_count"
		default:
			continue
		}
		values := labelValues(family)
		label := statusLabel(values)
		if label == "" {
			continue
		}
		one := counter{name: series, status: label, errors: "5..", score: scoreOf(name)}
		if slices.ContainsFunc(values[label], func(v string) bool { return strings.HasSuffix(strings.ToLower(v), "xx") }) {
			one.errors = "5xx|5XX"
		}
		for _, path := range pathLabels {
			if labels := values[path]; len(labels) > 0 {
				one.path, one.score = path, one.score+4
				one.probes = slices.DeleteFunc(slices.Clone(labels), func(v string) bool { return !probe.MatchString(v) })
				break
			}
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b counter) int { return cmp.Compare(b.score, a.score) })
	return list
}

// scoreOf says how much a name is that of a server's requests.
func scoreOf(name string) int {
	score := 0
	for word, points := range map[string]int{
		"http": 3, "request": 3, "server": 2, "istio_requests": 3, "_total": 1, "client": -8, "outgoing": -8, "upstream": -4,
		"promhttp": -8, "size": -4, "bytes": -4, "error": -3, "rest_": -6,
	} {
		if strings.Contains(strings.ToLower(name), word) {
			score += points
		}
	}
	return score
}

// statusLabel is the label whose values are all statuses.
func statusLabel(values map[string][]string) string {
	best := ""
	for _, label := range slices.Sorted(maps.Keys(values)) {
		isStatus := len(values[label]) > 0 && !slices.ContainsFunc(values[label],
			func(v string) bool { return !status.MatchString(v) })
		named := strings.Contains(label, "code") || strings.Contains(label, "status")
		if isStatus && (best == "" || named) {
			best = label
		}
	}
	return best
}

func labelValues(family *dto.MetricFamily) map[string][]string {
	values := map[string][]string{}
	for _, metric := range family.GetMetric() {
		for _, pair := range metric.GetLabel() {
			if value := pair.GetValue(); !slices.Contains(values[pair.GetName()], value) {
				values[pair.GetName()] = append(values[pair.GetName()], value)
			}
		}
	}
	for _, list := range values {
		slices.Sort(list)
	}
	return values
}

// units are the endings of names by their unit, and how long the unit is.
var units = []struct {
	ending, unit string
	length       time.Duration
}{{"_seconds", "s", time.Second}, {".seconds", "s", time.Second}, {"_milliseconds", "ms", time.Millisecond},
	{"_ms", "ms", time.Millisecond}, {"_microseconds", "us", time.Microsecond}, {"_us", "us", time.Microsecond}}

// durations proposes the histogram of the durations of what the counter counts.
func (p *Proposal) durations(families map[string]*dto.MetricFamily, of counter) {
	best, score := "", 0
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if families[name].GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		points := scoreOf(name)
		for _, word := range []string{"duration", "latency", "seconds", "time"} {
			if strings.Contains(name, word) {
				points += 2
				break
			}
		}
		if name == strings.TrimSuffix(of.name, "_count") {
			points += 5
		}
		if points > score {
			best, score = name, points
		}
	}
	const usual = 500 * time.Millisecond
	if best == "" || score < 3 {
		p.Notes = append(p.Notes, "no histogram of durations: criteria.latency is off until the service has one")
		return
	}
	bounds := boundsOf(families[best])
	if len(bounds) == 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s has no classic buckets: a native histogram alone gives no "+
			"latency, and a Prometheus that takes native ones has no %s_count", best, best))
		return
	}
	unit := unitOf(best, bounds)
	p.Histogram, p.Unit = best+"_bucket", unit.unit
	p.Latency = nearest(bounds, unit.length, usual)
	if p.Latency != usual {
		p.Notes = append(p.Notes, fmt.Sprintf("no bucket bound at %v: %v is the nearest one, where counts are exact", usual,
			p.Latency))
	}
}

type unit struct {
	unit   string
	length time.Duration
}

// unitOf is the unit that the name ends in, or else that of its bounds: nobody waits 100 seconds in every bucket.
func unitOf(name string, bounds []float64) unit {
	for _, known := range units {
		if strings.HasSuffix(name, known.ending) {
			return unit{known.unit, known.length}
		}
	}
	switch highest := slices.Max(bounds); {
	case highest > 1e5:
		return unit{"us", time.Microsecond}
	case highest > 120:
		return unit{"ms", time.Millisecond}
	default:
		return unit{"s", time.Second}
	}
}

func boundsOf(family *dto.MetricFamily) []float64 {
	var bounds []float64
	for _, metric := range family.GetMetric() {
		for _, bucket := range metric.GetHistogram().GetBucket() {
			if bound := bucket.GetUpperBound(); !math.IsInf(bound, 0) && !slices.Contains(bounds, bound) {
				bounds = append(bounds, bound)
			}
		}
	}
	slices.Sort(bounds)
	return bounds
}

// nearest is the bound that is nearest to a limit, by their ratio.
func nearest(bounds []float64, unit, limit time.Duration) time.Duration {
	ratio := func(bound float64) float64 { return math.Abs(math.Log(bound * float64(unit) / float64(limit))) }
	best := slices.MinFunc(bounds, func(a, b float64) int { return cmp.Compare(ratio(a), ratio(b)) })
	return time.Duration(math.Round(best * float64(unit)))
}

// none is the error of a page without a counter of requests by status.
func none(families map[string]*dto.MetricFamily) error {
	var similar []string
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if strings.Contains(name, "http") || strings.Contains(name, "request") {
			similar = append(similar, name)
		}
	}
	const help = "docs/metrics.md shows the few lines that add one"
	if len(similar) == 0 {
		return errors.New("the page has no metric of HTTP requests: " + help)
	}
	return fmt.Errorf("no metric of the page counts requests by their status; it has %s: %s", strings.Join(similar, ", "),
		help)
}
