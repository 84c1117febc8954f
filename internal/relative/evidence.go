package relative

import (
	"math"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// evidence is the e-process of one test: a mixture over alternatives, and over the blocks with which the trouble
// begins. For one alternative the sum over the starts obeys S <- (S + stake) * min(ratio, constant), so that one number
// for each alternative is its state.
type evidence struct {
	bound gate.Cap
	arms  []arm
	// spent is the stake on the starts up to age.
	spent float64
	age   time.Duration
}

// arm is the evidence for one alternative.
type arm struct {
	// sum is the weighted sum of the likelihood ratios since all starts, at most [mostSum].
	sum float64
	// rise is the logarithm of the likelihood ratio since the most likely start, which is the age since.
	rise  float64
	since time.Duration
	// canary and stable are the counts since then.
	canary, stable gate.Counts
}

// mostSum keeps sums finite. It is far above every threshold, and a lower sum is less evidence.
const mostSum = 1e200

func newEvidence(bound gate.Cap, alternatives int) *evidence {
	return &evidence{bound: bound, arms: make([]arm, alternatives)}
}

// observe adds a block: the logarithm of each alternative's likelihood ratio in it, and the counts that belong to it.
func (e *evidence) observe(length time.Duration, ratios []float64, counts func(alternative int) (canary,
	stable gate.Counts)) {
	stake := gate.StakeOn(e.age, e.age+length)
	for i := range e.arms {
		a, ratio := &e.arms[i], e.bound.Of(ratios[i])
		a.sum = min((a.sum+stake)*math.Exp(ratio), mostSum)
		if a.rise <= 0 {
			*a = arm{sum: a.sum, since: e.age}
		}
		a.rise += ratio
		canary, stable := counts(i)
		a.canary, a.stable = a.canary.Plus(canary), a.stable.Plus(stable)
	}
	e.spent += stake
	e.age += length
}

// log is the natural logarithm of the e-process.
func (e *evidence) log() float64 {
	total := 0.0
	for i := range e.arms {
		total += e.arms[i].sum
	}
	return math.Log(total/float64(len(e.arms)) + 1 - e.spent)
}

// likely is the alternative with the most evidence.
func (e *evidence) likely() (alternative int, since arm) {
	for i := range e.arms {
		if e.arms[i].rise > e.arms[alternative].rise {
			alternative = i
		}
	}
	return alternative, e.arms[alternative]
}
