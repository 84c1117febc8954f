package simulate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// shortLimits decide within an hour.
func shortLimits() Limits {
	limits := testLimits()
	limits.Bake = gate.BakeConfig{Duration: time.Minute, Interval: 15 * time.Second}
	limits.Soak = plan.Soak{Duration: 20 * time.Minute, Extension: 10 * time.Minute}
	return limits
}

// Each run has the next seed, so that --runs shows the spread and a single run can be looked at again.
func TestEachRunHasTheNextSeed(t *testing.T) {
	// Bad enough to be rolled back, at a time that depends on chance.
	m := generator(func(m *Generator) { m.Duration, m.Canary.Rate, m.Canary.Errors = time.Hour, 2, 0.04 })
	summary, err := Repeat(t.Context(), m, 5, shortLimits(), 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var results []Result
	for range 5 {
		results = append(results, simulated(t, m, shortLimits()))
		m.Seed++
	}
	if diff := cmp.Diff(Summarize(results), summary); diff != "" || summary.Runs != 5 {
		t.Errorf("%d runs (-one by one +repeated)\n%s", summary.Runs, diff)
	}
	if len(summary.Outcomes) == 1 && summary.Outcomes[0].Earliest == summary.Outcomes[0].Latest {
		t.Errorf("chance has no part in\n%s", summary)
	}
}

func TestARepeatedRunIsRefusedAsASingleOne(t *testing.T) {
	m := generator(func(m *Generator) { m.Duration = time.Hour })
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx     context.Context
		change  func(*Generator, *Limits)
		latency time.Duration
		want    string
	}{
		"traffic":  {t.Context(), func(m *Generator, _ *Limits) { m.Canary.Rate = 0 }, time.Second, "nothing to judge"},
		"latency":  {t.Context(), func(*Generator, *Limits) {}, 0, "latency limit 0s"},
		"limits":   {t.Context(), func(_ *Generator, l *Limits) { l.Criteria = nil }, time.Second, "no criterion"},
		"canceled": {canceled, func(*Generator, *Limits) {}, time.Second, context.Canceled.Error()},
	} {
		m, limits := m, shortLimits()
		tt.change(&m, &limits)
		summary, err := Repeat(tt.ctx, m, 3, limits, tt.latency)
		if err == nil || !strings.Contains(err.Error(), tt.want) || summary.Runs != 0 {
			t.Errorf("%s: %+v, error %v, want %q", name, summary, err, tt.want)
		}
	}
}

// Counts without samples are refused for the same reasons.
func TestCountsAreRefusedAsSamplesAre(t *testing.T) {
	traffic := func(counts Counts) Traffic {
		return Traffic{Start: origin, Intervals: []Interval{{End: origin.Add(time.Minute), Canary: &Counts{N: 10}},
			{End: origin.Add(2 * time.Minute), Canary: &counts}}}
	}
	for want, change := range map[string]func(*Limits){
		"no criterion": func(l *Limits) { l.Criteria = nil },
		"no durations": func(l *Limits) { l.Criteria = l.Criteria[1:] },
		"a scrape every -1s: allowed are durations from 0": func(l *Limits) { l.Scrape = -time.Second },
	} {
		limits := testLimits()
		change(&limits)
		_, err := RunTraffic(t.Context(), traffic(Counts{N: 10}), limits)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	_, err := RunTraffic(t.Context(), traffic(Counts{N: 1, K: 2}), testLimits())
	if err == nil || !strings.Contains(err.Error(), "at 2000-01-01T00:02:00Z: count the canary: 2 bad of 1") {
		t.Errorf("more failed requests than requests: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := RunTraffic(canceled, traffic(Counts{N: 10}), testLimits()); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled simulation: %v", err)
	}
}

// The summary lists the most frequent outcome first, equally frequent ones by name, and counts extended soaks once.
func TestTheSummaryOfOutcomes(t *testing.T) {
	result := func(after time.Duration, by Source, actions ...Action) Result {
		var events []Event
		for _, action := range actions {
			events = append(events, Event{After: after, By: by, Action: action})
		}
		return Result{Events: events}
	}
	got := Summarize([]Result{
		result(4*time.Hour, BySoak, Passed), result(time.Minute, ByGuard, RolledBack),
		result(9*time.Hour, BySoak, Extended, Extended, Passed), result(2*time.Minute, ByBake, RolledBack),
		result(5*time.Hour, BySoak, Passed),
	})
	want := Summary{Runs: 5, Extended: 1, Outcomes: []Number{
		{Action: Passed, By: BySoak, Count: 3, Median: 5 * time.Hour, Earliest: 4 * time.Hour, Latest: 9 * time.Hour},
		{Action: RolledBack, By: ByBake, Count: 1, Median: 2 * time.Minute, Earliest: 2 * time.Minute,
			Latest: 2 * time.Minute},
		{Action: RolledBack, By: ByGuard, Count: 1, Median: time.Minute, Earliest: time.Minute, Latest: time.Minute},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Who reads that a release passed must read that nobody looked at its latency.
func TestTheReportSaysWhatWasNotJudged(t *testing.T) {
	result := Result{LeftOut: []string{"P95 latency"}, Events: []Event{{Action: Passed, By: BySoak}}}
	const want = "\nnot judged for lack of durations in the record: P95 latency\n"
	if text := result.String(); !strings.Contains(text, want) {
		t.Errorf("%s\nwant %q", text, want)
	}
}
