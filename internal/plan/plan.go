// Package plan holds the arithmetic of a rollout: weeks and their weights, the split of pods between the tracks and the
// weights that a pod count can express. It is pure: it imports neither Kubernetes nor Pulumi, reads no clock and talks to
// nobody, so that every decision can be tested as a function of its arguments.
package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Stages are the planned weights of week 1, 2, 3 and 4, in percent of the requests.
var stages = []int{10, 30, 60, 100}

// Weeks is the number of weekly stages.
func Weeks() int { return len(stages) }

// WeightOf gives the planned weight of a week in percent. The week counts from 1.
func WeightOf(week int) (int, error) {
	if week < 1 || week > len(stages) {
		return 0, fmt.Errorf("week %d is not a stage of the rollout: allowed are 1 to %d (weights %s %%)",
			week, len(stages), join(stages))
	}
	return stages[week-1], nil
}

// Position is where a rollout stands or shall stand: how many percent of the requests the canary gets, and how many pods
// of each track make that so.
type Position struct {
	// Week is the stage, from 1; 0 for a stack with one track.
	Week int
	// Weight is the canary's share of the requests in percent, 0 to 100.
	Weight int
	// Stable and Canary are the pods of each track. Their sum is the capacity that no step may fall below.
	Stable, Canary int
}

// Total is the capacity of the position in pods.
func (p Position) Total() int { return p.Stable + p.Canary }

// Single is the position of a stack with one track and no canary.
func Single(replicas int) (Position, error) {
	if replicas < 1 {
		return Position{}, fmt.Errorf("replicas %d: at least 1 pod is needed", replicas)
	}
	return Position{Stable: replicas}, nil
}

// Split divides total pods between the tracks so that the pod count itself gives the canary weight percent of the requests,
// as one Service over both tracks does. A weight that total pods cannot express exactly is refused, naming the nearest ones
// that they can: rounding would put another share of the customers on the canary than the one that was reviewed.
func Split(week, weight, total int) (Position, error) {
	if weight < 0 || weight > 100 {
		return Position{}, fmt.Errorf("weight %d %% is out of range: allowed are 0 to 100", weight)
	}
	if total < 1 {
		return Position{}, fmt.Errorf("replicas %d: at least 1 pod is needed", total)
	}
	if weight*total%100 != 0 {
		return Position{}, fmt.Errorf("%d pods cannot give the canary %d %% of the requests: the nearest weights that they can are %s",
			total, weight, describeNearest(weight, total))
	}
	canary := weight * total / 100
	return Position{Week: week, Weight: weight, Stable: total - canary, Canary: canary}, nil
}

// NearestWeights gives the whole-percent weights next to weight that total pods express exactly, lower one first. They are
// equal when weight itself is one.
func NearestWeights(weight, total int) (lower, upper int) {
	step := 100 / gcd(100, total)
	lower = weight / step * step
	upper = int(math.Ceil(float64(weight)/float64(step))) * step
	return lower, upper
}

func describeNearest(weight, total int) string {
	lower, upper := NearestWeights(weight, total)
	return fmt.Sprintf("%d %% (%d of %d) and %d %% (%d of %d)",
		lower, lower*total/100, total, upper, upper*total/100, total)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func join(numbers []int) string {
	words := make([]string, 0, len(numbers))
	for _, n := range numbers {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}
