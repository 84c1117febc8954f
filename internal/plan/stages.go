package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Stages are the planned weights of weeks 1, 2 and so on, in percent of the requests. They rise and end at 100.
type Stages []int

// DefaultStages are the stages of the deployment guide: 10, 30, 60 and 100 %.
func DefaultStages() Stages { return Stages{10, 30, 60, 100} }

// Validate returns an error unless the weights rise and end at 100.
func (s Stages) Validate() error {
	previous := 0
	for _, weight := range s {
		if weight <= previous || weight > 100 {
			return fmt.Errorf("stages %s: the weights must rise and lie between 1 and 100", s)
		}
		previous = weight
	}
	if previous != 100 {
		return fmt.Errorf("stages %s: the last one must be 100", s)
	}
	return nil
}

// String lists the weights.
func (s Stages) String() string {
	words := make([]string, 0, len(s))
	for _, weight := range s {
		words = append(words, strconv.Itoa(weight))
	}
	return strings.Join(words, ", ")
}

// Weight gives the planned weight of a week in percent. Weeks count from 1; any other week is an error.
func (s Stages) Weight(week int) (int, error) {
	if week < 1 || week > len(s) {
		return 0, fmt.Errorf("week %d is not a stage of the rollout: allowed are 1 to %d (weights %s %%)", week, len(s), s)
	}
	return s[week-1], nil
}

// First is the weight of the first stage in percent, the most that a new release may enter with; 0 without stages.
func (s Stages) First() int {
	if len(s) == 0 {
		return 0
	}
	return s[0]
}

// Pods is the fewest pods whose count expresses every stage exactly; all its multiples do too.
func (s Stages) Pods() int {
	pods := 1
	for _, weight := range s {
		needed := 100 / gcd(100, weight)
		pods = pods / gcd(pods, needed) * needed
	}
	return pods
}

// Fitting gives as many stages, close to these, that total pods express exactly; nil when there are none.
func (s Stages) Fitting(total int) Stages {
	step := 100 / gcd(100, total)
	fitting := slices.Clone(s)
	for i, weight := range s {
		fitting[i] = max((weight+step/2)/step, i+1) * step
		if i > 0 {
			fitting[i] = max(fitting[i], fitting[i-1]+step)
		}
	}
	// Rounding up leaves less room below 100.
	for i, limit := len(s)-1, 100; i >= 0; i, limit = i-1, limit-step {
		fitting[i] = min(fitting[i], limit)
	}
	if fitting.Validate() != nil {
		return nil
	}
	return fitting
}

// Expressible are all weights that total pods express exactly, from the least share on.
func Expressible(total int) Stages {
	var all Stages
	for weight, step := 0, 100/gcd(100, max(total, 1)); weight < 100; {
		weight += step
		all = append(all, weight)
	}
	return all
}

// Next is the first stage above a weight; 100 when there is none.
func (s Stages) Next(weight int) int {
	for _, stage := range s {
		if stage > weight {
			return stage
		}
	}
	return 100
}
