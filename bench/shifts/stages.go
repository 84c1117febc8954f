package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// stages are the weights of the release; the last shift takes it out.
var stages = []int{10, 30, 60, 100}

// settled is the delay after an update before requests count: kube-proxy and terminating pods need a moment.
const settled = 3 * time.Second

// throughStages takes the release through all stages and out again under load, once for each run.
func throughStages(ctx context.Context, s *stack, o options) (stagesReport, error) {
	report := stagesReport{Mode: o.mode, PerSecond: o.perSecond, Shares: make([]share, len(stages))}
	for i, weight := range stages {
		report.Shares[i].Weight = weight
	}
	// A little more, since requests near the ends of a window may not count.
	hold := time.Duration(float64(o.perStage)/float64(o.runs*o.perSecond)*1.02*float64(time.Second)) + time.Second
	for i := range o.runs {
		if _, err := s.shift(ctx, stages[0]); err != nil {
			return report, err
		}
		time.Sleep(settled)
		one, err := s.oneRun(ctx, o, hold, report.Shares)
		if err != nil {
			return report, err
		}
		report.Runs = append(report.Runs, one)
		fmt.Fprintf(os.Stderr, "run %d of %d: %d of %d requests failed\n", i+1, o.runs, one.Failed, one.Requests)
	}
	return report, nil
}

// window is a time of constant weight.
type window struct{ from, to time.Time }

// oneRun goes through the stages once and adds the counts to the shares.
func (s *stack) oneRun(ctx context.Context, o options, hold time.Duration, shares []share) (oneRun, error) {
	sent, err := s.startLoad(ctx, o, o.perSecond)
	if err != nil {
		return oneRun{}, err
	}
	windows, err := s.climb(ctx, hold)
	answers := sent.end()
	if err != nil {
		return oneRun{}, err
	}
	one := oneRun{Requests: len(answers)}
	for _, a := range answers {
		if a.failed != "" {
			one.Failed++
			one.Why = a.failed + " " + moment(windows, a.sent)
		}
	}
	for i, w := range windows {
		all, fromCanary := count(answers, w.from, w.to)
		shares[i].Requests += all
		shares[i].Canary += fromCanary
	}
	return one, nil
}

// moment names the stage or the shift during which a request was sent.
func moment(windows []window, sent time.Time) string {
	for i, w := range windows {
		switch {
		case sent.Before(w.from):
			return fmt.Sprintf("%.1f s before %d %% was constant", w.from.Sub(sent).Seconds(), stages[i])
		case sent.Before(w.to):
			return fmt.Sprintf("while %d %% was constant", stages[i])
		}
	}
	return "on the way out"
}

// climb holds every stage and shifts to the next, at the end to 0.
func (s *stack) climb(ctx context.Context, hold time.Duration) ([]window, error) {
	var windows []window
	for i, weight := range append(append([]int(nil), stages...), 0) {
		if i > 0 {
			if _, err := s.shift(ctx, weight); err != nil {
				return nil, err
			}
			time.Sleep(settled)
		}
		from := time.Now()
		pause := hold
		if weight == 0 {
			pause = settled
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
		if weight > 0 {
			windows = append(windows, window{from: from, to: time.Now()})
		}
	}
	return windows, nil
}
