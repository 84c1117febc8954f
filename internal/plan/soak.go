package plan

import (
	"fmt"
	"time"
)

// Soak is the length of the watch over a stage.
type Soak struct {
	// Duration is how long a stage soaks before the next one. Extension is added whenever the criteria are not met in
	// time.
	Duration, Extension time.Duration
}

// Validate returns an error unless Duration is 0 or more and Extension above 0.
func (s Soak) Validate() error {
	if s.Duration < 0 {
		return fmt.Errorf("a soak of %v: 0 or more is allowed", s.Duration)
	}
	if s.Extension <= 0 {
		return fmt.Errorf("an extension of %v: more than 0 is needed", s.Extension)
	}
	return nil
}

// Required is the soaked time that is needed after a number of extensions.
func (s Soak) Required(extensions int) time.Duration {
	return s.Duration + time.Duration(extensions)*s.Extension
}

// guideSoak is the length of the soak in the deployment guide's schedule.
const guideSoak = 48 * time.Hour

// taper is the guide's schedule of checkpoints: the interval between them up to a time after the shift. The last
// interval repeats.
var taper = []struct{ until, every time.Duration }{
	{time.Hour, 15 * time.Minute},
	{6 * time.Hour, 30 * time.Minute},
	{24 * time.Hour, time.Hour},
	{guideSoak, 2 * time.Hour},
	{0, 4 * time.Hour},
}

// Checkpoint gives the first checkpoint after elapsed; both are times since the shift. A soak that is longer or shorter
// than 48 hours scales the schedule in proportion, and its end is always a checkpoint.
func (s Soak) Checkpoint(elapsed time.Duration) time.Duration {
	scale := func(d time.Duration) time.Duration { return d }
	if s.Duration > 0 && s.Duration != guideSoak {
		scale = func(d time.Duration) time.Duration {
			return time.Duration(float64(d) * float64(s.Duration) / float64(guideSoak))
		}
	}
	from := time.Duration(0)
	for _, step := range taper {
		every := max(scale(step.every), 1)
		until := scale(step.until)
		if step.until != 0 && elapsed >= until {
			from = until
			continue
		}
		next := from + max((elapsed-from)/every+1, 1)*every
		if step.until != 0 {
			next = min(next, until)
		}
		return next
	}
	return elapsed
}

// Due reports whether a checkpoint lies after the last recorded one and not after now; both are times since the shift.
func (s Soak) Due(last, now time.Duration) bool { return s.Checkpoint(last) <= now }
