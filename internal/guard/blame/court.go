package blame

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	// askFor is how long stable's answers are waited for before those that came are compared.
	askFor = 400 * time.Millisecond
	// lookFor is how long an inquiry waits for the answers of pods that can be asked, and how long counts are gathered
	// beside a stable track in trouble before they convict. It is also the time in which stable counts as in trouble now.
	lookFor = 3 * time.Second
	// shakenFor is how long a comparison begun beside a stable track in trouble goes on.
	shakenFor = 30 * time.Second
	// patience is how long a comparison may stay undecided.
	patience = 30 * time.Second
	// recovery is how much longer than stable a canary may take to recover from a shared outage.
	recovery = 10 * time.Second
	// longRun is the time from which on a stable track within the limit is no outage, although the canary's share is not
	// far above it: both are known well by then.
	longRun = time.Minute
	// rateOver is the least time that the tracks' rates of requests are taken from.
	rateOver = time.Minute
	// SilentFor is how long stable must not have answered before its silence is reported.
	SilentFor = 5 * time.Second
	// SilentLimit is how long a canary that fails most of its requests stays while stable does not answer: longer than a
	// shared outage that keeps stable from answering.
	SilentLimit = 90 * time.Second
)

// Scrape is the result of one scrape of a pod.
type Scrape struct {
	// Began and Ended bound the moment at which the pod's counters were read.
	Began, Ended time.Time
	// Requests is by how much the counters rose since the last one that succeeded.
	Requests gate.Counts
	// Held is whether counts are held back for a later scrape.
	Held bool
	// Failed is whether the scrape failed.
	Failed bool
	// Slow is whether the pod limits its scrapes, and cannot be asked. Interval is the time between two of them.
	Slow     bool
	Interval time.Duration
}

// Verdict is a decision of the court.
type Verdict string

const (
	// Nothing is decided.
	Nothing Verdict = ""
	// Canary means that the errors are the canary's own.
	Canary Verdict = "canary"
	// Shared means that stable fails as well. The evidence so far is dropped.
	Shared Verdict = "shared"
	// Silent means that there is evidence against the canary, and no word of stable to compare it with.
	Silent Verdict = "silent"
)

// Step is what a court asks for.
type Step struct {
	// Ask are the pods that have to be scraped at once.
	Ask []string
	// Tick is after which time the court has to be called again; 0 for no call.
	Tick    time.Duration
	Verdict Verdict
	// Proven is whether burst-robust evidence convicts, and not only the fast one.
	Proven bool
	// Compared are the counts behind the verdict, and Detection is the evidence.
	Compared  Comparison
	Detection gate.Detection
	// Quiet is how long stable has been missed, for a silent one.
	Quiet time.Duration

	limit float64
}

// Reason says in words what led to the verdict.
func (s Step) Reason() string {
	canary, stable := s.Compared.Canary, s.Compared.Stable
	failed := fmt.Sprintf("%d of %d requests failed (%.3g %%)", canary.K, canary.N, share(canary))
	switch {
	case s.Verdict == Shared && s.Compared.trouble:
		return fmt.Sprintf("%s, but so did %d of %d of the stable track's over the same time (%.3g %%): a shared dependency "+
			"fails, not the canary", failed, stable.K, stable.N, share(stable))
	case s.Verdict == Shared:
		return fmt.Sprintf("%s, beside %d of %d of the stable track: too little to tell the canary's errors from those of a "+
			"shared outage", failed, stable.K, stable.N)
	case s.Verdict == Canary:
		return fmt.Sprintf("%s, beside %d of %d of the stable track over the same time; the share is above the limit of "+
			"%.4g %% with %.6g %% confidence", failed, stable.K, stable.N, 100*s.limit, 100*s.Detection.Confidence)
	default:
		return failed
	}
}

// share is in percent.
func share(counts gate.Counts) float64 {
	if counts.N == 0 {
		return 0
	}
	return 100 * float64(counts.K) / float64(counts.N)
}

// Court judges one canary. It is not safe for concurrent use.
type Court struct {
	criterion gate.Criterion
	pods      map[string]*history
	slow      map[string]time.Duration

	fast, proven *gate.Detector
	began, last  time.Time
	pending      gate.Counts

	inquiry *inquiry
	// shaken is when stable was first seen in trouble: only what came later is compared. shared is the last time at which
	// an outage was shared, undecided since when a comparison gives no verdict, missed since when stable is silent.
	shaken, shared, undecided, missed time.Time
	// skew is added to times that would run backwards.
	skew time.Duration
	now  time.Time
}

// inquiry is a question to stable: whose are the errors that the canary has counted up to a time?
type inquiry struct {
	at, compares, closes time.Time
	// canary are the counts of the canary's trouble, which began at since; proven is whether burst-robust evidence asks.
	canary gate.Counts
	since  time.Time
	proven bool
	// waiting are the stable pods that were asked and have not been scraped since.
	waiting map[string]bool
}

// NewCourt makes a court for a criterion's rollback limit that has no evidence to judge before [Court.Begin].
func NewCourt(criterion gate.Criterion) *Court {
	return &Court{criterion: criterion, pods: map[string]*history{}, slow: map[string]time.Duration{}}
}

// Begin begins new evidence, which the detectors gather. proven may be nil. What is known of the pods stays.
func (c *Court) Begin(now time.Time, fast, proven *gate.Detector) {
	now = c.clock(now)
	c.fast, c.proven, c.began, c.last, c.pending = fast, proven, now, now, gate.Counts{}
	c.inquiry, c.shaken, c.undecided = nil, time.Time{}, time.Time{}
}

// End drops the evidence.
func (c *Court) End() { c.fast, c.proven, c.inquiry = nil, nil, nil }

// Join adds a pod. fromZero is whether all that it will ever have counted belongs to the watch.
func (c *Court) Join(uid string, canary, fromZero bool, now time.Time) {
	h := &history{canary: canary}
	if fromZero {
		h.add(c.clock(now), gate.Counts{})
	}
	c.pods[uid] = h
}

// Leave removes a pod.
func (c *Court) Leave(uid string) {
	delete(c.pods, uid)
	delete(c.slow, uid)
	if c.inquiry != nil {
		delete(c.inquiry.waiting, uid)
	}
}

// clock gives times that do not run backwards by more than results that overtake one another.
func (c *Court) clock(at time.Time) time.Time {
	at = at.Add(c.skew)
	if back := c.now.Sub(at); back > time.Second {
		c.skew += back
		at = at.Add(back)
	}
	if at.After(c.now) {
		c.now = at
	}
	return at
}

// Scraped adds a scrape. Impossible counts are an error and change nothing.
func (c *Court) Scraped(uid string, s Scrape) (Step, error) {
	h := c.pods[uid]
	if h == nil {
		return Step{}, nil
	}
	took := s.Ended.Sub(s.Began)
	now := c.clock(s.Ended)
	began := now.Add(-max(took, 0))
	delete(c.slow, uid)
	if s.Slow {
		c.slow[uid] = s.Interval
	}
	if !s.Failed && (!s.Held || len(h.points) == 0) {
		h.add(began, s.Requests)
	}
	if !h.canary {
		if !s.Failed {
			c.missed = time.Time{}
			c.pending = c.pending.Plus(s.Requests)
		}
		return c.answered(uid, began, now), nil
	}
	if s.Failed || c.fast == nil {
		return Step{}, nil
	}
	elapsed, beside := max(now.Sub(c.last), 0), c.pending
	for _, detector := range []*gate.Detector{c.fast, c.proven} {
		if detector == nil {
			continue
		}
		if err := detector.Observe(elapsed, s.Requests, beside); err != nil {
			return Step{}, err
		}
	}
	c.last, c.pending = now, gate.Counts{}
	return c.look(now), nil
}

// Look opens an inquiry where the evidence suffices and none is open.
func (c *Court) Look(now time.Time) Step { return c.look(c.clock(now)) }

func (c *Court) look(now time.Time) Step {
	if c.fast == nil || c.inquiry != nil {
		return Step{}
	}
	fast, proven := c.criterion.Suspects(c.fast), c.proven != nil && c.criterion.Suspects(c.proven)
	if !fast && !proven {
		c.undecided = time.Time{}
		return Step{}
	}
	detector := c.fast
	if !fast {
		detector = c.proven
	}
	run := detector.Likely()
	// The detector's clock began with the evidence, or before it where it outlasts a quarantine.
	c.inquiry = &inquiry{at: now, compares: now.Add(askFor), closes: now.Add(lookFor), canary: run.Canary,
		since: c.last.Add(run.Since - detector.Age()), proven: proven, waiting: map[string]bool{}}
	step := Step{}
	for _, uid := range slices.Sorted(maps.Keys(c.pods)) {
		interval, slow := c.slow[uid]
		switch {
		case c.pods[uid].canary:
		case slow:
			c.inquiry.closes = later(c.inquiry.closes, now.Add(2*interval))
			c.inquiry.waiting[uid] = true
		default:
			c.inquiry.waiting[uid] = true
			step.Ask = append(step.Ask, uid)
		}
	}
	if len(step.Ask) == 0 {
		c.inquiry.compares = now
	}
	if len(c.inquiry.waiting) == 0 {
		return c.decide(now)
	}
	step.Tick = c.inquiry.next(now)
	return step
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// next is the time to the next tick of an inquiry.
func (i *inquiry) next(now time.Time) time.Duration {
	if now.Before(i.compares) {
		return i.compares.Sub(now)
	}
	return max(i.closes.Sub(now), time.Millisecond)
}

// Tick goes on with an inquiry whose time is up.
func (c *Court) Tick(now time.Time) Step {
	now = c.clock(now)
	if c.inquiry == nil {
		return Step{}
	}
	if now.Before(c.inquiry.compares) {
		return Step{Tick: c.inquiry.next(now)}
	}
	return c.decide(now)
}

// answered notes that a stable pod was scraped, whether it succeeded or not.
func (c *Court) answered(uid string, began, now time.Time) Step {
	if c.inquiry == nil || began.Before(c.inquiry.at) {
		return Step{}
	}
	delete(c.inquiry.waiting, uid)
	if len(c.inquiry.waiting) > 0 && now.Before(c.inquiry.compares) {
		return Step{}
	}
	return c.decide(now)
}
