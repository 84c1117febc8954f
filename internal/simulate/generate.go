package simulate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Generator generates traffic. Requests arrive as a Poisson process; each fails or is slow at random, and errors may
// come in bursts.
type Generator struct {
	// Duration is the length of the traffic, Step the distance between samples.
	Duration, Step time.Duration
	// Canary and Stable are the behaviours of the tracks. A stable track with a rate of 0 is left out.
	Canary, Stable Behaviour
	// Turns is the time at which the canary's behaviour changes to Then, 0 for never.
	Turns time.Duration
	Then  Behaviour
	// Bursts say how errors come together.
	Bursts Bursts
	// Seed makes the traffic reproducible.
	Seed uint64
}

// Behaviour is the behaviour of a track.
type Behaviour struct {
	// Rate is in requests per second, 0 to 1e6; Errors and Slow are the shares of failed and slow requests, 0 to 1.
	Rate, Errors, Slow float64
}

func (b Behaviour) validate(track string) error {
	if !(b.Rate >= 0 && b.Rate <= 1e6) {
		return fmt.Errorf("%s: rate %v: allowed are 0 to 1000000 requests per second", track, b.Rate)
	}
	if !(b.Errors >= 0 && b.Errors <= 1 && b.Slow >= 0 && b.Slow <= 1) {
		return fmt.Errorf("%s: error share %v and slow share %v: allowed are 0 to 1", track, b.Errors, b.Slow)
	}
	return nil
}

// Validate returns all problems of the generator.
func (g Generator) Validate() error {
	problems := []error{g.Canary.validate("canary"), g.Stable.validate("stable"), g.Then.validate("canary, later"),
		g.Bursts.validate()}
	if g.Canary.Rate == 0 {
		problems = append(problems, errors.New("canary: rate 0: there would be nothing to judge"))
	}
	if g.Step < time.Millisecond || g.Duration < 2*g.Step {
		problems = append(problems, fmt.Errorf("step %v in %v: allowed are at least two steps of at least a millisecond",
			g.Step,
			g.Duration))
	} else if g.Duration/g.Step > mostRows/2 {
		problems = append(problems, fmt.Errorf("step %v in %v: allowed are at most %d steps", g.Step, g.Duration,
			mostRows/2))
	}
	if g.Turns < 0 {
		problems = append(problems, fmt.Errorf("the canary turns after %v: allowed are durations from 0", g.Turns))
	}
	return errors.Join(problems...)
}

// Traffic generates the traffic.
func (g Generator) Traffic() (Traffic, error) {
	if err := g.Validate(); err != nil {
		return Traffic{}, err
	}
	canaryShares := g.Bursts.shares(g.Bursts.Pods, g.Seed, canaryStream)
	stableShares := g.Bursts.shares(g.Bursts.StablePods, g.Seed, stableStream)
	traffic, err := Course{Start: origin, Duration: g.Duration, Step: g.Step, Beside: g.Stable.Rate > 0, Seed: g.Seed,
		At: func(end time.Time) (canary, stable Behaviour) {
			after := end.Sub(origin)
			canary, stable = g.Canary, g.Stable
			if g.Turns > 0 && after > g.Turns {
				canary = g.Then
			}
			canary.Errors, stable.Errors = canaryShares.at(after, canary.Errors), stableShares.at(after, stable.Errors)
			return canary, stable
		}}.Traffic()
	if err != nil {
		return Traffic{}, err
	}
	err = g.Bursts.add(&traffic, g.Step, g.Seed)
	return traffic, err
}

// canaryStream and stableStream are streams of a seed's random numbers, for the shares of blocks.
const canaryStream, stableStream = 1, 2

// Course generates traffic whose behaviour changes with time. The same seed and stream give the same traffic, and a
// longer Duration continues it.
type Course struct {
	Start          time.Time
	Duration, Step time.Duration
	// At are the behaviours of the tracks in the step that ends then. Beside is whether there is a stable track.
	At     func(end time.Time) (canary, stable Behaviour)
	Beside bool
	// Seed makes the traffic reproducible, Stream tells apart the courses of one seed.
	Seed, Stream uint64
}

// Traffic generates the traffic.
func (c Course) Traffic() (Traffic, error) {
	source := rand.NewPCG(c.Seed, c.Stream)
	traffic := Traffic{Start: c.Start, Durations: true}
	for after := c.Step; after <= c.Duration; after += c.Step {
		interval := Interval{End: c.Start.Add(after)}
		canary, stable := c.At(interval.End)
		if err := errors.Join(canary.validate("canary"), stable.validate("stable")); err != nil {
			return Traffic{}, fmt.Errorf("at %s: %w", interval.End.Format(time.RFC3339), err)
		}
		interval.Canary = canary.draw(c.Step, source)
		if c.Beside {
			interval.Stable = stable.draw(c.Step, source)
		}
		traffic.Intervals = append(traffic.Intervals, interval)
	}
	return traffic, nil
}

// draw draws the counts of a step.
func (b Behaviour) draw(step time.Duration, source rand.Source) *Counts {
	counts := &Counts{}
	if mean := b.Rate * step.Seconds(); mean > 0 {
		counts.N = int64(distuv.Poisson{Lambda: mean, Src: source}.Rand())
	}
	counts.K, counts.Slow = among(counts.N, b.Errors, source), among(counts.N, b.Slow, source)
	return counts
}

// among draws how many of n requests belong to a share.
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
