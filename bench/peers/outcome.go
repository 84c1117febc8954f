package main

import (
	"errors"
	"time"

	"github.com/vextrus/finance-rollout/e2e/fixture"
)

// outcome is how a canary left. Times count from the moment that it turned bad.
type outcome struct {
	// out is when none of its pods took new requests for the first time, forGood when that was so to the end. A canary
	// that is quarantined comes back between the two.
	out, forGood time.Duration
	// failed is the number of customers' requests that failed in all, unanswered those of them that no pod answered.
	failed, unanswered int
	// late is the number of those that failed while no canary pod was among the endpoints: over connections that were
	// open before. last is how long after the canary had left the last of them failed.
	late int
	last time.Duration
	// least is the smallest number of ready endpoints of both tracks together.
	least int
}

// summarize puts the looks at the endpoints and the failures together.
func summarize(began time.Time, moments []moment, failures []fixture.Failure) (outcome, error) {
	if len(moments) == 0 || moments[len(moments)-1].canary > 0 {
		return outcome{}, errors.New("a canary pod takes requests at the end")
	}
	o := outcome{failed: len(failures), least: moments[0].all}
	var left []interval
	in := false
	for _, m := range moments {
		o.least = min(o.least, m.all)
		switch {
		case m.canary > 0 && !in && len(left) > 0:
			left[len(left)-1].to = m.at
		case m.canary == 0 && (in || len(left) == 0):
			left = append(left, interval{from: m.at})
		}
		in = m.canary > 0
	}
	o.out, o.forGood = left[0].from.Sub(began), left[len(left)-1].from.Sub(began)
	for _, failure := range failures {
		if failure.Pod == "" {
			o.unanswered++
		}
		for _, out := range left {
			if out.holds(failure.At) {
				o.late, o.last = o.late+1, max(o.last, failure.At.Sub(out.from))
			}
		}
	}
	return o, nil
}

// interval is a time without a canary pod among the endpoints; to is zero for one that lasts.
type interval struct{ from, to time.Time }

func (i interval) holds(at time.Time) bool {
	return at.After(i.from) && (i.to.IsZero() || at.Before(i.to))
}
