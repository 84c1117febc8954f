package outages

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/guard/blame"
)

// Silence says how stable's scrapes fail.
type Silence string

const (
	// Answers means that they do not fail.
	Answers Silence = "answers"
	// Flaky means that each fails with a probability of a half during the outage.
	Flaky Silence = "half fail"
	// Partly means that those of every other pod fail during the outage.
	Partly Silence = "those of every other pod fail"
	// Mute means that all fail during the outage.
	Mute Silence = "all fail"
)

// Case is one simulated canary.
type Case struct {
	// Canary and Stable are the pods of the tracks, PerSecond the requests of each in a second.
	Canary, Stable int
	PerSecond      float64
	// Every is the time between two scrapes of a pod; Limited is whether its pods refuse to be scraped in between.
	Every   time.Duration
	Limited bool
	Silence Silence
	// Outage is how long the shared outage lasts, Share the share of requests that fails in it. Lag is how much longer it
	// lasts at the canary.
	Outage, Lag time.Duration
	Share       float64
	// Bad is the share of requests that fails at a canary which is bad by itself from the same moment on, to the end.
	Bad float64
	// Mean is the share that fails at both tracks all the time.
	Mean float64
}

// Validate returns all problems of the case.
func (c Case) Validate() error {
	var problems []error
	bad := func(what string, got any, want string) {
		problems = append(problems, fmt.Errorf("%s is %v: allowed is %s", what, got, want))
	}
	if c.Canary < 1 || c.Stable < 0 {
		bad("the number of pods", fmt.Sprintf("%d and %d", c.Canary, c.Stable), "at least 1 of the canary")
	}
	if !(c.PerSecond >= 0 && c.PerSecond <= 1e4) {
		bad("the requests of a pod in a second", c.PerSecond, "0 to 10000")
	}
	if c.Every < 100*time.Millisecond {
		bad("the time between two scrapes", c.Every, "100 ms and more")
	}
	for _, share := range []float64{c.Share, c.Bad, c.Mean} {
		if !(share >= 0 && share <= 1) {
			bad("a share", share, "0 to 1")
		}
	}
	if c.Outage < 0 || c.Lag < 0 {
		bad("the outage", fmt.Sprintf("%v with a lag of %v", c.Outage, c.Lag), "0 and more")
	}
	return errors.Join(problems...)
}

// Outcome is what the guard's court made of a case.
type Outcome struct {
	// Suspected is how long after the beginning the canary's evidence alone sufficed first; 0 for never.
	Suspected time.Duration
	// Blamed is how long after the beginning the canary was blamed; 0 for never.
	Blamed time.Duration
	// Shared is whether an outage was found to be shared.
	Shared bool
	Reason string
}

const (
	// warmUp and coolDown are the longest time before the trouble, and the time after a shared outage.
	warmUp, coolDown = 20 * time.Second, 30 * time.Second
	// badFor is how long a canary that is bad by itself is watched.
	badFor = 20 * time.Minute
	// slowestAnswer bounds the time that a scrape takes.
	slowestAnswer = 50 * time.Millisecond
)

// Run simulates a case.
func Run(c Case, criterion gate.Criterion, seed uint64) (Outcome, error) {
	if err := c.Validate(); err != nil {
		return Outcome{}, err
	}
	s := &simulation{Case: c, rand: rand.New(rand.NewPCG(seed, 1)), //nolint:gosec // a simulation is to be repeatable
		court: blame.NewCourt(criterion), criterion: criterion}
	s.begins = epoch.Add(warmUp/2 + s.within(warmUp/2))
	s.ends = s.begins.Add(c.Outage + c.Lag + coolDown)
	if c.Bad > 0 {
		s.ends = s.begins.Add(badFor)
	}
	s.fast = gate.NewDetector(criterion.Rollback)
	s.court.Begin(epoch, s.fast, nil)
	for i := range c.Canary + c.Stable {
		p := &pod{uid: fmt.Sprint(i), canary: i < c.Canary, odd: i%2 == 1, counted: epoch}
		s.pods = append(s.pods, p)
		s.court.Join(p.uid, p.canary, true, epoch)
		s.plan(p, epoch.Add(s.within(c.Every)))
	}
	return s.run()
}

var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// simulation is a run of a case under way.
type simulation struct {
	Case
	rand         *rand.Rand
	court        *blame.Court
	criterion    gate.Criterion
	fast         *gate.Detector
	begins, ends time.Time
	pods         []*pod
	queue        queue
	outcome      Outcome
}

// pod is a pod whose scrapes are events of the queue.
type pod struct {
	uid    string
	canary bool
	// odd is whether its number is.
	odd bool
	// counted is the time up to which its counters were read.
	counted time.Time
	// turn is the number of its next scrape: those that were planned before are void. again is whether it has to be
	// scraped once more after the one under way.
	turn  int
	busy  bool
	again bool
}

// event is something that happens at a time.
type event struct {
	at time.Time
	do func(now time.Time) error
}

type queue []event

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (s *simulation) within(d time.Duration) time.Duration {
	return time.Duration(s.rand.Float64() * float64(d))
}

func (s *simulation) run() (Outcome, error) {
	for s.queue.Len() > 0 && s.outcome.Blamed == 0 {
		next, _ := heap.Pop(&s.queue).(event)
		if next.at.After(s.ends) {
			break
		}
		if err := next.do(next.at); err != nil {
			return Outcome{}, err
		}
	}
	return s.outcome, nil
}

func (s *simulation) at(at time.Time, do func(now time.Time) error) {
	heap.Push(&s.queue, event{at, do})
}

// plan plans the next scrape of a pod, in place of one that was planned before.
func (s *simulation) plan(p *pod, at time.Time) {
	p.turn++
	turn := p.turn
	s.at(at, func(now time.Time) error {
		if p.turn == turn {
			s.scrape(p, now)
		}
		return nil
	})
}

// wake scrapes a pod at once, as the guard does: a scrape under way ends first.
func (s *simulation) wake(p *pod, now time.Time) {
	switch {
	case s.Limited:
	case p.busy:
		p.again = true
	default:
		s.plan(p, now)
	}
}

func (s *simulation) scrape(p *pod, began time.Time) {
	p.busy = true
	read := began.Add(s.within(slowestAnswer))
	ended := read.Add(s.within(slowestAnswer))
	failed := !p.canary && s.fails(p, began)
	scrape := blame.Scrape{Began: began, Ended: ended, Failed: failed, Slow: s.Limited, Interval: s.Every}
	if !failed {
		scrape.Requests, p.counted = s.count(p, p.counted, read), read
	}
	s.at(ended, func(now time.Time) error {
		p.busy = false
		next := now.Add(s.Every)
		if p.again {
			p.again, next = false, now
		}
		s.plan(p, next)
		step, err := s.court.Scraped(p.uid, scrape)
		if err != nil {
			return err
		}
		s.follow(step, now)
		if p.canary && s.fast.LogEvidence() > 0 && !s.Limited {
			s.at(now.Add(s.Every/5), func(now time.Time) error { s.wake(p, now); return nil })
		}
		return nil
	})
}

// fails reports whether a scrape of a stable pod fails.
func (s *simulation) fails(p *pod, at time.Time) bool {
	if at.Before(s.begins) || !at.Before(s.begins.Add(s.Outage)) {
		return false
	}
	switch s.Silence {
	case Mute:
		return true
	case Partly:
		return p.odd
	case Flaky:
		return s.rand.IntN(2) == 0
	default:
		return false
	}
}

// count draws what a pod counts in a time. Requests come at random times of their own.
func (s *simulation) count(p *pod, from, to time.Time) gate.Counts {
	until := s.begins.Add(s.Outage)
	if p.canary {
		until = until.Add(s.Lag)
	}
	draw := func(from, to time.Time, share float64) gate.Counts {
		length := to.Sub(from).Seconds()
		if length <= 0 || s.PerSecond == 0 {
			return gate.Counts{}
		}
		n := distuv.Poisson{Lambda: s.PerSecond * length, Src: s.rand}.Rand()
		k := 0.0
		switch {
		case share >= 1:
			k = n
		case share > 0 && n > 0:
			k = distuv.Binomial{N: n, P: share, Src: s.rand}.Rand()
		}
		return gate.Counts{N: int64(n), K: int64(k)}
	}
	bad := s.Mean
	if p.canary {
		bad = max(s.Bad, s.Mean)
	}
	begins := clamp(s.begins, from, to)
	until = clamp(until, begins, to)
	return draw(from, begins, s.Mean).Plus(draw(begins, until, max(s.Share, bad))).Plus(draw(until, to, bad))
}

func clamp(at, from, to time.Time) time.Time {
	if at.Before(from) {
		return from
	}
	if at.After(to) {
		return to
	}
	return at
}

// follow does what the court asks for.
func (s *simulation) follow(step blame.Step, now time.Time) {
	if s.outcome.Suspected == 0 && s.criterion.Suspects(s.fast) && !now.Before(s.begins) {
		s.outcome.Suspected = now.Sub(s.begins)
	}
	for _, p := range s.pods {
		if slices.Contains(step.Ask, p.uid) {
			s.wake(p, now)
		}
	}
	if step.Tick > 0 {
		s.at(now.Add(step.Tick), func(now time.Time) error { s.follow(s.court.Tick(now), now); return nil })
	}
	switch {
	case step.Verdict == blame.Canary, step.Verdict == blame.Silent && step.Quiet >= blame.SilentLimit:
		s.outcome.Blamed = max(now.Sub(s.begins), time.Nanosecond)
		s.outcome.Reason = fmt.Sprintf("%s (chance %.2g)", step.Reason(), step.Compared.Chance)
	case step.Verdict == blame.Shared:
		s.outcome.Shared = true
	}
}
