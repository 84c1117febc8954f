package blame

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/gate"
)

var born = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func criterion() gate.Criterion {
	c := gate.ErrorRate(0.005, 0.01)
	c.Alpha = 1e-4
	return c
}

// trial is a canary of one pod beside stable ones.
type trial struct {
	*testing.T
	court *Court
	now   time.Time
}

func newTrial(t *testing.T, stable int) *trial {
	tr := &trial{T: t, court: NewCourt(criterion()), now: born}
	tr.court.Begin(born, gate.NewDetector(0.01), nil)
	tr.court.Join("canary", true, true, born)
	for i := range stable {
		tr.court.Join(fmt.Sprint(i), false, true, born)
	}
	return tr
}

func (t *trial) scrape(uid string, counts gate.Counts) Step {
	t.Helper()
	step, err := t.court.Scraped(uid, Scrape{Began: t.now, Ended: t.now, Requests: counts})
	if err != nil {
		t.Fatal(err)
	}
	return step
}

// ask lets the court ask the stable pods, and gives them answers.
func (t *trial) ask(step Step, answer gate.Counts) Step {
	t.Helper()
	for _, uid := range step.Ask {
		t.now = t.now.Add(time.Millisecond)
		if next := t.scrape(uid, answer); next.Verdict != Nothing {
			step = next
		}
	}
	return step
}

// seconds lets the pods serve for some seconds, and gives the first verdict.
func (t *trial) seconds(n, stable int, canary, beside gate.Counts) (Step, time.Duration) {
	t.Helper()
	began := t.now
	for range n {
		t.now = t.now.Add(time.Second)
		for i := range stable {
			if step := t.scrape(fmt.Sprint(i), beside); step.Verdict != Nothing {
				return step, t.now.Sub(began)
			}
		}
		if step := t.ask(t.scrape("canary", canary), gate.Counts{}); step.Verdict != Nothing {
			return step, t.now.Sub(began)
		}
	}
	return Step{}, t.now.Sub(began)
}

func TestVerdicts(t *testing.T) {
	counts := func(n, k int64) gate.Counts { return gate.Counts{N: n, K: k} }
	for _, tt := range []struct {
		name           string
		stable         int
		canary, beside gate.Counts
		want           Verdict
		within         time.Duration
	}{
		{"healthy", 9, counts(10, 0), counts(10, 0), Nothing, time.Minute},
		{"a third fails", 9, counts(10, 3), counts(10, 0), Canary, 3 * time.Second},
		{"everything fails everywhere", 9, counts(10, 10), counts(10, 10), Shared, 2 * time.Second},
		{"as bad as stable, of which most fail", 9, counts(10, 8), counts(10, 7), Shared, 2 * time.Second},
		{"everything fails, and stable a little", 9, counts(10, 10), counts(20, 1), Canary, 6 * time.Second},
		{"no stable pod", 0, counts(10, 3), counts(0, 0), Canary, 3 * time.Second},
		{"stable serves nothing", 2, counts(10, 3), counts(0, 0), Canary, 3 * time.Second},
		{"stable serves little", 1, counts(10, 3), counts(1, 0), Canary, 40 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTrial(t, tt.stable)
			step, after := tr.seconds(60, tt.stable, tt.canary, tt.beside)
			if step.Verdict != tt.want || after > tt.within+time.Second/2 {
				t.Errorf("%q after %v, want %q: %s", step.Verdict, after, tt.want, step.Reason())
			}
		})
	}
}

// Stable's counts of the time since its last scrape may lie before the canary's trouble: the pods are asked, and what
// they have counted since decides.
func TestStableIsAskedBeforeTheCanaryIsBlamed(t *testing.T) {
	tr := newTrial(t, 9)
	tr.seconds(10, 9, gate.Counts{N: 10}, gate.Counts{N: 10})
	tr.now = tr.now.Add(900 * time.Millisecond)
	step := tr.scrape("canary", gate.Counts{N: 10, K: 10})
	if len(step.Ask) != 9 || step.Verdict != Nothing || step.Tick == 0 {
		t.Fatalf("asked %v, verdict %q, tick %v", step.Ask, step.Verdict, step.Tick)
	}
	if step = tr.ask(step, gate.Counts{N: 9, K: 9}); step.Verdict != Shared {
		t.Errorf("verdict %q: %s", step.Verdict, step.Reason())
	}
}

// A scrape that was under way when the canary looked bad says nothing about the time until then.
func TestAnAnswerToAnEarlierQuestionDoesNotCount(t *testing.T) {
	tr := newTrial(t, 1)
	tr.seconds(10, 1, gate.Counts{N: 10}, gate.Counts{N: 90})
	early := tr.now
	tr.now = tr.now.Add(time.Second)
	tr.scrape("canary", gate.Counts{N: 10, K: 10})
	step, err := tr.court.Scraped("0", Scrape{Began: early, Ended: tr.now.Add(time.Millisecond),
		Requests: gate.Counts{N: 90}})
	if err != nil || step.Verdict != Nothing {
		t.Errorf("%q, %v", step.Verdict, err)
	}
}

func TestASilentStableTrackIsNoWord(t *testing.T) {
	tr := newTrial(t, 3)
	tr.seconds(10, 3, gate.Counts{N: 10}, gate.Counts{N: 10})
	began := tr.now
	for range 100 {
		tr.now = tr.now.Add(time.Second)
		step := tr.scrape("canary", gate.Counts{N: 10, K: 10})
		for _, uid := range step.Ask {
			failed, err := tr.court.Scraped(uid, Scrape{Began: tr.now, Ended: tr.now, Failed: true})
			if err != nil {
				t.Fatal(err)
			}
			if failed.Verdict != Nothing {
				step = failed
			}
		}
		if want := tr.now.Sub(began) - time.Second; step.Verdict != Silent || step.Quiet != want {
			t.Fatalf("after %v: %q, quiet for %v", tr.now.Sub(began), step.Verdict, step.Quiet)
		}
	}
	// It answers again, and has failed all the time.
	tr.now = tr.now.Add(time.Second)
	step := tr.ask(tr.scrape("canary", gate.Counts{N: 10, K: 10}), gate.Counts{N: 1010, K: 1010})
	if step.Verdict != Shared {
		t.Errorf("%q: %s", step.Verdict, step.Reason())
	}
}

// After an outage the canary may take longer than stable to recover, and is judged anew then.
func TestACanaryThatStaysBadAfterASharedOutageIsBlamed(t *testing.T) {
	tr := newTrial(t, 9)
	if step, _ := tr.seconds(5, 9, gate.Counts{N: 10, K: 10}, gate.Counts{N: 10, K: 10}); step.Verdict != Shared {
		t.Fatalf("%q", step.Verdict)
	}
	for began := tr.now; ; {
		step, _ := tr.seconds(30, 9, gate.Counts{N: 10, K: 10}, gate.Counts{N: 10})
		after := tr.now.Sub(began)
		if step.Verdict == Canary && after > recovery-time.Second && after < recovery+6*time.Second {
			return
		}
		if step.Verdict != Shared || after > recovery {
			t.Fatalf("%q after %v: %s", step.Verdict, after, step.Reason())
		}
	}
}

func TestAClockThatIsSetBack(t *testing.T) {
	tr := newTrial(t, 9)
	tr.seconds(10, 9, gate.Counts{N: 10}, gate.Counts{N: 10})
	tr.now = tr.now.Add(-time.Minute)
	if step, after := tr.seconds(30, 9, gate.Counts{N: 10, K: 5}, gate.Counts{N: 10}); step.Verdict != Canary ||
		after > 5*time.Second {
		t.Errorf("%q after %v", step.Verdict, after)
	}
}

func TestImpossibleCountsAreRefused(t *testing.T) {
	tr := newTrial(t, 1)
	impossible := Scrape{Began: born, Ended: born, Requests: gate.Counts{N: 1, K: 2}}
	if _, err := tr.court.Scraped("canary", impossible); err == nil {
		t.Error("2 bad of 1 is accepted")
	}
	if step, err := tr.court.Scraped("stranger", Scrape{Began: born, Ended: born}); err != nil || step.Verdict != Nothing {
		t.Errorf("a pod that nobody knows: %+v, %v", step, err)
	}
}

// Whatever was scraped, a history gives all that was counted after a time, and never less.
func TestAHistoryCoversWhatIsAskedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{}
		h.add(born, gate.Counts{})
		at, times, all := born, []time.Time{born}, []int64{0}
		for range rapid.IntRange(1, 600).Draw(t, "scrapes") {
			at = at.Add(time.Duration(rapid.IntRange(50, 12000).Draw(t, "ms")) * time.Millisecond)
			n := int64(rapid.IntRange(0, 50).Draw(t, "n"))
			h.add(at, gate.Counts{N: n})
			times, all = append(times, at), append(all, n)
		}
		since := times[rapid.IntRange(0, len(times)-1).Draw(t, "since")]
		least := int64(0)
		for i, at := range times {
			if at.After(since) {
				least += all[i]
			}
		}
		got := h.since(since)
		most := max(finest, at.Sub(since)/(coarsening/2)) + 24*time.Second
		if got.N < least || got.from.After(since) || since.Sub(got.from) > most || !got.to.Equal(at) {
			t.Errorf("%d of at least %d, from %v to %v, asked for %v to %v", got.N, least, got.from, got.to, since, at)
		}
		if len(h.points) > 150 {
			t.Errorf("%d points are kept", len(h.points))
		}
	})
}

func TestChance(t *testing.T) {
	for _, tt := range []struct {
		k, beside int64
		odds      float64
		want      float64
	}{
		{7, 0, 9, 1e-7}, {0, 5, 9, 1}, {1, 1, 1, 0.75}, {3, 0, math.Inf(1), 1}, {5, 0, 0, 1},
	} {
		if got := chance(tt.k, tt.beside, tt.odds); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
