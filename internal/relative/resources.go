package relative

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// UsageBlock is the length of the blocks in which CPU and memory are compared.
const UsageBlock = 10 * time.Minute

// Usage is what a track used in a block.
type Usage struct {
	// Pods is the number of pods that were seen, Requests what they served, CPU their processor time in seconds.
	Pods     int
	Requests int64
	CPU      float64
	// Memory is the mean resident memory of a pod in bytes; 0 where it is unknown.
	Memory float64
}

// Resources compares what the tracks need: CPU a request, and memory a pod. It is not safe for concurrent use.
//
// How much a request needs has no known distribution, and the next one needs about as much. So a block says one thing
// alone: whether the canary needed more than [Limits].CPU or [Limits].Memory times what stable did. The null hypothesis
// is that this is no likelier than not in any block, whatever the ones before were; the bets on it are those of a coin.
// However much a block needs, it adds at most log 2 nats.
//
// For CPU the canary must need more both by request and by pod. What a pod needs without any request makes the requests
// of a pod with few of them dear, and a pod with many needs more: neither shows a costlier release. Memory is compared
// with the most that stable has needed in the soak, because a new process needs less than an old one.
type Resources struct {
	limits      Limits
	start       time.Time
	cpu, memory resource
	// peak is the most memory of stable in a block so far.
	peak float64
}

// NewResources compares blocks from the start on.
func NewResources(limits Limits, start time.Time) *Resources {
	threshold := -math.Log(Alpha * resourcesShare / 2)
	begin := func() resource {
		return resource{test: test{evidence: newEvidence(gate.Cap{Nats: math.Ln2, Block: UsageBlock}, len(worse)),
			threshold: threshold}}
	}
	return &Resources{limits: limits, start: start, cpu: begin(), memory: begin()}
}

// worse are the alternatives: in which share of the blocks the canary needs more than it may.
var worse = []float64{0.65, 0.8, 0.95, 0.995}

// resource is the test of one resource.
type resource struct {
	test
	blocks []needed
}

// needed is what both tracks needed in a block: CPU and requests, or memory and blocks.
type needed struct {
	start, end     time.Time
	canary, stable share
}

// share is an amount of so many.
type share struct{ amount, of float64 }

func (s share) plus(more share) share { return share{s.amount + more.amount, s.of + more.of} }

// Needs is a finding on a resource.
type Needs struct {
	// Since is the likeliest beginning, At the end of the block that sufficed.
	Since, At time.Time
	// Canary and Stable are what they needed in between: seconds of CPU a request, or bytes a pod.
	Canary, Stable float64
	// Worse is in how many of Blocks the canary needed more than it may.
	Worse, Blocks int64
}

// Add adds a block. One without what has to be compared says nothing.
func (r *Resources) Add(start, end time.Time, canary, stable Usage) {
	if r.limits.CPU > 0 && canary.counts() && stable.counts() {
		byRequest := canary.CPU / float64(canary.Requests) / (stable.CPU / float64(stable.Requests))
		byPod := canary.CPU / float64(canary.Pods) / (stable.CPU / float64(stable.Pods))
		r.cpu.add(r.start, min(byRequest, byPod) > r.limits.CPU, needed{start, end, share{canary.CPU,
			float64(canary.Requests)}, share{stable.CPU, float64(stable.Requests)}})
	}
	r.peak = max(r.peak, stable.Memory)
	if r.limits.Memory > 0 && canary.Memory > 0 && r.peak > 0 {
		r.memory.add(r.start, canary.Memory > r.limits.Memory*r.peak, needed{start, end, share{canary.Memory, 1},
			share{r.peak, 1}})
	}
}

func (u Usage) counts() bool { return u.Pods > 0 && u.Requests > 0 && u.CPU > 0 }

func (r *resource) add(began time.Time, isWorse bool, block needed) {
	counts := gate.Counts{N: 1}
	if isWorse {
		counts.K = 1
	}
	r.blocks = append(r.blocks, block)
	r.observe(block.end.Sub(block.start), coin(isWorse), func(int) (gate.Counts, gate.Counts) {
		return counts, gate.Counts{}
	})
	r.check(began, block.end, Slice{}, nil)
}

// coin are the logarithms of the likelihood ratios of the alternatives to a fair coin.
func coin(isWorse bool) []float64 {
	ratios := make([]float64, len(worse))
	for i, p := range worse {
		if isWorse {
			ratios[i] = math.Log(2 * p)
		} else {
			ratios[i] = math.Log(2 * (1 - p))
		}
	}
	return ratios
}

// CPU is the finding on CPU; nil for none.
func (r *Resources) CPU() *Needs { return r.cpu.needs() }

// Memory is the finding on memory; nil for none.
func (r *Resources) Memory() *Needs { return r.memory.needs() }

func (r *resource) needs() *Needs {
	if r.finding == nil {
		return nil
	}
	var canary, stable share
	blocks, since := r.finding.Canary.N, r.finding.Since
	for i := len(r.blocks) - 1; i >= 0; i-- {
		block := r.blocks[i]
		if block.end.After(r.finding.At) {
			continue
		}
		if blocks == 0 {
			break
		}
		blocks--
		since = block.start
		canary, stable = canary.plus(block.canary), stable.plus(block.stable)
	}
	return &Needs{Since: since, At: r.finding.At, Canary: canary.amount / canary.of,
		Stable: stable.amount / stable.of, Worse: r.finding.Canary.K, Blocks: r.finding.Canary.N}
}

// compared are the blocks that were compared.
func (r *resource) compared() int { return len(r.blocks) }

// describe is the finding for people; unit writes an amount.
func (n Needs) describe(what string, unit func(float64) string) string {
	return fmt.Sprintf("the canary needs %s %s, beside %s of stable, in %d of %d blocks of %v too much, from %s to %s",
		unit(n.Canary), what, unit(n.Stable), n.Worse, n.Blocks, UsageBlock, stamp(n.Since), stamp(n.At))
}

// milliseconds and mebibytes write amounts.
func milliseconds(seconds float64) string {
	return strconv.FormatFloat(1000*seconds, 'g', 3, 64) + " ms"
}

func mebibytes(bytes float64) string {
	return strconv.FormatFloat(bytes/(1<<20), 'f', 0, 64) + " MiB"
}
