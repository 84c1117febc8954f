package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/e2e/fixture"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// scenario is a fault with its goals.
type scenario struct {
	name, title string
	// faults are the faults that the canary starts with.
	faults string
	runs   int
	// limit is the longest wait for a rollback, or the duration of a scenario that stays.
	limit time.Duration
	// stays is set if the canary must not be rolled back, long if runs use several stacks at the same time.
	stays, long bool
	// fast is set to measure the guard's own observations: it gets no Prometheus, whose alerts still belong to the
	// previous run.
	fast bool
	// median and worst are the goals for the time, answers and most those for failed answers; 0 for none.
	median, worst time.Duration
	answers, most int
	// begin causes a fault that the canary cannot start with, and returns when the clock starts.
	begin func(ctx context.Context, b *bench) (time.Time, error)
}

func scenarios() []scenario {
	return []scenario{
		{name: "errors-33", title: "33 % of the canary's answers are 500", faults: "errors=0.33", fast: true, runs: 5,
			limit:  30 * time.Second,
			median: 3 * time.Second, worst: 5 * time.Second, answers: 10, most: 30},
		{name: "errors-5", title: "5 % are 500", faults: "errors=0.05", fast: true, runs: 5, limit: 3 * time.Minute,
			median: 40 * time.Second, worst: 90 * time.Second},
		// The detector needs about 10,000 requests for 1.5 % at a limit of 1 %, and often twice as many.
		{name: "errors-1.5", title: "1.5 % are 500", faults: "errors=0.015", runs: 5, limit: 60 * time.Minute,
			worst: 50 * time.Minute},
		{name: "crash-loop", title: "crash loop, from the kubelet's report to the isolated pod", fast: true, runs: 5,
			limit: 2 * time.Minute, worst: 3 * time.Second,
			begin: crashLoop},
		{name: "readiness", title: "readiness lost, from the kubelet's report to the isolated pod", fast: true, runs: 5,
			limit: time.Minute, worst: 3 * time.Second,
			begin: readinessLost},
		{name: "healthy", title: "0.3 % are 500, for one hour", faults: "errors=0.003", runs: 3, limit: time.Hour,
			stays: true, long: true},
		{name: "shared", title: "everything fails in both tracks for 30 s", runs: 5, limit: 45 * time.Second, stays: true,
			begin: sharedOutage},
	}
}

func scenarioNames() []string {
	var list []string
	for _, s := range scenarios() {
		list = append(list, s.name)
	}
	return list
}

func choose(text string) ([]scenario, error) {
	if text == "" {
		return scenarios(), nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(text, ",") {
		at := slices.Index(scenarioNames(), strings.TrimSpace(name))
		if at < 0 {
			return nil, fmt.Errorf("-scenarios: %q is no scenario: allowed are %s", name, strings.Join(scenarioNames(), ", "))
		}
		chosen = append(chosen, scenarios()[at])
	}
	return chosen, nil
}

// outcome is the outcome of one run.
type outcome struct {
	// took is the time until the canary was out; negative if it stayed.
	took time.Duration
	// failed is the number of failed answers, from the beginning of the fault until some seconds after the canary was out.
	failed int
	// late is the number of those after the canary was out, and last how long after it the last one came.
	late int
	last time.Duration
	// requests is the number of requests in the whole run.
	requests int
	// share is the canary's share of the answers.
	share  float64
	reason string
}

// settleFor is how long customers continue after the canary is out, so that late answers are counted: kept connections
// may still lead to its pods.
const settleFor = 10 * time.Second

// measure runs a scenario.
func (b *bench) measure(ctx context.Context, s scenario) (result, error) {
	if b.options.runs > 0 {
		s.runs = b.options.runs
	}
	measured := result{scenario: s, date: time.Now().UTC()}
	if s.fast {
		restore, err := b.withoutPrometheus(ctx)
		if err != nil {
			return measured, err
		}
		defer restore()
	}
	benches := []*bench{b}
	if s.long {
		benches = append(benches, b.beside...)
	}
	measured.beside = min(len(benches), s.runs)
	for len(measured.runs) < s.runs {
		runs := make([]outcome, min(len(benches), s.runs-len(measured.runs)))
		group, ctx := errgroup.WithContext(ctx)
		for i := range runs {
			group.Go(func() (err error) {
				runs[i], err = benches[i].once(ctx, s)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return measured, err
		}
		for _, run := range runs {
			measured.runs = append(measured.runs, run)
			fmt.Printf("%s %d/%d: %v, %d of %d answers failed, %.1f %% came from the canary: %s\n",
				s.name, len(measured.runs), s.runs, run.took.Round(time.Millisecond), run.failed, run.requests, 100*run.share,
				run.reason)
		}
	}
	return measured, nil
}

func (b *bench) once(ctx context.Context, s scenario) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit+4*time.Minute)
	defer cancel()
	if err := b.stack.Settle(ctx); err != nil {
		return outcome{}, err
	}
	customers, err := fixture.Send(fixture.Load{NodePort: b.options.port, PerSecond: b.options.rate,
		Kept: b.options.kept}, b.secret)
	if err != nil {
		return outcome{}, err
	}
	defer customers.End()
	if s.begin != nil {
		return b.reported(ctx, s, customers)
	}
	type ended struct {
		at  time.Time
		err error
	}
	watch, stop := context.WithTimeout(ctx, s.limit+time.Minute)
	defer stop()
	out := make(chan ended, 1)
	go func() {
		at, err := b.stack.Out(watch)
		out <- ended{at, err}
	}()
	began := time.Now()
	ready, err := b.enterBad(ctx, s, customers)
	if err != nil {
		return outcome{}, err
	}
	select {
	case end := <-out:
		if end.err != nil {
			return outcome{}, end.err
		}
		time.Sleep(settleFor)
		return b.outcome(ctx, customers, began, end.at, end.at.Sub(ready))
	case <-time.After(s.limit):
		return b.outcome(ctx, customers, began, time.Time{}, -1)
	}
}

// enterBad lets the canary in with the scenario's faults and returns when they began. Kept connections must lead to the
// canary first: those that were opened before it came never reach it.
func (b *bench) enterBad(ctx context.Context, s scenario, customers *fixture.Customers) (time.Time, error) {
	if b.options.kept == 0 {
		return b.stack.Enter(ctx, map[string]string{"FAULTS": s.faults})
	}
	if _, err := b.stack.Enter(ctx, map[string]string{"FAULTS": "", "FAULTS_ENABLED": "true"}); err != nil {
		return time.Time{}, err
	}
	if err := customers.Reach(ctx, b.stack.CanaryDeployment()+"-"); err != nil {
		return time.Time{}, fmt.Errorf("no kept connection leads to the canary: %w", err)
	}
	pods, err := b.stack.Pods(ctx, names.Canary)
	if err != nil {
		return time.Time{}, err
	}
	began := time.Now()
	return began, b.stack.FaultAtOnce(ctx, pods, s.faults)
}

// outcome reads the outcome of a run once the guard has completed its rollback; the next run would remove pods that the
// rollback waits for.
func (b *bench) outcome(ctx context.Context, customers *fixture.Customers, since, out time.Time,
	took time.Duration) (outcome, error) {
	requests, canary := customers.Answered(b.stack.CanaryDeployment() + "-")
	failures := customers.Failures(since)
	var state ledger.State
	err := fixture.Until(ctx, func() (bool, error) {
		current, err := b.stack.State(ctx)
		state = current
		return current.Unfinished == nil, err
	})
	if err != nil {
		return outcome{}, fmt.Errorf("the rollback is not complete: %w", err)
	}
	image, err := b.stack.Image(ctx)
	if err != nil {
		return outcome{}, err
	}
	result := outcome{took: took, failed: len(failures), requests: requests,
		share: float64(canary) / float64(max(requests, 1))}
	if !out.IsZero() {
		result.late, result.last = lateFailures(failures, out)
	}
	latch, latched := state.Latch(image)
	if latched != (took >= 0) {
		return result, fmt.Errorf("the canary is out: %v, its image is latched: %v", took >= 0, latched)
	}
	result.reason = latch.Reason
	return result, nil
}

// lateFailures counts the failures after the canary was out.
func lateFailures(failures []fixture.Failure, out time.Time) (late int, last time.Duration) {
	for _, failure := range failures {
		if after := failure.At.Sub(out); after > 0 {
			late, last = late+1, max(last, after)
		}
	}
	return late, last
}

// reported measures a fault that the kubelet reports: from the report until no canary pod has the label that puts it in
// traffic.
func (b *bench) reported(ctx context.Context, s scenario, customers *fixture.Customers) (outcome, error) {
	began, err := s.begin(ctx, b)
	if err != nil {
		return outcome{}, err
	}
	wait, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	err = fixture.Until(wait, func() (bool, error) {
		pods, err := b.stack.Pods(wait, names.Canary)
		return !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return p.Labels[names.Traffic] == names.Enabled }), err
	})
	switch {
	case err == nil:
		return b.outcome(ctx, customers, began, time.Now(), time.Since(began))
	case s.stays && errors.Is(err, context.DeadlineExceeded):
		return b.outcome(ctx, customers, began, time.Time{}, -1)
	default:
		return outcome{}, err
	}
}

// crashLoop starts a canary that keeps crashing.
func crashLoop(ctx context.Context, b *bench) (time.Time, error) {
	if _, err := b.stack.Enter(ctx, map[string]string{"FAULTS": "crash=2s"}); err != nil {
		return time.Time{}, err
	}
	return b.until(ctx, func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(pod.Status.ContainerStatuses, podstate.IsCrashLooping)
	})
}

// readinessLost makes a canary's readiness probe fail.
func readinessLost(ctx context.Context, b *bench) (time.Time, error) {
	if _, err := b.stack.Enter(ctx, map[string]string{"FAULTS": "", "FAULTS_ENABLED": "true"}); err != nil {
		return time.Time{}, err
	}
	time.Sleep(3 * time.Second)
	pods, err := b.stack.Pods(ctx, names.Canary)
	if err != nil {
		return time.Time{}, err
	}
	if err := b.stack.Fault(ctx, pods, "not-ready"); err != nil {
		return time.Time{}, err
	}
	return b.until(ctx, func(pod *corev1.Pod) bool { return !podstate.IsReady(pod) })
}

// until waits for a state of a canary pod and returns when it was seen.
func (b *bench) until(ctx context.Context, is func(*corev1.Pod) bool) (time.Time, error) {
	watcher, err := b.stack.Client.CoreV1().Pods(b.stack.Namespace).Watch(ctx, metav1.ListOptions{
		LabelSelector: names.App + "=" + b.stack.App + "," + names.Track + "=" + names.Canary,
	})
	if err != nil {
		return time.Time{}, err
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		case event, open := <-watcher.ResultChan():
			if !open {
				return time.Time{}, errors.New("the watch of the canary's pods ended")
			}
			if pod, ok := event.Object.(*corev1.Pod); ok && is(pod) {
				return time.Now(), nil
			}
		}
	}
}

// sharedOutage makes every pod of both tracks answer with 500 for 30 seconds.
func sharedOutage(ctx context.Context, b *bench) (time.Time, error) {
	if err := b.stack.SetEnv(ctx, b.stack.StableDeployment(), map[string]string{"FAULTS_ENABLED": "true"}); err != nil {
		return time.Time{}, err
	}
	if _, err := b.stack.Enter(ctx, map[string]string{"FAULTS": "", "FAULTS_ENABLED": "true"}); err != nil {
		return time.Time{}, err
	}
	if err := b.stack.Cluster.WaitDeploymentReady(ctx, b.stack.Namespace, b.stack.StableDeployment(),
		b.stack.Stable); err != nil {
		return time.Time{}, err
	}
	time.Sleep(5 * time.Second)
	began := time.Now()
	if err := b.everywhere(ctx, "errors=1"); err != nil {
		return time.Time{}, err
	}
	time.AfterFunc(30*time.Second, func() { _ = b.everywhere(ctx, "") })
	return began, nil
}

// everywhere switches the faults of all pods at the same moment, as far as possible.
func (b *bench) everywhere(ctx context.Context, faults string) error {
	canary, err := b.stack.Pods(ctx, names.Canary)
	if err != nil {
		return err
	}
	stable, err := b.stack.Pods(ctx, names.Stable)
	if err != nil {
		return err
	}
	pods := slices.DeleteFunc(append(canary, stable...), func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	return b.stack.FaultAtOnce(ctx, pods, faults)
}
