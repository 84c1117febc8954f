package guard

import (
	"errors"
	"fmt"
	"math"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Rise is by how much a pod's counters rose since the previous look.
type Rise struct {
	Requests gate.Counts
	// Slow are the requests of the histogram and the slow ones among them. Where the latency limit lies between two
	// bounds, those above the upper one are slow. It is zero when they cannot be counted, and SlowErr says why.
	Slow    gate.Counts
	SlowErr error
	// Held is whether counts are held back until a guessed restart is confirmed.
	Held bool
	// Reset is whether the process restarted in between.
	Reset bool
	// Odd says what of the page does not count although it should; empty if everything counts.
	Odd string
}

// sums are rises by role.
type sums [everything + 1]float64

func (s sums) plus(more sums) sums {
	for i := range s {
		s[i] += more[i]
	}
	return s
}

// mostOdd is the greatest share of the requests that series which cannot be counted may have.
const mostOdd = 0.05

var errStrange = errors.New("the counters fall without a restart, as they do when several worker processes answer " +
	"behind one port; the pod is not counted: give each worker a port of its own, or add up their metrics")

// rise stores the samples and returns by how much the counters rose.
func (c *counters) rise() (Rise, error) {
	oddity, err := c.oddity()
	if err != nil {
		return Rise{}, err
	}
	life := c.life
	course := life.Next(c.page())
	counts := c.last > 0 || c.fromZero
	risen, err := c.risen(course)
	if err != nil && counts {
		return Rise{}, err
	}
	c.store(course)
	c.life = life
	out := Rise{Reset: course == gate.Restarted, Odd: oddity}
	if out.Reset {
		c.held = sums{}
	}
	slowErr := c.slowErr()
	if !counts {
		out.SlowErr = slowErr
		return out, nil
	}
	risen = c.settled(risen)
	out.Held = life.Holds()
	if life.IsStrange() {
		out.Odd = errStrange.Error()
		return out, nil
	}
	out.Requests = gate.Counts{N: int64(risen[succeeded] + risen[failed]), K: int64(risen[failed])}
	out.Slow, out.SlowErr = gate.Counts{N: int64(risen[everything]), K: int64(risen[everything] - risen[within])}, slowErr
	if out.SlowErr == nil && out.Slow.K < 0 {
		out.SlowErr = fmt.Errorf("%s counts more requests up to the latency limit than in total", c.names.Bucket)
	}
	if out.SlowErr != nil {
		out.Slow = gate.Counts{}
	}
	return out, nil
}

// page compares the look with the last one that was stored. A series that vanished in between shows no restart.
func (c *counters) page() gate.Page {
	page := gate.Page{At: c.at, Started: c.started}
	compare := func(continued bool) (compared bool) {
		for _, s := range c.samples {
			if s.series.role == odd || s.series.counted == 0 || continued && s.series.counted != c.last {
				continue
			}
			compared = true
			page.Before, page.After = page.Before+int64(s.series.count), page.After+int64(s.value)
			page.Fell = page.Fell || s.value < s.series.count
		}
		return compared
	}
	if !compare(true) {
		compare(false)
	}
	for _, s := range c.samples {
		page.Total += int64(s.value)
	}
	return page
}

// risen sums up by how much the series of each role rose. It is an error if that is more than a pod can serve.
func (c *counters) risen(course gate.Course) (sums, error) {
	var total sums
	bound := c.bound()
	for _, s := range c.samples {
		from := s.series.count
		if course == gate.Restarted {
			from = 0
		}
		rise := s.value - from
		if course == gate.Strange || rise < 0 || s.series.role == within && s.series.bound != bound {
			continue
		}
		if rise > mostRise {
			return total, fmt.Errorf("a counter rose by %.0f since the previous look: at most %.0f is plausible", rise,
				float64(mostRise))
		}
		total[s.series.role] += rise
	}
	return total, nil
}

// store keeps the values of the look. After a restart, the series that it does not have are forgotten.
func (c *counters) store(course gate.Course) {
	if course == gate.Restarted {
		for key, known := range c.series {
			if known.role != ignored && known.seen != c.looks {
				c.drop(key)
			}
		}
	}
	for _, s := range c.samples {
		s.series.count, s.series.counted = s.value, c.looks
	}
	c.last = c.looks
}

// settled holds the rises back while a restart is not confirmed, and drops them if it was none.
func (c *counters) settled(risen sums) sums {
	switch {
	case c.life.Refuted():
		c.held = sums{}
		if c.life.Holds() {
			return sums{}
		}
		return risen
	case c.life.Holds():
		c.held = c.held.plus(risen)
		return sums{}
	default:
		risen = risen.plus(c.held)
		c.held = sums{}
		return risen
	}
}

// bound is the lowest bound of a bucket from the latency limit on; +Inf without one.
func (c *counters) bound() float64 {
	lowest := math.Inf(1)
	for _, s := range c.samples {
		if s.series.role == within {
			lowest = min(lowest, s.series.bound)
		}
	}
	return lowest
}

func (c *counters) slowErr() error {
	histograms, bounded := 0, 0
	bound := c.bound()
	for _, s := range c.samples {
		switch {
		case s.series.role == everything:
			histograms++
		case s.series.role == within && s.series.bound == bound:
			bounded++
		}
	}
	if histograms != bounded {
		return fmt.Errorf("%s has no bucket bound at the latency limit of %v, nor the same one above it everywhere: slow "+
			"requests are not counted", c.names.Bucket, c.names.Limit)
	}
	return nil
}

// oddity says which series cannot be counted. It is an error if they are more than a few.
func (c *counters) oddity() (string, error) {
	var why error
	left, all := 0.0, 0.0
	counted := false
	for _, s := range c.samples {
		switch s.series.role {
		case odd:
			why, left = c.why, left+s.value
		case succeeded, failed, everything:
			counted, all = true, all+s.value
		}
	}
	switch {
	case why == nil && c.lacking != "" && !c.complete:
		return fmt.Sprintf("nothing is counted: no series has the label %q that metrics.selector asks for", c.lacking), nil
	case why == nil:
		return "", nil
	case !counted || left > mostOdd*(all+left):
		return "", why
	default:
		return fmt.Sprintf("%.0f requests are left out: %v", left, why), nil
	}
}
