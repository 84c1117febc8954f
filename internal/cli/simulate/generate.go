package simulate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Made says what made-up traffic is like. Requests arrive by chance (a Poisson process), and each fails or is slow by
// chance.
type Made struct {
	// Duration is how long it goes on, Step how often it is looked at.
	Duration, Step time.Duration
	// Canary and Stable are the tracks; a stable track without requests is none.
	Canary, Stable Behaviour
	// Turns is when the canary becomes another one, 0 for never; Then is what it is from then on.
	Turns time.Duration
	Then  Behaviour
	// Seed makes it repeatable.
	Seed uint64
}

// Behaviour is how a track answers.
type Behaviour struct {
	// Rate is its requests a second; Errors and Slow are the shares that fail and that are slow.
	Rate, Errors, Slow float64
}

func (b Behaviour) validate(track string) error {
	if !(b.Rate >= 0 && b.Rate <= 1e6) {
		return fmt.Errorf("%s: %v requests a second: allowed are 0 to 1000000", track, b.Rate)
	}
	if !(b.Errors >= 0 && b.Errors <= 1 && b.Slow >= 0 && b.Slow <= 1) {
		return fmt.Errorf("%s: shares of %v that fail and %v that are slow: allowed are 0 to 1", track, b.Errors, b.Slow)
	}
	return nil
}

// Validate says what is wrong.
func (m Made) Validate() error {
	problems := []error{m.Canary.validate("canary"), m.Stable.validate("stable"), m.Then.validate("canary, later")}
	if m.Canary.Rate == 0 {
		problems = append(problems, errors.New("canary: a rate of 0 gives nothing to judge"))
	}
	if m.Step < time.Millisecond || m.Duration < 2*m.Step {
		problems = append(problems, fmt.Errorf("a step of %v in %v: at least two steps of a millisecond are needed", m.Step,
			m.Duration))
	} else if m.Duration/m.Step > mostRows/2 {
		problems = append(problems, fmt.Errorf("a step of %v in %v: at most %d steps are made", m.Step, m.Duration,
			mostRows/2))
	}
	if m.Turns < 0 {
		problems = append(problems, fmt.Errorf("the canary turns after %v: 0 or more is allowed", m.Turns))
	}
	return errors.Join(problems...)
}

// Make makes the traffic up.
func (m Made) Make() (Traffic, error) {
	if err := m.Validate(); err != nil {
		return Traffic{}, err
	}
	source := rand.NewPCG(m.Seed, 0)
	traffic := Traffic{Start: origin, Durations: true}
	for after := m.Step; after <= m.Duration; after += m.Step {
		canary := m.Canary
		if m.Turns > 0 && after > m.Turns {
			canary = m.Then
		}
		interval := Interval{End: origin.Add(after), Canary: canary.draw(m.Step, source)}
		if m.Stable.Rate > 0 {
			interval.Stable = m.Stable.draw(m.Step, source)
		}
		traffic.Intervals = append(traffic.Intervals, interval)
	}
	return traffic, nil
}

// draw makes up what a track counts in a step.
func (b Behaviour) draw(step time.Duration, source rand.Source) *Counts {
	counts := &Counts{}
	if mean := b.Rate * step.Seconds(); mean > 0 {
		counts.N = int64(distuv.Poisson{Lambda: mean, Src: source}.Rand())
	}
	counts.K, counts.Slow = among(counts.N, b.Errors, source), among(counts.N, b.Slow, source)
	return counts
}

// among draws how many of n are of a share.
func among(n int64, share float64, source rand.Source) int64 {
	switch {
	case n == 0 || share == 0:
		return 0
	case share == 1:
		return n
	default:
		return int64(distuv.Binomial{N: float64(n), P: share, Src: source}.Rand())
	}
}
