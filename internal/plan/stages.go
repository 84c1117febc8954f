package plan

import (
	"fmt"
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

// next is the first stage above a weight; 100 when there is none.
func (s Stages) next(weight int) int {
	for _, stage := range s {
		if stage > weight {
			return stage
		}
	}
	return 100
}
