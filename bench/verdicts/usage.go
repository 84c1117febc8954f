package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/relative"
)

const (
	// usualCPU is the mean processor time of a request in seconds, and cpuSpread its coefficient of variation.
	usualCPU, cpuSpread = 0.02, 1.5
	// nodeSpread is how much the nodes of the pods differ, and jobShare how often a pod does something else for a block
	// that needs as much as its requests do.
	nodeSpread, jobShare = 0.05, 0.05
	// usualMemory is the resident memory of an old process, youngShare that of a new one as a share of it, which grows old
	// within growsFor. memorySpread is by how much it varies.
	usualMemory, youngShare, growsFor, memorySpread = 300 << 20, 0.7, 6 * time.Hour, 0.05
)

// need is by how much more than stable a canary needs: CPU a request and memory a pod.
type need struct{ cpu, memory float64 }

// usually is what a healthy canary needs.
func usually(time.Duration) need { return need{1, 1} }

// leaking is a canary that needs a part of stable's memory more with every hour.
func leaking(partPerHour float64) func(time.Duration) need {
	return func(after time.Duration) need { return need{1, 1 + partPerHour*after.Hours()} }
}

// usage simulates what the tracks use.
type usage struct {
	random *rand.Rand
	needs  func(after time.Duration) need
	test   *relative.Resources
	// canary and stable are the factors of the pods' nodes.
	canary, stable []float64
	// served are the requests since the block began.
	served struct{ canary, stable int64 }
}

func newUsage(random *rand.Rand, needs func(time.Duration) need, pods, stablePods int) *usage {
	u := &usage{random: random, needs: needs, test: relative.NewResources(relative.DefaultLimits(), midnight)}
	if u.needs == nil {
		u.needs = usually
	}
	node := func() float64 { return math.Exp(nodeSpread * random.NormFloat64()) }
	for range pods {
		u.canary = append(u.canary, node())
	}
	for range stablePods {
		u.stable = append(u.stable, node())
	}
	return u
}

// minute adds the requests of a minute that ends after a time, and compares where a block ends.
func (u *usage) minute(end time.Duration, canary, stable gate.Counts) {
	u.served.canary, u.served.stable = u.served.canary+canary.N, u.served.stable+stable.N
	if end%relative.UsageBlock != 0 {
		return
	}
	factor, age := u.needs(end), min(float64(end)/float64(growsFor), 1)
	mine := u.track(u.canary, u.served.canary, factor.cpu)
	mine.Memory = u.memory(len(u.canary), factor.memory*(youngShare+(1-youngShare)*age))
	theirs := u.track(u.stable, u.served.stable, 1)
	theirs.Memory = u.memory(len(u.stable), 1)
	u.test.Add(midnight.Add(end-relative.UsageBlock), midnight.Add(end), mine, theirs)
	u.served.canary, u.served.stable = 0, 0
}

// track draws the processor time of a block.
func (u *usage) track(nodes []float64, requests int64, factor float64) relative.Usage {
	used := relative.Usage{Pods: len(nodes), Requests: requests}
	each := float64(requests) / float64(len(nodes))
	for _, node := range nodes {
		seconds := usualCPU * factor * (each + cpuSpread*math.Sqrt(each)*u.random.NormFloat64())
		if u.random.Float64() < jobShare {
			seconds += usualCPU * each
		}
		used.CPU += node * max(seconds, 0)
	}
	return used
}

func (u *usage) memory(pods int, factor float64) float64 {
	return usualMemory * factor * (1 + memorySpread/math.Sqrt(float64(pods))*u.random.NormFloat64())
}
