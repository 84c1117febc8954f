package smoke

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// concurrency is how many checks run at once, over all targets.
const concurrency = 16

// Run sends the suite to every target and returns what it found. Checks run in parallel, latency checks after them
// and one at a time, so that the suite does not slow down what it measures. Each check has its own timeout; a
// canceled context ends the run soon, with the checks that are left as errors. A run without targets is a report of
// errors.
func Run(ctx context.Context, suite *Suite, targets []Target, values Values) *Report {
	started := time.Now()
	results := make([][]Result, len(suite.Checks))
	if len(targets) == 0 {
		for i, check := range suite.Checks {
			results[i] = []Result{{Check: check.Name, Status: Error, Reason: "no pod to check: the caller found no target"}}
		}
		return newReport(suite, values.Environment, results, time.Since(started))
	}
	runners := make([]*runner, len(targets))
	for i, target := range targets {
		runners[i] = newRunner(target, values)
	}
	defer func() {
		for _, runner := range runners {
			runner.close()
		}
	}()
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i := range suite.Checks {
		check := &suite.Checks[i]
		results[i] = make([]Result, len(targets))
		if check.Kind == KindLatency {
			continue
		}
		for j, runner := range runners {
			group.Go(func() error {
				results[i][j] = runner.run(ctx, check)
				return nil
			})
		}
	}
	_ = group.Wait() // No check returns an error: it is a result.
	for i := range suite.Checks {
		if suite.Checks[i].Kind != KindLatency {
			continue
		}
		for j, runner := range runners {
			results[i][j] = runner.run(ctx, &suite.Checks[i])
		}
	}
	return newReport(suite, values.Environment, results, time.Since(started))
}

// runner runs checks against one target.
type runner struct {
	target Target
	client *http.Client
	values Values
	clean  cleaner
	close  func()
}

func newRunner(target Target, values Values) *runner {
	r := &runner{target: target, values: values, clean: newCleaner(values), close: func() {}}
	client := http.Client{}
	if target.Client != nil {
		client = *target.Client
	} else {
		// No proxy: a target is reached on this machine, and a token is on its way to it.
		transport := &http.Transport{MaxIdleConnsPerHost: concurrency, DisableCompression: true}
		client.Transport = transport
		r.close = transport.CloseIdleConnections
	}
	// Each request stands for itself: what a redirect leads to and what a cookie adds is not the answer.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	r.client = &client
	return r
}

// outcome is how a check ended, before its text is cleaned.
type outcome struct {
	status Status
	reason string
	detail string
}

func failed(format string, args ...any) outcome {
	return outcome{status: Failed, reason: fmt.Sprintf(format, args...)}
}

func notLooked(err error) outcome { return outcome{status: Error, reason: err.Error()} }

func (r *runner) run(ctx context.Context, check *Check) Result {
	started := time.Now()
	var o outcome
	switch {
	case ctx.Err() != nil:
		o = outcome{status: Error, reason: "not run: " + context.Cause(ctx).Error()}
	case check.Kind == KindLatency:
		o = r.latency(ctx, check)
	default:
		o = r.steps(ctx, check)
	}
	return Result{
		Target:   r.clean.text(r.target.Name, maxExcerpt),
		Check:    check.Name,
		Status:   o.status,
		Reason:   r.clean.text(o.reason, maxReason),
		Detail:   r.clean.text(o.detail, maxReason),
		Duration: time.Since(started),
	}
}

// steps runs the steps of a check; all of them share the check's timeout.
func (r *runner) steps(parent context.Context, check *Check) outcome {
	ctx, cancel := context.WithTimeout(parent, check.Timeout)
	defer cancel()
	for i := range check.Steps {
		step := &check.Steps[i]
		if o := r.step(ctx, parent, step, check.Timeout); o.status != Passed {
			if step.Name != "" {
				o.reason = step.Name + ": " + o.reason
			}
			return o
		}
	}
	return outcome{status: Passed}
}

// step sends one request and judges the answer.
func (r *runner) step(ctx, parent context.Context, step *Step, timeout time.Duration) outcome {
	expectation, err := step.expectation(r.values.Environment)
	if err != nil {
		return notLooked(err)
	}
	answer, o := r.send(ctx, parent, &step.Request, timeout)
	if o.status != Passed {
		return o
	}
	difference, err := expectation.compare(answer, r.values, r.clean)
	switch {
	case err != nil:
		return notLooked(err)
	case difference != "":
		return failed("%s", difference)
	}
	return outcome{status: Passed}
}
