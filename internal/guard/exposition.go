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

// Bounds of an exposition. A pod that exceeds them is refused, so that none takes the guard's memory.
const (
	mostBytes  = 8 << 20
	mostLine   = 64 << 10
	mostSeries = 20000
	// mostCount is up to where a float64 counts without gaps, mostRise what can have happened between two looks.
	mostCount = 1 << 53
	mostRise  = 1e9
)

// Names say which counters of a pod count, and as what.
type Names struct {
	// Requests is the counter of requests, Status its label for the status, Error what a bad status matches.
	Requests, Status string
	Error            *regexp.Regexp
	// Bucket is the counter of the histogram's buckets, Limit the bound above which a request is slow, in the
	// histogram's unit.
	Bucket string
	Limit  float64
	// Selector has the labels that a series must carry to count.
	Selector map[string]string
}

// NewNames takes the names as the gate knows them, and the labels that the pods' own series carry. Limit is that of
// the latency.
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

// Rise is what a pod counted since the look before.
type Rise struct {
	Requests gate.Counts
	// Slow are requests and the slow ones among them; the zero value without a histogram, and SlowErr says why.
	Slow    gate.Counts
	SlowErr error
	// Reset tells that the process started again in between.
	Reset bool
}

// role is what a series counts as.
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
	// seen is the last look that had it; counted tells that it has a count from a look before.
	seen    int
	counted bool
}

type sample struct {
	series *series
	value  float64
}

// counters are those of one process, from look to look. The zero value must be given its names.
type counters struct {
	names *Names
	// fromZero tells that all that the process has ever counted belongs to the watch: it began after it.
	fromZero bool

	series map[string]*series
	looks  int
	base   bool
	// samples is used again from look to look.
	samples []sample
}

// errTooMuch says that an exposition is beyond the bounds.
var errTooMuch = errors.New("too much")

// read takes an exposition in the text format of Prometheus and gives by how much the counters rose. An error changes
// nothing: the next look counts what this one could not.
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

// scan reads the lines of the named metrics into samples.
func (c *counters) scan(body io.Reader, added *[]string) error {
	c.samples = c.samples[:0]
	limited := &io.LimitedReader{R: body, N: mostBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4<<10), mostLine)
	for lines.Scan() {
		key, value, named := c.cut(lines.Bytes())
		if !named {
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
			return fmt.Errorf("series %s stands there twice", key)
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

// cut splits a line of one of the named metrics into its series and its value. Other lines are none.
func (c *counters) cut(line []byte) (key, value []byte, named bool) {
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

// labelsEnd is the length of a label set, its braces included: that of the whole text when it does not end.
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
		return 0, fmt.Errorf("the value %.40q is no count: a counter has whole numbers from 0 to %d", text, int64(mostCount))
	}
	return value, nil
}

// classify tells what a series counts as. Its labels are read by Prometheus' own parser.
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
	return ignored, fmt.Errorf("series %.200s cannot be read", key)
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
			return ignored, fmt.Errorf("%s has no label %q for its status", name, n.Status)
		case n.Error.MatchString(status):
			return failed, nil
		default:
			return succeeded, nil
		}
	}
	bound, err := strconv.ParseFloat(labels[model.BucketLabel], 64)
	switch {
	case err != nil:
		return ignored, fmt.Errorf("%s has a label %s of %q, which is no number", name, model.BucketLabel,
			labels[model.BucketLabel])
	case math.IsInf(bound, 1):
		return everything, nil
	case math.Abs(bound-n.Limit) <= 1e-9*n.Limit:
		return within, nil
	default:
		return ignored, nil
	}
}

// rise takes the samples over and gives by how much the counters rose.
func (c *counters) rise() (Rise, error) {
	var out Rise
	if c.base {
		out.Reset = c.restarted()
	}
	counts := c.base || c.fromZero
	var sums [everything + 1]float64
	var found [everything + 1]int
	for _, s := range c.samples {
		from := s.series.count
		if out.Reset || !s.series.counted {
			from = 0
		}
		rise := s.value - from
		if counts && rise > mostRise {
			return Rise{}, fmt.Errorf("a counter rose by %.0f since the look before, which cannot be", rise)
		}
		sums[s.series.role] += rise
		found[s.series.role]++
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
		return Rise{SlowErr: c.slowErr(found)}, nil
	}
	out.Requests = gate.Counts{N: int64(sums[succeeded] + sums[failed]), K: int64(sums[failed])}
	if out.SlowErr = c.slowErr(found); out.SlowErr == nil {
		out.Slow = gate.Counts{N: int64(sums[everything]), K: int64(sums[everything] - sums[within])}
		if out.Slow.K < 0 {
			out.Slow, out.SlowErr = gate.Counts{}, fmt.Errorf("%s counts more requests up to its bound than in all",
				c.names.Bucket)
		}
	}
	return out, nil
}

// restarted tells whether the process began again: a counter fell, or one that had counted is gone. All counters are
// of one process, and one that rose beyond its old value does not show it itself.
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

func (c *counters) slowErr(found [everything + 1]int) error {
	if found[everything] != found[within] {
		return fmt.Errorf("%s has no bucket bound at the latency limit of %v", c.names.Bucket, c.names.Limit)
	}
	return nil
}
