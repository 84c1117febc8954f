package bursts

import (
	"errors"
	"fmt"
	"time"
)

// Spec says how the requests of every pod fail.
type Spec struct {
	Name string
	// Mean is the share of requests that fails outside of troubles.
	Mean float64
	// Correlation is the intraclass correlation of the failures of a pod within each Block of time: the counts are
	// beta-binomial, each pod's and block's with a share of its own. 0 makes the failures independent.
	Correlation float64
	Block       time.Duration
	// Evening multiplies the share from 18 to 22 o'clock, with the same mean over the day; 0 is 1.
	Evening  float64
	Troubles []Trouble
}

// Trouble is something that goes wrong now and then.
type Trouble struct {
	// Every is the mean time between two of them, as a Poisson process; where Regular, there is one at a random time of
	// each such period.
	Every   time.Duration
	Regular bool
	// AllPods is whether it hits all pods of both tracks at once; else it hits each pod at times of its own.
	AllPods bool
	// Shortest and Longest bound its length, whose logarithm is uniform.
	Shortest, Longest time.Duration
	// Errors are failed requests beside the ordinary ones at each pod, spread over the length at random, as when
	// customers retry.
	Errors int
	// Share is the share of the ordinary requests that fails meanwhile.
	Share float64
	// Lag is how much longer it lasts at the canary.
	Lag time.Duration
}

// Validate returns all problems of the spec.
func (s Spec) Validate() error {
	var problems []error
	bad := func(field string, got any, want string) {
		problems = append(problems, fmt.Errorf("stream %q: %s is %v: allowed is %s", s.Name, field, got, want))
	}
	if !(s.Mean >= 0 && s.Mean < 1) {
		bad("the mean", s.Mean, "a share from 0 and below 1")
	}
	if !(s.Correlation >= 0 && s.Correlation < 1) {
		bad("the correlation", s.Correlation, "0 and more, below 1")
	}
	if s.Correlation > 0 && (s.Block < time.Second || minute%s.Block != 0) {
		bad("the block", s.Block, "a divisor of a minute in whole seconds")
	}
	if !(s.Evening >= 0 && s.Evening*s.Mean < 1) {
		bad("the evening's factor", s.Evening, "0 and more, with a share below 1")
	}
	for _, trouble := range s.Troubles {
		if trouble.Every < time.Second || trouble.Shortest < time.Second || trouble.Longest < trouble.Shortest ||
			trouble.Lag < 0 || trouble.Errors < 0 || !(trouble.Share >= 0 && trouble.Share <= 1) {
			bad("a trouble", fmt.Sprintf("%+v", trouble), "a period and lengths from a second, and a share from 0 to 1")
		}
	}
	return errors.Join(problems...)
}

// Track is the load of a track.
type Track struct {
	// PerSecond is the number of requests a second of the whole track, Pods the number of pods that share it.
	PerSecond float64
	Pods      int
}

func (t Track) validate(name string) error {
	if !(t.PerSecond >= 0 && t.PerSecond <= 1e5) || t.Pods < 1 || t.Pods > 1000 {
		return fmt.Errorf("%s: %v requests a second at %d pods: allowed are 0 to 100000 at 1 to 1000", name, t.PerSecond,
			t.Pods)
	}
	return nil
}

// Healthy are the streams of a healthy service on which a watch must not convict. Each has a mean of about 0.3 % or
// less at a pod that gets perSecond requests a second.
func Healthy(perSecond float64) []Spec {
	list := []Spec{{Name: "independent", Mean: 0.003}}
	for _, block := range []time.Duration{10 * time.Second, minute} {
		for _, correlation := range []float64{0.01, 0.05, 0.2} {
			list = append(list, Spec{Name: fmt.Sprintf("by %v, correlation %v", block, correlation), Mean: 0.003,
				Correlation: correlation, Block: block})
		}
	}
	for _, all := range []bool{false, true} {
		for _, size := range []int{5, 20, 50} {
			list = append(list, burstsOf(size, all, perSecond))
		}
	}
	for _, size := range []int{10, 20, 50} {
		list = append(list, Spec{Name: fmt.Sprintf("%d errors a day", size), Mean: 0.002,
			Troubles: []Trouble{{Every: day, Regular: true, Shortest: time.Second, Longest: 2 * minute, Errors: size}}})
	}
	return append(list,
		Spec{Name: "a pod's daily outage", Mean: 0.002,
			Troubles: []Trouble{{Every: day, Regular: true, Shortest: 10 * time.Second, Longest: 90 * time.Second, Share: 1}}},
		Spec{Name: "canary recovers 5 s later", Mean: 0.002, Troubles: []Trouble{{Every: 6 * time.Hour, Regular: true,
			AllPods: true, Shortest: 5 * time.Second, Longest: minute, Share: 1, Lag: 5 * time.Second}}},
		Spec{Name: "bad evenings", Mean: 0.003, Evening: 3})
}

// burstsOf is the stream with two thirds of its errors in bursts of a size.
func burstsOf(size int, all bool, perSecond float64) Spec {
	where := "a pod"
	if all {
		where = "all pods"
	}
	every := time.Duration(float64(size) / (0.002 * perSecond) * float64(time.Second))
	return Spec{Name: fmt.Sprintf("bursts of %d on %s", size, where), Mean: 0.001,
		Troubles: []Trouble{{Every: every, AllPods: all, Shortest: time.Second, Longest: 2 * minute, Errors: size}}}
}

const (
	minute = time.Minute
	day    = 24 * time.Hour
)
