package relative

import (
	"errors"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Alpha bounds the probability that a canary which is within all limits ever has a finding in a soak, by all tests
// together: one in a thousand.
const Alpha = 0.001

// The shares of Alpha. That of the slices is shared equally among Limits.Slices, that of the resources by both.
const (
	errorsShare    = 0.25
	latencyShare   = 0.25
	slicesShare    = 0.4
	resourcesShare = 0.1
)

const (
	// Block is the length of the blocks that the tests look at.
	Block = time.Minute
	// WarmUp is how long new pods are left alone before the comparison begins: caches fill and code is compiled. It is at
	// most a tenth of the soak.
	WarmUp = 5 * time.Minute
)

// DefaultCap bounds the evidence of a block.
func DefaultCap() gate.Cap { return gate.Cap{Nats: 3, Block: Block} }

// Limits are what the comparison allows. They are plain data: the guard reads them as JSON.
type Limits struct {
	// Ratio, from 1 to 100, is how many times stable's share of errors the canary's may be.
	Ratio float64 `json:"ratio"`
	// Slower, above 1 and up to 10, is how many times as slow as stable the canary may be; 0 does not compare latencies.
	Slower float64 `json:"slower"`
	// CPU and Memory, above 1 and up to 10, are how many times as much CPU a request and memory a pod the canary may need
	// as stable; 0 does not compare them.
	CPU    float64 `json:"cpu,omitempty"`
	Memory float64 `json:"memory,omitempty"`
	// Slices is the number of slices that are tested at most, from 0 (none) to 1000; Labels are those that make slices. An
	// empty list means every label of the request counter but the one for the status.
	Slices int      `json:"slices"`
	Labels []string `json:"labels,omitempty"`
	// RollBack makes a finding a fail; without it a finding asks for a review.
	RollBack bool `json:"rollBack,omitempty"`
	// WarmUp is left out at the beginning of a soak.
	WarmUp time.Duration `json:"warmUp"`
}

// DefaultLimits allow one and a half times the errors, a tenth more time, a fifth more CPU and a third more memory.
func DefaultLimits() Limits {
	return Limits{Ratio: 1.5, Slower: 1.1, CPU: 1.2, Memory: 1.33, Slices: 200, WarmUp: WarmUp}
}

// Validate returns all problems of the limits.
func (l Limits) Validate() error {
	var problems []error
	bad := func(name string, got any, want string) {
		problems = append(problems, fmt.Errorf("%s is %v: allowed is %s", name, got, want))
	}
	if !(l.Ratio >= 1 && l.Ratio <= 100) {
		bad("the ratio of errors", l.Ratio, "1 to 100")
	}
	for name, factor := range map[string]float64{"latency": l.Slower, "CPU": l.CPU, "memory": l.Memory} {
		if factor != 0 && !(factor > 1 && factor <= 10) {
			bad("the factor of "+name, factor, "more than 1, up to 10, or 0 for none")
		}
	}
	if l.Slices < 0 || l.Slices > 1000 {
		bad("the number of slices", l.Slices, "0 to 1000")
	}
	if l.WarmUp < 0 {
		bad("the warm-up", l.WarmUp, "0 and more")
	}
	return errors.Join(problems...)
}
