package guard

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"strconv"
	"sync/atomic"
	"time"

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
	// mostKept is the number of series that a guard keeps of all pods that it scrapes: about 50 MiB.
	mostKept = 500_000
)

// budget counts the series that a guard may still keep. A nil budget has no end.
type budget struct{ left atomic.Int64 }

func newBudget(series int64) *budget {
	b := &budget{}
	b.left.Store(series)
	return b
}

// take reports whether one more series may be kept.
func (b *budget) take() bool {
	if b == nil {
		return true
	}
	if b.left.Add(-1) < 0 {
		b.left.Add(1)
		return false
	}
	return true
}

func (b *budget) give(series int) {
	if b != nil {
		b.left.Add(int64(series))
	}
}

// series is what is kept of a series. There may be very many, so that it is small, and its text is not kept.
type series struct {
	// bound is that of a bucket.
	bound float64
	// count is the value of the look counted; 0 for a series that was not counted yet.
	count   float64
	counted uint32
	// seen is the number of the last look that had the series.
	seen uint32
	role role
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

	// at is the time of the look.
	at time.Time
	// series are the known ones by the hash of their text. That two of at most 20,000 share one has a probability of
	// 1 in 10^11, and makes the page count as one with a series twice.
	series map[uint64]*series
	seed   maphash.Seed
	// budget is the guard's for all of its pods; nil for none.
	budget *budget
	// looks is the number of the look, last that of the last one whose values were stored; 0 before the first.
	looks, last uint32
	// why says what the odd series lack.
	why error
	// samples are those of the look, started is its start time of the process; zero without one.
	samples []sample
	started time.Time
	life    gate.Life
	// held are the rises since a restart that is not confirmed yet.
	held sums
	// lacking is a label of the selector that a series lacks; complete is whether another one has all of them.
	lacking  string
	complete bool
	// named is whether the look's page has the counter of requests, with or without series.
	named bool
}

// errTooMuch is the error of an exposition that exceeds the bounds.
var errTooMuch = errors.New("too much")

// read reads an exposition in the text format of Prometheus and returns by how much the counters rose. An error changes
// nothing: the next look counts the requests that this look missed.
func (c *counters) read(body io.Reader) (Rise, error) {
	if c.series == nil {
		c.series, c.seed = map[uint64]*series{}, maphash.MakeSeed()
	}
	c.looks++
	var added []uint64
	err := c.scan(body, &added)
	if err != nil {
		for _, key := range added {
			c.drop(key)
		}
		return Rise{}, err
	}
	return c.rise()
}

// scan reads the lines of the selected metrics into samples.
func (c *counters) scan(body io.Reader, added *[]uint64) error {
	c.samples, c.started, c.named = c.samples[:0], time.Time{}, false
	limited := &io.LimitedReader{R: body, N: mostBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4<<10), mostLine)
	for lines.Scan() {
		key, value, selected := c.cut(lines.Bytes())
		if !selected {
			c.named = c.named || c.names.declares(lines.Bytes())
			continue
		}
		if bytes.HasPrefix(key, []byte(startedName)) {
			c.noteStart(value)
			continue
		}
		hash := maphash.Bytes(c.seed, key)
		known, ok := c.series[hash]
		if !ok {
			var err error
			if known, err = c.add(hash, key); err != nil {
				return err
			}
			*added = append(*added, hash)
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

// add begins to keep a series.
func (c *counters) add(hash uint64, key []byte) (*series, error) {
	kind, err := c.names.classify(key)
	if err != nil {
		return nil, err
	}
	c.noteLabels(kind)
	const remedy = "select fewer by metrics.selector, or give the service fewer labels"
	if len(c.series) >= mostSeries {
		return nil, fmt.Errorf("%w: more than %d series of %s and %s: %s", errTooMuch, mostSeries, c.names.Requests,
			c.names.Bucket, remedy)
	}
	if !c.budget.take() {
		return nil, fmt.Errorf("%w: the guard keeps %d series of all of its pods, and none of %s and %s more: %s", errTooMuch,
			mostKept, c.names.Requests, c.names.Bucket, remedy)
	}
	if kind.why != nil {
		c.why = kind.why
	}
	known := &series{role: kind.role, bound: kind.bound}
	c.series[hash] = known
	return known, nil
}

// drop keeps a series no longer.
func (c *counters) drop(hash uint64) {
	delete(c.series, hash)
	c.budget.give(1)
}

// release gives back what the series of a pod take that is scraped no longer.
func (c *counters) release() {
	c.budget.give(len(c.series))
	c.series = nil
}

// startedName is the metric by which client libraries give the start time of their process.
const startedName = "process_start_time_seconds"

// noteStart keeps the start time of the process. A page that adds up several processes has that of the oldest.
func (c *counters) noteStart(value []byte) {
	seconds, err := strconv.ParseFloat(string(value), 64)
	if err != nil || !(seconds > 0 && seconds < mostCount) {
		return
	}
	started := time.Unix(0, int64(seconds*float64(time.Second)))
	if c.started.IsZero() || started.Before(c.started) {
		c.started = started
	}
}

// noteLabels notes whether the series has the labels that the selector asks for.
func (c *counters) noteLabels(kind kind) {
	if kind.lacks == "" {
		c.complete = true
		return
	}
	c.lacking = kind.lacks
}

// cut splits a line of a selected metric into its series and its value; the third result is false for other lines.
func (c *counters) cut(line []byte) (key, value []byte, selected bool) {
	line = bytes.TrimLeft(line, " \t")
	name, end := nameOf(line)
	if len(name) == 0 || line[0] == '#' {
		return nil, nil, false
	}
	isRequests := string(name) == c.names.Requests
	if !isRequests && (c.names.Bucket == "" || string(name) != c.names.Bucket) && string(name) != startedName {
		return nil, nil, false
	}
	c.named = c.named || isRequests
	if end < len(line) && line[end] == '{' {
		end += labelsEnd(line[end:])
	}
	value = bytes.TrimLeft(line[end:], " \t")
	if stop := bytes.IndexAny(value, " \t\r"); stop >= 0 {
		value = value[:stop]
	}
	return line[:end], value, true
}

// nameOf is the metric's name and where its labels or its value begin. A name beyond the classic characters is the
// first in the braces, in quotes: {"http.requests",code="200"} 3. Names with escapes in them are none of ours.
func nameOf(line []byte) (name []byte, end int) {
	if rest, braced := bytes.CutPrefix(line, []byte(`{"`)); braced {
		closing := bytes.IndexByte(rest, '"')
		if closing < 0 {
			return nil, 0
		}
		return rest[:closing], 0
	}
	end = bytes.IndexAny(line, "{ \t")
	if end <= 0 {
		return nil, 0
	}
	return line[:end], end
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
