package guard

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Bounds of an exposition. The guard refuses a pod that exceeds them: no pod may use up the guard's memory.
const (
	mostBytes  = 8 << 20
	mostLine   = 64 << 10
	mostSeries = 20000
	// mostCount is the largest number up to which a float64 holds every whole number; mostRise is the largest plausible
	// rise between two looks.
	mostCount = 1 << 53
	mostRise  = 1e9
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
}

// NewNames makes the names for the gate's metrics, the labels that the pods' series must carry, and the latency above
// which a request is slow. It returns an error when the metrics are not valid.
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
	return &Names{
		Requests: metrics.RequestsTotal, Status: metrics.StatusLabel, Error: pattern,
		Bucket: metrics.DurationBucket, Limit: float64(limit) / float64(unit), Selector: selector,
	}, nil
}

// Rise is by how much a pod's counters rose since the previous look.
type Rise struct {
	Requests gate.Counts
	// Slow are the requests of the histogram and the slow ones among them. It is zero when they cannot be counted, and
	// SlowErr says why.
	Slow    gate.Counts
	SlowErr error
	// Reset is whether the process restarted in between.
	Reset bool
}

// role is what a series counts.
type role uint8

const (
	ignored role = iota
	succeeded
	failed
	within
	everything
)

type series struct {
	role  role
	count float64
	// seen is the number of the last look that had the series; counted is whether count holds the value of an earlier
	// look.
	seen    int
	counted bool
}

type sample struct {
	series *series
	value  float64
}

// counters are the counters of one process. Only names must be set in a new value.
type counters struct {
	names *Names
	// fromZero is whether the process started during the watch, so that all its counts belong to the watch.
	fromZero bool

	series map[string]*series
	looks  int
	base   bool
	// samples is kept for its memory.
	samples []sample
}

// errTooMuch is the error of an exposition that exceeds the bounds.
var errTooMuch = errors.New("too much")

// read reads an exposition in the text format of Prometheus and returns by how much the counters rose. An error changes
// nothing: the next look counts the requests that this look missed.
func (c *counters) read(body io.Reader) (Rise, error) {
	if c.series == nil {
		c.series = map[string]*series{}
	}
	c.looks++
	var added []string
	err := c.scan(body, &added)
	if err != nil {
		for _, key := range added {
			delete(c.series, key)
		}
		return Rise{}, err
	}
	return c.rise()
}

// scan reads the lines of the selected metrics into samples.
func (c *counters) scan(body io.Reader, added *[]string) error {
	c.samples = c.samples[:0]
	limited := &io.LimitedReader{R: body, N: mostBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4<<10), mostLine)
	for lines.Scan() {
		key, value, selected := c.cut(lines.Bytes())
		if !selected {
			continue
		}
		known, ok := c.series[string(key)]
		if !ok {
			role, err := c.names.classify(key)
			if err != nil {
				return err
			}
			if len(c.series) >= mostSeries {
				return fmt.Errorf("%w: more than %d series of %s and %s: select fewer by metrics.selector, or give the service "+
					"fewer labels",
					errTooMuch, mostSeries, c.names.Requests, c.names.Bucket)
			}
			known = &series{role: role}
			c.series[string(key)] = known
			*added = append(*added, string(key))
		}
		if known.role == ignored {
			continue
		}
		if known.seen == c.looks {
			return fmt.Errorf("series %s occurs twice", key)
		}
		known.seen = c.looks
		count, err := parseCount(value)
		if err != nil {
			return fmt.Errorf("series %s: %w", key, err)
		}
		c.samples = append(c.samples, sample{known, count})
	}
	if limited.N <= 0 {
		return fmt.Errorf("%w: the exposition is longer than %d MiB", errTooMuch, mostBytes>>20)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("%w: a line is longer than %d KiB", errTooMuch, mostLine>>10)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the exposition: %w", err)
	}
	return nil
}

// cut splits a line of a selected metric into its series and its value; the third result is false for other lines.
func (c *counters) cut(line []byte) (key, value []byte, selected bool) {
	line = bytes.TrimLeft(line, " \t")
	end := bytes.IndexAny(line, "{ \t")
	if end <= 0 || line[0] == '#' {
		return nil, nil, false
	}
	if name := line[:end]; string(name) != c.names.Requests && string(name) != c.names.Bucket {
		return nil, nil, false
	}
	if line[end] == '{' {
		end += labelsEnd(line[end:])
	}
	value = bytes.TrimLeft(line[end:], " \t")
	if stop := bytes.IndexAny(value, " \t\r"); stop >= 0 {
		value = value[:stop]
	}
	return line[:end], value, true
}

// labelsEnd is the length of a label set with its braces, or that of the whole text when the set does not end.
func labelsEnd(text []byte) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '}' && !quoted:
			return i + 1
		}
	}
	return len(text)
}

func parseCount(text []byte) (float64, error) {
	value, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(value >= 0 && value <= mostCount) || value != math.Trunc(value) {
		return 0, fmt.Errorf("the value %.40q is not a count: a counter holds a whole number from 0 to %d", text,
			int64(mostCount))
	}
	return value, nil
}

// classify determines the role of a series. Prometheus' own parser reads the labels.
func (n *Names) classify(key []byte) (role, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(append(bytes.Clone(key), " 0\n"...)))
	if err != nil {
		return ignored, fmt.Errorf("series %.200s: %w", key, err)
	}
	for name, family := range families {
		if len(family.Metric) != 1 {
			break
		}
		labels := map[string]string{}
		for _, pair := range family.Metric[0].GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		return n.role(name, labels)
	}
	return ignored, fmt.Errorf("cannot parse series %.200s", key)
}

func (n *Names) role(name string, labels map[string]string) (role, error) {
	for label, value := range n.Selector {
		if labels[label] != value {
			return ignored, nil
		}
	}
	if name == n.Requests {
		status, ok := labels[n.Status]
		switch {
		case !ok:
			return ignored, fmt.Errorf("%s has no label %q with its status", name, n.Status)
		case n.Error.MatchString(status):
			return failed, nil
		default:
			return succeeded, nil
		}
	}
	bound, err := strconv.ParseFloat(labels[model.BucketLabel], 64)
	switch {
	case err != nil:
		return ignored, fmt.Errorf("%s has the label %s=%q, which is not a number", name, model.BucketLabel,
			labels[model.BucketLabel])
	case math.IsInf(bound, 1):
		return everything, nil
	case math.Abs(bound-n.Limit) <= 1e-9*n.Limit:
		return within, nil
	default:
		return ignored, nil
	}
}

// rise stores the samples and returns by how much the counters rose.
func (c *counters) rise() (Rise, error) {
	var out Rise
	if c.base {
		out.Reset = c.restarted()
	}
	counts := c.base || c.fromZero
	var sums [everything + 1]float64
	var seen [everything + 1]int
	for _, s := range c.samples {
		from := s.series.count
		if out.Reset || !s.series.counted {
			from = 0
		}
		rise := s.value - from
		if counts && rise > mostRise {
			return Rise{}, fmt.Errorf("a counter rose by %.0f since the previous look: at most %.0f is plausible", rise,
				float64(mostRise))
		}
		sums[s.series.role] += rise
		seen[s.series.role]++
	}
	for key, known := range c.series {
		if out.Reset && known.role != ignored && known.seen != c.looks {
			delete(c.series, key)
		}
	}
	for _, s := range c.samples {
		s.series.count, s.series.counted = s.value, true
	}
	c.base = true
	if !counts {
		return Rise{SlowErr: c.slowErr(seen)}, nil
	}
	out.Requests = gate.Counts{N: int64(sums[succeeded] + sums[failed]), K: int64(sums[failed])}
	if out.SlowErr = c.slowErr(seen); out.SlowErr == nil {
		out.Slow = gate.Counts{N: int64(sums[everything]), K: int64(sums[everything] - sums[within])}
		if out.Slow.K < 0 {
			out.Slow, out.SlowErr = gate.Counts{}, fmt.Errorf("%s counts more requests up to the latency limit than in total",
				c.names.Bucket)
		}
	}
	return out, nil
}

// restarted reports whether the process restarted: a counter fell, or a series that had counted is gone. One such
// counter speaks for all of the process, because a counter that has risen beyond its old value shows no restart.
func (c *counters) restarted() bool {
	for _, s := range c.samples {
		if s.series.counted && s.value < s.series.count {
			return true
		}
	}
	for _, known := range c.series {
		if known.role != ignored && known.counted && known.count > 0 && known.seen != c.looks {
			return true
		}
	}
	return false
}

func (c *counters) slowErr(seen [everything + 1]int) error {
	if seen[everything] != seen[within] {
		return fmt.Errorf("%s has no bucket bound at the latency limit of %v", c.names.Bucket, c.names.Limit)
	}
	return nil
}
