package gate

import (
	"fmt"
	"math"
	"time"
)

const (
	// startWeight is the detector's stake on a release that is bad from the beginning. The rest is staked on later starts.
	startWeight = 0.5
	// restartScale is the time within which half of the rest is staked. It is the length of a soak.
	restartScale = 48 * time.Hour
)

// Detector is the sequential test for a release that may turn bad at any time. [EValue] gathers evidence from the
// beginning: after a day of good answers, a burst of errors first has to outweigh them all. The detector also mixes
// over the time at which the release turns bad. It stakes half on the beginning and the rest on all later moments,
// with less weight the later they are. Each part starts its likelihood ratios at its moment:
//
//	M(t) = unspent(t) + sum over starts s <= t of weight(s) * mean over alternatives q of L_q(s, t)
//
// While the share of bad events is at most the limit, M is a non-negative supermartingale that starts at 1, because
// it mixes supermartingales that start later. The probability that it ever reaches 1/alpha is at most alpha, for any
// number of looks, any length of the watch and any stopping rule. This takes the errors for independent. A late start
// costs the logarithm of its weight: after 40 hours about 14 nats more than at the beginning, which a share of a
// third of bad requests makes up within about 16 requests.
//
// For one alternative the sum over the starts obeys S <- (S + weight) * L, so the state is one number for each
// alternative. This is the statistic of A. Shiryaev (On optimum methods in quickest detection problems, 1963) with a
// proper prior; with weights that do not sum up to 1 it would be the one of Shiryaev and S. Roberts, which bounds the
// mean time between false alarms and not their probability. See J. Shin, A. Ramdas and A. Rinaldo, E-detectors: a
// nonparametric framework for sequential change detection (2023). The most likely start, which is only reported and
// compared with the stable track, is that of E. Page's cumulative sums (Continuous inspection schemes, 1954).
//
// A detector of [NewCappedDetector] bounds what a block of time can add, so that a burst of errors cannot decide.
//
// A Detector is not safe for concurrent use.
type Detector struct {
	limit float64
	bound Cap
	age   time.Duration
	// opened is the age at the beginning of the block under way, covered the age up to which starts have a weight.
	opened, covered time.Duration
	// closed is whether the next observation opens a block.
	closed bool
	spent  float64
	arms   []arm
	canary Counts
	stable Counts
}

// arm is the detector's evidence for one alternative.
type arm struct {
	// gain is added to the logarithm of the likelihood ratio by a bad event, cost is subtracted by any event.
	gain, cost float64
	// sum is the logarithm of the weighted sum over all starts, up to the beginning of the block under way.
	sum float64
	run Run
	// rise is the logarithm of the likelihood ratio from the run's start to the beginning of the block under way.
	rise float64
	// block is the logarithm of the likelihood ratio of the block under way, before its cap.
	block float64
}

// Run is the time since the most likely start of the trouble.
type Run struct {
	// Since is its start, as time since the detector's beginning. Weight is the stake on that start.
	Since  time.Duration
	Weight float64
	// Canary and Stable are the counts since then.
	Canary, Stable Counts
}

// NewDetector tests whether the share of bad events is at most limit, in (0, 1).
func NewDetector(limit float64) *Detector { return NewCappedDetector(limit, uncapped) }

// NewCappedDetector is [NewDetector] with a cap on the evidence of each block of time; see [Cap].
func NewCappedDetector(limit float64, bound Cap) *Detector {
	d := &Detector{limit: limit, bound: bound, closed: true, arms: make([]arm, len(oddsRatios))}
	for i, r := range oddsRatios {
		d.arms[i] = arm{gain: math.Log(r), cost: math.Log1p(limit * (r - 1)), sum: math.Inf(-1)}
	}
	return d
}

// StakeOn is the stake on a release that turns bad after one age and up to a later one: half on the beginning, and the
// rest on later starts. The stakes on consecutive times from age 0 on add up to less than 1.
func StakeOn(from, to time.Duration) float64 {
	stake := laid(to) - laid(from)
	if from == 0 {
		stake += startWeight
	}
	return stake
}

// laid is the total weight of the starts after the beginning up to an age.
func laid(age time.Duration) float64 {
	a, scale := age.Seconds(), restartScale.Seconds()
	return (1 - startWeight) * a / (a + scale)
}

// Observe adds the counts of the canary and of the stable track in the time since the last call. The length of that
// time may depend on everything observed before. Impossible counts are an error and change nothing.
func (d *Detector) Observe(elapsed time.Duration, canary, stable Counts) error {
	if !canary.possible() || !stable.possible() || elapsed < 0 {
		return fmt.Errorf("%d bad of %d, beside %d of %d, in %v is not a possible count", canary.K, canary.N, stable.K,
			stable.N, elapsed)
	}
	if d.closed || d.age-d.opened >= d.bound.Block {
		d.open(elapsed)
	}
	d.age += elapsed
	d.canary, d.stable = d.canary.Plus(canary), d.stable.Plus(stable)
	for i := range d.arms {
		a := &d.arms[i]
		a.block += float64(canary.K)*a.gain - float64(canary.N)*a.cost
		a.run.Canary, a.run.Stable = a.run.Canary.Plus(canary), a.run.Stable.Plus(stable)
	}
	return nil
}

// open ends the block under way and begins the next one with an observation of the elapsed time. The starts since the
// last beginning of a block get their weight now.
func (d *Detector) open(elapsed time.Duration) {
	weight := laid(d.age+elapsed) - laid(d.covered)
	if d.spent == 0 {
		weight += startWeight
	}
	d.spent += weight
	d.opened, d.covered, d.closed = d.age, d.age+elapsed, false
	stake := math.Log(weight)
	for i := range d.arms {
		a := &d.arms[i]
		ratio := d.bound.Of(a.block)
		a.sum, a.rise, a.block = addLogs(a.sum+ratio, stake), a.rise+ratio, 0
		if a.rise <= 0 {
			a.rise, a.run = 0, Run{Since: d.age, Weight: weight}
		}
	}
}

// addLogs is log(exp(a)+exp(b)).
func addLogs(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// LogEvidence is the natural logarithm of M, in nats. Under the limit it ever reaches -log(alpha) with a probability of
// at most alpha.
func (d *Detector) LogEvidence() float64 {
	total := math.Inf(-1)
	for i := range d.arms {
		total = addLogs(total, d.arms[i].sum+d.bound.Of(d.arms[i].block))
	}
	return addLogs(total-math.Log(float64(len(d.arms))), math.Log(1-d.spent))
}

// Forget drops the evidence gathered so far and continues from here. Dropping evidence only makes a false alarm less
// likely. It is for trouble that the stable track shares.
func (d *Detector) Forget() {
	d.closed = true
	for i := range d.arms {
		a := &d.arms[i]
		a.sum, a.rise, a.block, a.run = math.Inf(-1), 0, 0, Run{Since: d.age}
	}
}

// Age is the observed time since the beginning.
func (d *Detector) Age() time.Duration { return d.age }

// Total are the counts since the beginning, of the canary and of the stable track.
func (d *Detector) Total() (canary, stable Counts) { return d.canary, d.stable }

// Likely is the run of the alternative that the counts support most.
func (d *Detector) Likely() Run {
	best, most := 0, math.Inf(-1)
	for i := range d.arms {
		if rise := d.arms[i].rise + d.bound.Of(d.arms[i].block); rise > most {
			best, most = i, rise
		}
	}
	return d.arms[best].run
}

// Plus adds what was counted later.
func (c Counts) Plus(more Counts) Counts {
	return Counts{N: c.N + more.N, K: c.K + more.K, Maybe: c.Maybe + more.Maybe}
}

// Detection is a look at a detector.
type Detection struct {
	Result
	// LogEvidence is the detector's evidence, Threshold what it has to reach for a fail. Both are in nats.
	LogEvidence, Threshold float64
	// Run is the time that the result's counts cover.
	Run Run
}

// Detect looks at a detector of the criterion's rollback limit. It fails when the detector's evidence reaches 1/alpha,
// unless the stable track is as bad over the same time. Anything else is inconclusive: a detector never passes a
// release.
func (c Criterion) Detect(d *Detector) Detection {
	run := d.Likely()
	detection := Detection{LogEvidence: d.LogEvidence(), Threshold: -math.Log(c.alpha()), Run: run}
	detection.Result = c.detected(d.limit, detection)
	return detection
}

// Suspects reports whether the detector's evidence reaches the criterion's threshold. It is [Criterion.Detect] without
// the numbers for people, for those who look very often: below the threshold Detect never fails, nor acquits.
func (c Criterion) Suspects(d *Detector) bool { return d.LogEvidence() >= -math.Log(c.alpha()) }

// detected judges the evidence of a detector of the limit.
func (c Criterion) detected(limit float64, d Detection) Result {
	canary, stable := d.Run.Canary, d.Run.Stable
	result := c.unknown()
	result.N, result.K, result.Rate, result.Stable = canary.N, canary.K, canary.share(), &stable
	result.Confidence, result.Upper = 1-c.alpha(), 1
	if err := c.Validate(); err != nil {
		return result.is(Error, "%v", err)
	}
	if limit != c.Rollback {
		return result.is(Error, "a detector of %v cannot judge the rollback limit %v", limit, c.Rollback)
	}
	if canary.K > 0 {
		// The run's start has this weight alone: a lower bound that spends no more holds for all starts together.
		result.Lower = LowerBound(canary.N, canary.K, max(c.alpha()*d.Run.Weight, math.SmallestNonzeroFloat64))
	}
	if d.LogEvidence < d.Threshold {
		return result.is(Inconclusive, "%s", c.counted(canary))
	}
	if c.shared(canary, stable) {
		return c.acquitted(result, canary, stable)
	}
	// The evidence of all starts together rejects the limit, and with it every share below.
	result.Lower = max(result.Lower, c.Rollback)
	return result.is(Fail, "%s, beside %d of %d of the stable track; the share is above the limit of %s with %s "+
		"confidence (e-value %.3g, lower bound %s)", c.counted(canary), stable.K, stable.N, percent(c.Rollback),
		percent(result.Confidence), math.Exp(min(d.LogEvidence, 700)), percent(result.Lower))
}
