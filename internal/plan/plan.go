// Package plan holds the arithmetic of a rollout: the weeks and their weights, the legal moves between them, the split
// of pods between the tracks, the weights that a pod count can express, and the schedule of the soak. It is pure: it
// imports neither Kubernetes nor Pulumi, reads no clock and does no I/O, so that tests cover every decision as a
// function of its arguments.
package plan

import (
	"fmt"
	"math"
)

// Position is a planned or actual position of a rollout: the canary's share of the requests and the number of pods of
// each track.
type Position struct {
	// Week is the stage, from 1; 0 for a stack with one track.
	Week int
	// Weight is the canary's share of the requests in percent, 0 to 100.
	Weight int
	// Stable and Canary are the numbers of pods of each track.
	Stable, Canary int
	// Warm means that the stable pods are on standby without requests, as they are at 100 %.
	Warm bool
}

// Capacity is the number of pods that take requests. No step of a shift may fall below it.
func (p Position) Capacity() int {
	if p.Warm {
		return p.Canary
	}
	return p.Stable + p.Canary
}

// Single is the position of a stack with one track and no canary. It is an error with fewer than 1 pod.
func Single(replicas int) (Position, error) {
	if replicas < 1 {
		return Position{}, fmt.Errorf("replicas %d: at least 1 pod is needed", replicas)
	}
	return Position{Stable: replicas}, nil
}

// Split divides total pods between the tracks so that one Service over both tracks gives the canary weight percent of
// the requests. A weight that total pods cannot express exactly is an error that names the nearest possible weights:
// rounding would expose a different share of the customers than the reviewed one. At 100 % the stable track keeps warm
// pods without requests, so that a rollback does not wait for all of them to start.
func Split(week, weight, total, warm int) (Position, error) {
	if err := checkWeight(weight, total); err != nil {
		return Position{}, err
	}
	if weight == 100 {
		return Position{Week: week, Weight: weight, Stable: warm, Canary: total, Warm: true}, nil
	}
	if weight*total%100 != 0 {
		return Position{}, fmt.Errorf("%d pods cannot give the canary %d %% of the requests: the nearest possible "+
			"weights are %s", total, weight, describeNearest(weight, total))
	}
	canary := weight * total / 100
	return Position{Week: week, Weight: weight, Stable: total - canary, Canary: canary}, nil
}

// Weigh is the position where a route splits the requests by weight. Each track has the pods that its share of the
// requests needs, out of the total for all requests; the stable track never has fewer than kept. With kept = total, a
// rollback is a single change of the weight.
func Weigh(week, weight, total, kept int) (Position, error) {
	if err := checkWeight(weight, total); err != nil {
		return Position{}, err
	}
	if kept < 0 || kept > total {
		return Position{}, fmt.Errorf("keeping %d stable pods is out of range: allowed are 0 to %d", kept, total)
	}
	needs := func(percent int) int { return (percent*total + 99) / 100 }
	return Position{Week: week, Weight: weight, Stable: max(kept, needs(100-weight)), Canary: needs(weight),
		Warm: weight == 100}, nil
}

// Enough is the least number of pods, from total on, that Split divides at the weight so that each track has at least
// that many. The second result is false when none up to most does.
func Enough(weight, total, stable, canary, most int) (int, bool) {
	for pods := max(total, 1); pods <= most; pods++ {
		position, err := Split(0, weight, pods, stable)
		if err == nil && position.Stable >= stable && position.Canary >= canary {
			return pods, true
		}
	}
	return 0, false
}

func checkWeight(weight, total int) error {
	if weight < 0 || weight > 100 {
		return fmt.Errorf("weight %d %% is out of range: allowed are 0 to 100", weight)
	}
	if total < 1 {
		return fmt.Errorf("replicas %d: at least 1 pod is needed", total)
	}
	return nil
}

// NearestWeights gives the whole-percent weights closest to weight that total pods express exactly, the lower one
// first. They are equal if weight itself is one.
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
