package guard

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Names select the counters of a pod and say what each counts.
type Names struct {
	// Requests is the counter of requests, Status its label with the status, and Error the pattern of a bad status.
	Requests, Status string
	Error            *regexp.Regexp
	// Bucket is the histogram's bucket counter; Limit is the bound above which a request is slow, in the histogram's
	// unit.
	Bucket string
	Limit  float64
	// Selector has the labels that a series must carry to count.
	Selector map[string]string
	// Conditions are those on labels that a series must meet to count.
	Conditions []condition
}

// condition is a matcher with its test.
type condition struct {
	promql.Matcher
	meets func(value string) bool
}

// NewNames makes the names for the gate's metrics, the labels that the pods' series must carry, and the latency above
// which a request is slow; 0 leaves the histogram out. It returns an error when the metrics are not valid.
func NewNames(metrics gate.Metrics, selector map[string]string, limit time.Duration) (*Names, error) {
	if err := metrics.Validate(); err != nil {
		return nil, err
	}
	pattern, err := regexp.Compile("^(?:" + metrics.ErrorPattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("error pattern %q: %w", metrics.ErrorPattern, err)
	}
	unit := metrics.DurationUnit
	if unit == 0 {
		unit = time.Second
	}
	names := &Names{
		Requests: metrics.RequestsTotal, Status: metrics.StatusLabel, Error: pattern,
		Bucket: metrics.DurationBucket, Limit: float64(limit) / float64(unit), Selector: selector,
	}
	if limit == 0 {
		names.Bucket = ""
	}
	for _, matcher := range metrics.Customers() {
		if _, exact := selector[matcher.Label]; exact {
			continue
		}
		meets, err := matcher.Compile()
		if err != nil {
			return nil, err
		}
		names.Conditions = append(names.Conditions, condition{matcher, meets})
	}
	return names, nil
}

// accept is the format that a pod is asked for. Names beyond the classic characters need the newer one; a library that
// does not know it answers in the older one, with _ in their place.
func (n *Names) accept() string {
	for _, name := range []string{n.Requests, n.Bucket, n.Status} {
		if name != "" && !promql.IsClassic(name) {
			return "text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.5"
		}
	}
	return "text/plain;version=0.0.4"
}

// declares reports whether a line of a page gives the type of the counter of requests, which may have no series yet.
func (n *Names) declares(line []byte) bool {
	name, isType := bytes.CutPrefix(line, []byte("# TYPE "))
	end := bytes.LastIndexByte(bytes.TrimRight(name, " "), ' ')
	return isType && end >= 0 && string(bytes.Trim(name[:end], ` "`)) == n.Requests
}

// role is what a series counts.
type role uint8

const (
	ignored role = iota
	// odd series belong to a counted metric and lack what counting them needs.
	odd
	succeeded
	failed
	// within are buckets with a finite bound from the latency limit on.
	within
	everything
)

// kind is the role of a series, and the bound of a bucket.
type kind struct {
	role  role
	bound float64
	// why says what an odd series lacks.
	why error
	// lacks is the name of a label that the selector asks for and the series does not have; empty if it has all.
	lacks string
}

// classify determines what a series counts. Prometheus' own parser reads the labels.
func (n *Names) classify(key []byte) (kind, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(append(bytes.Clone(key), " 0\n"...)))
	if err != nil {
		return kind{}, fmt.Errorf("series %.200s: %w", key, err)
	}
	for name, family := range families {
		if len(family.Metric) != 1 {
			break
		}
		labels := map[string]string{}
		for _, pair := range family.Metric[0].GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		return n.kind(name, labels), nil
	}
	return kind{}, fmt.Errorf("cannot parse series %.200s", key)
}

// kind is that of a series. A label of the selector that Prometheus puts on a series when it scrapes it is none of the
// pod's: a series without it is selected.
func (n *Names) kind(name string, labels map[string]string) kind {
	for label := range n.Selector {
		if _, has := labels[label]; !has && !gate.IsScrapeLabel(label) {
			return kind{lacks: label}
		}
	}
	for label, value := range n.Selector {
		if given, has := labels[label]; has && given != value {
			return kind{}
		}
	}
	for _, condition := range n.Conditions {
		value, has := labels[condition.Label]
		if !has && gate.IsScrapeLabel(condition.Label) {
			continue
		}
		if !condition.meets(value) {
			return kind{}
		}
	}
	if name == n.Requests {
		status, ok := labels[n.Status]
		switch {
		case !ok:
			return kind{role: odd, why: fmt.Errorf("%s has no label %q with its status", name, n.Status)}
		case n.Error.MatchString(status):
			return kind{role: failed}
		default:
			return kind{role: succeeded}
		}
	}
	bound, err := strconv.ParseFloat(labels[model.BucketLabel], 64)
	switch {
	case err != nil || math.IsNaN(bound):
		return kind{role: odd, why: fmt.Errorf("%s has the label %s=%q, which is not a number", name, model.BucketLabel,
			labels[model.BucketLabel])}
	case math.IsInf(bound, 1):
		return kind{role: everything}
	case bound >= n.Limit*(1-1e-9):
		return kind{role: within, bound: bound}
	default:
		return kind{}
	}
}
