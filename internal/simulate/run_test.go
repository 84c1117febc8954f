package simulate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// testLimits are the guide's.
func testLimits() Limits {
	errorRate, latency := gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)
	errorRate.MinRequests, latency.MinRequests = 100, 100
	guard, review := gate.ErrorRate(0.005, 0.01), gate.Latency(500*time.Millisecond, 0.95)
	guard.Alpha, review.Alpha = 1e-4, 1e-4
	return Limits{
		Criteria: []gate.Criterion{errorRate, latency},
		Bake:     gate.BakeConfig{Duration: 5 * time.Minute, Interval: 15 * time.Second},
		Soak:     plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour},
		Guard:    &guard, Review: &review,
	}
}

func generator(change func(*Generator)) Generator {
	m := Generator{
		Duration: 75 * time.Hour, Step: 30 * time.Second, Seed: 7,
		Canary: Behaviour{Rate: 0.5, Errors: 0.001, Slow: 0.01}, Stable: Behaviour{Rate: 4.5, Errors: 0.001, Slow: 0.01},
	}
	if change != nil {
		change(&m)
	}
	return m
}

func simulated(t testing.TB, m Generator, limits Limits) Result {
	t.Helper()
	traffic, err := m.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	recording, err := traffic.Recording(500 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	result, err := Run(t.Context(), recording, limits)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Generator)
		limits func(*Limits)
		action Action
		by     Source
		from   time.Duration // the earliest time that is right
		until  time.Duration // and the latest
	}{
		{name: "healthy", action: Passed, by: BySoak, from: 48 * time.Hour, until: 48*time.Hour + 10*time.Minute},
		{name: "bad from the beginning", change: func(m *Generator) { m.Canary.Errors = 0.33 },
			action: RolledBack, by: ByGuard, from: time.Second, until: 5 * time.Minute},
		{name: "bad from the beginning, not guarded", change: func(m *Generator) { m.Canary.Errors = 0.33 },
			limits: func(l *Limits) { l.Guard = nil },
			action: RolledBack, by: ByBake, from: time.Minute, until: 5 * time.Minute},
		{name: "turns bad on the second day", change: func(m *Generator) {
			m.Turns, m.Then = 30*time.Hour,
				Behaviour{Rate: 0.5, Errors: 0.5}
		},
			action: RolledBack, by: ByGuard, from: 30 * time.Hour, until: 30*time.Hour + 10*time.Minute},
		{name: "turns a little bad, not guarded", limits: func(l *Limits) { l.Guard = nil },
			change: func(m *Generator) { m.Turns, m.Then = 2*time.Hour, Behaviour{Rate: 0.5, Errors: 0.03} },
			action: RolledBack, by: BySoak, from: 2 * time.Hour, until: 24 * time.Hour},
		{name: "both tracks are bad", change: func(m *Generator) { m.Canary.Errors, m.Stable.Errors = 0.2, 0.2 },
			limits: func(l *Limits) { l.Bake.Duration = 0 },
			action: Ended, by: BySoak, from: 75 * time.Hour, until: 75 * time.Hour},
		{name: "between target and limit", change: func(m *Generator) { m.Canary.Errors, m.Stable.Errors = 0.007, 0.007 },
			limits: func(l *Limits) { l.Bake.Duration = 0 },
			action: Ended, by: BySoak, from: 75 * time.Hour, until: 75 * time.Hour},
		{name: "slow asks for a person", change: func(m *Generator) { m.Canary.Slow = 0.06 },
			limits: func(l *Limits) { l.Criteria[1].Rollback = 1 },
			action: Ended, by: BySoak, from: 75 * time.Hour, until: 75 * time.Hour},
		{name: "too little traffic for a bake", change: func(m *Generator) { m.Canary.Rate, m.Duration = 0.01, time.Hour },
			action: Ended, by: BySoak, from: time.Hour, until: time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := testLimits()
			if tt.limits != nil {
				tt.limits(&limits)
			}
			result := simulated(t, generator(tt.change), limits)
			outcome := result.Outcome()
			if outcome.Action != tt.action || outcome.By != tt.by || outcome.After < tt.from || outcome.After > tt.until {
				t.Errorf("%s by %s after %v, want %s by %s after %v to %v\n%s", outcome.Action, outcome.By, outcome.After,
					tt.action, tt.by, tt.from, tt.until, result)
			}
		})
	}
}

// An inconclusive soak is extended once a day, and a person hears of slowness without a rollback.
func TestWhatHappensOnTheWay(t *testing.T) {
	limits := testLimits()
	limits.Criteria[1].Rollback = 1
	result := simulated(t, generator(func(m *Generator) { m.Canary.Slow, m.Duration = 0.07, 100*time.Hour }), limits)
	var extended []time.Duration
	reviews, began := 0, time.Duration(0)
	for _, event := range result.Events {
		switch event.Action {
		case Reached:
			began = event.After
		case Extended:
			extended = append(extended, event.After-began)
		case Reviewed:
			reviews++
		}
	}
	if !cmp.Equal(extended, []time.Duration{48 * time.Hour, 72 * time.Hour, 96 * time.Hour}) || reviews != 1 {
		t.Errorf("extended after %v, %d reviews\n%s", extended, reviews, result)
	}
}

// Time without samples does not count as soaked.
func TestGapsPostponeThePass(t *testing.T) {
	traffic, err := generator(nil).Traffic()
	if err != nil {
		t.Fatal(err)
	}
	var kept []Interval
	for _, interval := range traffic.Intervals {
		if after := interval.End.Sub(traffic.Start); after < 10*time.Hour || after > 15*time.Hour {
			kept = append(kept, interval)
		}
	}
	traffic.Intervals = kept
	recording, err := traffic.Recording(500 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	result, err := Run(t.Context(), recording, testLimits())
	if err != nil {
		t.Fatal(err)
	}
	if outcome := result.Outcome(); outcome.Action != Passed || outcome.After < 53*time.Hour ||
		outcome.After > 54*time.Hour {
		t.Errorf("%s after %v, want a pass after 53 h\n%s", outcome.Action, outcome.After, result)
	}
}

// A gap just before the soak's time is over ends the simulation too: nobody asks without a pause.
func TestAGapAtTheEndIsWaitedFor(t *testing.T) {
	traffic := Traffic{Start: origin}
	add := func(from, to time.Duration) {
		for after := from; after <= to; after += time.Second {
			traffic.Intervals = append(traffic.Intervals, Interval{End: origin.Add(after), Canary: &Counts{N: 10}})
		}
	}
	add(time.Second, time.Hour-5*time.Second)
	add(90*time.Hour, 90*time.Hour+40*time.Minute)
	recording, err := traffic.Recording(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	limits := testLimits()
	limits.Bake.Duration, limits.Soak.Duration = 0, time.Hour
	result, err := Run(t.Context(), recording, limits)
	if outcome := result.Outcome(); err != nil || outcome.Action != Passed || outcome.After < 90*time.Hour ||
		len(result.Events) > 2000 {
		t.Errorf("%s after %v, %d looks, %v", outcome.Action, outcome.After, len(result.Events), err)
	}
}

func TestWithoutDurationsLatencyIsLeftOut(t *testing.T) {
	traffic, err := generator(func(m *Generator) { m.Duration = 50 * time.Hour }).Traffic()
	if err != nil {
		t.Fatal(err)
	}
	traffic.Durations = false
	recording, err := traffic.Recording(500 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	result, err := Run(t.Context(), recording, testLimits())
	if err != nil || !cmp.Equal(result.LeftOut, []string{"P95 latency"}) || result.Outcome().Action != Passed {
		t.Errorf("left out %v, %v\n%s", result.LeftOut, err, result)
	}
	limits := testLimits()
	limits.Criteria = limits.Criteria[1:]
	if _, err := Run(t.Context(), recording, limits); err == nil || !strings.Contains(err.Error(), "no durations") {
		t.Errorf("judged by nothing: %v", err)
	}
}

// Whatever the traffic: events are in order of time, there is one outcome, it is the last one, and it is the same the
// next time.
func TestEveryRecordHasOneOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traffic := draw(t)
		recording, err := traffic.Recording(500 * time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		limits := testLimits()
		limits.Bake = gate.BakeConfig{Duration: time.Minute, Interval: 10 * time.Second}
		limits.Soak = plan.Soak{Duration: time.Duration(rapid.IntRange(0, 60).Draw(t, "soak")) * time.Minute,
			Extension: 10 * time.Minute}
		result, err := Run(context.Background(), recording, limits)
		if err != nil {
			t.Fatal(err)
		}
		last := recording.Start
		for i, event := range result.Events {
			decided := event.Action == Passed || event.Action == RolledBack || event.Action == Ended
			if event.At.Before(last) || event.At.After(recording.End) || decided != (i == len(result.Events)-1) {
				t.Fatalf("event %d: %+v after %v", i, event, last)
			}
			last = event.At
		}
		again, err := Run(context.Background(), recording, limits)
		if err != nil || again.String() != result.String() {
			t.Fatalf("another outcome the second time: %v", err)
		}
	})
}

func TestBadLimitsAreRefused(t *testing.T) {
	recording, err := Traffic{Start: origin, Intervals: []Interval{{End: origin.Add(time.Minute),
		Canary: &Counts{N: 1}}}}.Recording(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	never := gate.ErrorRate(0.005, 1)
	for name, tt := range map[string]struct {
		change func(*Limits)
		want   string
	}{
		"no criterion":    {func(l *Limits) { l.Criteria = nil }, "no criterion"},
		"wrong criterion": {func(l *Limits) { l.Criteria[0].Target = 0.02 }, "a share from the target"},
		"no extension":    {func(l *Limits) { l.Soak.Extension = 0 }, "extension"},
		"bake":            {func(l *Limits) { l.Bake.Interval = 0 }, "a bake of 5m0s with an interval of 0s"},
		"guard":           {func(l *Limits) { l.Guard = &never }, "no share exceeds"},
	} {
		t.Run(name, func(t *testing.T) {
			limits := testLimits()
			tt.change(&limits)
			if _, err := Run(t.Context(), recording, limits); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, recording, testLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled simulation gives %v", err)
	}
}

func TestBadTrafficIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Generator)
		want   string
	}{
		"rate":   {func(m *Generator) { m.Canary.Rate = -1 }, "canary: rate -1"},
		"none":   {func(m *Generator) { m.Canary.Rate = 0 }, "nothing to judge"},
		"share":  {func(m *Generator) { m.Stable.Errors = 1.1 }, "stable: error share 1.1"},
		"step":   {func(m *Generator) { m.Step = 0 }, "at least two steps"},
		"fine":   {func(m *Generator) { m.Step = time.Millisecond }, "at most"},
		"before": {func(m *Generator) { m.Turns = -time.Hour }, "turns after"},
	} {
		if _, err := generator(tt.change).Traffic(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
}

// The report of three records, and their summary, as people read them.
func TestReport(t *testing.T) {
	var text strings.Builder
	var results []Result
	for _, change := range []func(*Generator){
		func(m *Generator) {
			m.Duration, m.Turns, m.Then = 6*time.Hour, 3*time.Hour, Behaviour{Rate: 0.5, Errors: 0.4}
		},
		func(m *Generator) { m.Canary.Errors = 0.33 },
		func(m *Generator) { m.Canary.Rate, m.Duration, m.Stable.Rate = 0.05, 30*time.Minute, 0 },
	} {
		results = append(results, simulated(t, generator(change), testLimits()))
		text.WriteString(results[len(results)-1].String() + "\n")
	}
	text.WriteString(Summarize(results).String())
	golden.Compare(t, "report.txt", text.String())
}
