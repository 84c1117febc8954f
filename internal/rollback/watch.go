package rollback

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// judgedPart is the end of a watch that its verdict rests on; a shorter watch is judged by its second half. Failures of
// requests that were still on their way to the canary, or of the time in which stable grew, are over by then.
const judgedPart = 5 * time.Minute

// Watch is the watch over the stable track after a rollback. The guard counts at the pods and the command asks
// Prometheus; both find stable well again by the same criteria over the same time.
type Watch struct {
	Began  time.Time
	Length time.Duration

	criteria []gate.Criterion
}

// NewWatch watches stable by the criteria of its stack. Stable is well again only by requests that were seen: a
// criterion that needs none needs one here.
func NewWatch(began time.Time, length time.Duration, criteria []gate.Criterion) Watch {
	watch := Watch{Began: began, Length: length}
	for _, criterion := range criteria {
		criterion.MinRequests = max(criterion.MinRequests, 1)
		watch.criteria = append(watch.criteria, criterion)
	}
	return watch
}

// Until is the end of the watch.
func (w Watch) Until() time.Time { return w.Began.Add(w.Length) }

// Window is the time that a look is about: up to now, and as long as the part that the verdict rests on. At the end of
// the watch it is that part.
func (w Watch) Window(now time.Time) gate.Window {
	start := now.Add(-min(judgedPart, w.Length/2))
	if start.Before(w.Began) {
		start = w.Began
	}
	return gate.Window{Start: start, End: now}
}

// Question asks Prometheus how the stable track is now.
func (w Watch) Question(stable gate.Metrics, now time.Time) gate.Question {
	return gate.Question{Metrics: stable, Criteria: w.criteria, Window: w.Window(now)}
}

// Judge is the look at what was counted in the window up to now: the requests that failed, and those that were slow.
func (w Watch) Judge(requests, slow gate.Counts, now time.Time) gate.Evaluation {
	window := w.Window(now)
	evaluation := gate.Evaluation{Start: window.Start, End: window.End}
	for _, criterion := range w.criteria {
		counts := requests
		if criterion.Kind == gate.KindLatency {
			counts = slow
		}
		evaluation.Results = append(evaluation.Results, criterion.Decide(counts.N, counts.K))
	}
	return evaluation
}

// Run looks at stable at every interval until the watch is over, and returns the last look. A look that fails before
// the end decides nothing. When the context ends first, the outcome is an error.
func (w Watch) Run(ctx context.Context, clock gate.Clock, every time.Duration,
	look func(ctx context.Context, now time.Time) gate.Evaluation) gate.Evaluation {
	for {
		select {
		case <-ctx.Done():
			return unseen(w.Window(clock.Now()), context.Cause(ctx))
		case <-clock.After(min(every, w.Until().Sub(clock.Now()))):
		}
		evaluation := lookOnce(ctx, clock.Now(), look)
		if ctx.Err() != nil {
			return unseen(w.Window(clock.Now()), context.Cause(ctx))
		}
		if !clock.Now().Before(w.Until()) {
			return evaluation
		}
	}
}

func lookOnce(ctx context.Context, now time.Time,
	look func(context.Context, time.Time) gate.Evaluation) gate.Evaluation {
	ctx, cancel := context.WithTimeout(ctx, gate.DefaultLookTimeout)
	defer cancel()
	return look(ctx, now)
}

func unseen(window gate.Window, err error) gate.Evaluation {
	return gate.Evaluation{Start: window.Start, End: window.End,
		Results: []gate.Result{{Name: "watch", Verdict: gate.Error, Reason: err.Error()}}}
}
