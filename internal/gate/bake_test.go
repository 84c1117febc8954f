package gate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// outcome makes an evaluation with one result of that verdict.
func outcome(v Verdict) Evaluation {
	return Evaluation{Results: []Result{{Name: "error rate", Verdict: v}}}
}

func lacking() Evaluation {
	return Evaluation{Results: []Result{
		{Name: "error rate", Verdict: Inconclusive, N: 3, MinRequests: 10},
		{Name: "latency", Verdict: Pass, N: 20, MinRequests: 10},
	}}
}

// near is an evaluation whose share is near the target.
func near() Evaluation {
	return Evaluation{Results: []Result{ErrorRate(0.005, 0.01).Decide(300, 2), {Name: "latency", Verdict: Pass, N: 300}}}
}

func TestBake(t *testing.T) {
	// Every look at a time (in minutes since the start) gives the latest entry at or before it.
	type script map[int]Evaluation
	tests := []struct {
		name   string
		script script
		extend time.Duration
		want   Verdict
		after  time.Duration
		looks  int
	}{
		{"pass at the end", script{0: outcome(Pass)}, 0, Pass, 5 * time.Minute, 5},
		{"fail ends it at once", script{0: outcome(Pass), 2: outcome(Fail)}, 0, Fail, 2 * time.Minute, 2},
		{"an error in between is tolerated", script{0: outcome(Error), 4: outcome(Pass)}, 0, Pass, 5 * time.Minute, 5},
		{"an error at the end is the outcome", script{0: outcome(Pass), 5: outcome(Error)}, -1, Error, 5 * time.Minute, 5},
		{"an error that lasts", script{0: outcome(Pass), 5: outcome(Error)}, 0, Error, 10 * time.Minute, 10},
		{"extended until somebody could look", script{0: outcome(Error), 7: outcome(Pass)}, 0, Pass, 7 * time.Minute, 7},
		{"a share in between does not extend", script{0: outcome(Inconclusive)}, 0, Inconclusive, 5 * time.Minute, 5},
		{"extended until there are enough requests", script{0: lacking(), 7: outcome(Pass)}, 0, Pass, 7 * time.Minute, 7},
		{"extended for as long as the bake", script{0: lacking()}, 0, Inconclusive, 10 * time.Minute, 10},
		{"extended for a configured time", script{0: lacking()}, 90 * time.Second, Inconclusive, 390 * time.Second, 7},
		{"not extended", script{0: lacking()}, -1, Inconclusive, 5 * time.Minute, 5},
		{"fail in the extension", script{0: lacking(), 6: outcome(Fail)}, 0, Fail, 6 * time.Minute, 6},
		{"extended while undecided", script{0: near(), 7: outcome(Pass)}, 0, Pass, 7 * time.Minute, 7},
		{"undecided to the end", script{0: near()}, 0, Pass, 10 * time.Minute, 10},
		{"undecided, not extended", script{0: near()}, -1, Pass, 5 * time.Minute, 5},
		{"undecided, then shown above the target", script{0: near(), 8: outcome(Inconclusive)}, 0, Inconclusive,
			8 * time.Minute, 8},
		{"undecided, then too few requests", script{0: near(), 9: lacking()}, 0, Inconclusive, 10 * time.Minute, 10},
		{"undecided beside a result that stops",
			script{0: {Results: append(near().Results, outcome(Inconclusive).Results...)}}, 0, Inconclusive, 5 * time.Minute, 5},
		{"an error in the extension is tolerated", script{0: lacking(), 6: outcome(Error), 8: outcome(Pass)}, 0, Pass,
			8 * time.Minute, 8},
		{"an error at the end of the extension", script{0: lacking(), 6: outcome(Error)}, 0, Error, 10 * time.Minute, 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, looks, reported := time.Now(), 0, 0
				config := BakeConfig{
					Duration: 5 * time.Minute, Interval: time.Minute, MaxExtension: test.extend,
					OnLook: func(Evaluation) { reported++ },
				}
				got := Bake(t.Context(), SystemClock{}, config, func(_ context.Context, since time.Time) Evaluation {
					if !since.Equal(start) {
						t.Errorf("look since %v, want %v", since, start)
					}
					looks++
					minute := int(time.Since(start) / time.Minute)
					for test.script[minute].Results == nil {
						minute--
					}
					return test.script[minute]
				})
				if got.Verdict() != test.want {
					t.Errorf("verdict %q, want %q", got.Verdict(), test.want)
				}
				if elapsed := time.Since(start); elapsed != test.after || looks != test.looks || reported != looks {
					t.Errorf("elapsed %v with %d looks (%d reported), want %v with %d", elapsed, looks, reported,
						test.after, test.looks)
				}
			})
		})
	}
}

// TestBakeWaitsForDiscovery has a bake shorter than the time in which Prometheus learns of new pods.
func TestBakeWaitsForDiscovery(t *testing.T) {
	for name, test := range map[string]struct {
		seen   time.Duration // the first look with samples
		then   Evaluation
		extend time.Duration
		want   Verdict
		after  time.Duration
	}{
		"samples after a minute and a half": {90 * time.Second, outcome(Pass), 0, Pass, 90 * time.Second},
		"no samples at all":                 {time.Hour, outcome(Pass), 0, Error, Discovery},
		"samples, but few requests":         {90 * time.Second, lacking(), 0, Inconclusive, Discovery},
		"a configured extension":            {time.Hour, outcome(Pass), 10 * time.Second, Error, 30 * time.Second},
		"too few requests wait no longer":   {0, lacking(), 0, Inconclusive, 40 * time.Second},
		"a fail with the first samples":     {100 * time.Second, outcome(Fail), 0, Fail, 100 * time.Second},
		"samples in time":                   {10 * time.Second, outcome(Pass), 0, Pass, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				config := BakeConfig{Duration: 20 * time.Second, Interval: 2 * time.Second, MaxExtension: test.extend}
				got := Bake(t.Context(), SystemClock{}, config, func(context.Context, time.Time) Evaluation {
					if time.Since(start) < test.seen {
						return outcome(Error)
					}
					return test.then
				})
				if took := time.Since(start); got.Verdict() != test.want || took != test.after {
					t.Errorf("%q after %v, want %q after %v", got.Verdict(), took, test.want, test.after)
				}
			})
		})
	}
}

func TestBakeEndsWithItsContext(t *testing.T) {
	reason := errors.New("interrupted by the operator")
	for _, during := range []string{"the wait", "a look"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(90*time.Second, func() { cancel(reason) })
			config := BakeConfig{Duration: time.Hour, Interval: time.Minute, LookTimeout: time.Hour}
			got := Bake(ctx, SystemClock{}, config, func(ctx context.Context, _ time.Time) Evaluation {
				if during == "a look" {
					<-ctx.Done()
				}
				return outcome(Pass)
			})
			if got.Verdict() != Error || !strings.Contains(got.Results[0].Reason,
				"1m30s without a verdict: interrupted by the operator") {
				t.Errorf("cancelled during %s: %+v", during, got)
			}
		})
	}
}

func TestBakeBoundsALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		config := BakeConfig{Duration: time.Minute, Interval: time.Minute, LookTimeout: 7 * time.Second, MaxExtension: -1}
		got := Bake(t.Context(), SystemClock{}, config, func(ctx context.Context, _ time.Time) Evaluation {
			<-ctx.Done()
			return outcome(Error)
		})
		if took := time.Since(start); got.Verdict() != Error || took != 67*time.Second {
			t.Errorf("%q after %v", got.Verdict(), took)
		}
	})
}

func TestBakeRefusesConfig(t *testing.T) {
	for _, config := range []BakeConfig{{Duration: time.Minute}, {Interval: time.Minute}, {Duration: -1, Interval: 1}} {
		got := Bake(t.Context(), SystemClock{}, config, func(context.Context, time.Time) Evaluation {
			t.Errorf("%+v: looked", config)
			return Evaluation{}
		})
		if got.Verdict() != Error || !strings.Contains(got.Results[0].Reason, "must be above 0") {
			t.Errorf("%+v: %+v", config, got)
		}
	}
}

// A healthy release of 0.3 % has one failed request of 100 in one bake of four: that is not below the target of 0.5 %,
// and no reason to refuse it. One of 2 % is stopped.
func TestABakeLeavesTheProofToTheSoak(t *testing.T) {
	criterion := needing(ErrorRate(0.005, 0.01), 100)
	for _, tt := range []struct {
		n, k int64
		want Verdict
		text string
	}{
		{100, 1, Pass, "not shown to be above it with 95 % confidence: the bake has nothing against the release"},
		{600, 5, Pass, "the soak has to prove it"},
		{600, 1, Pass, "below the target"},
		{600, 12, Inconclusive, "12 of 600 requests failed (2 %), above the target of 0.5 % with 95 % confidence, and not " +
			"above the rollback limit"},
		{600, 60, Fail, "rollback limit"},
		{99, 1, Inconclusive, "at least 100 are needed"},
	} {
		synctest.Test(t, func(t *testing.T) {
			config := BakeConfig{Duration: 5 * time.Minute, Interval: time.Minute}
			got := Bake(t.Context(), SystemClock{}, config, func(context.Context, time.Time) Evaluation {
				return Evaluation{Results: []Result{criterion.Decide(tt.n, tt.k)}}
			})
			if got.Verdict() != tt.want || !strings.Contains(got.Results[0].Reason, tt.text) {
				t.Errorf("%d of %d: %s: %s", tt.k, tt.n, got.Verdict(), got.Results[0].Reason)
			}
		})
	}
}
