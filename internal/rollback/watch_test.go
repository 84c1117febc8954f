package rollback

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vextrus/finance-rollout/internal/gate"
)

var watchBegan = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestAWatchIsJudgedByItsEnd(t *testing.T) {
	minute := time.Minute
	tests := []struct {
		name        string
		length, now time.Duration
		from        time.Duration
	}{
		{"half an hour", 30 * minute, 30 * minute, 25 * minute},
		{"a short one by its second half", 4 * minute, 4 * minute, 2 * minute},
		{"in the middle", 30 * minute, 12 * minute, 7 * minute},
		{"not before it began", 30 * minute, minute, 0},
	}
	for _, tt := range tests {
		got := NewWatch(watchBegan, tt.length, nil).Window(watchBegan.Add(tt.now))
		want := gate.Window{Start: watchBegan.Add(tt.from), End: watchBegan.Add(tt.now)}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(gate.Window{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestStableIsWellAgain(t *testing.T) {
	latency := gate.Latency(500*time.Millisecond, 0.95)
	latency.Rollback = 1
	enough := gate.ErrorRate(0.005, 0.01)
	enough.MinRequests = 100
	both := []gate.Criterion{gate.ErrorRate(0.005, 0.01), latency}
	counts := func(n, k int64) gate.Counts { return gate.Counts{N: n, K: k} }
	tests := []struct {
		name           string
		criteria       []gate.Criterion
		requests, slow gate.Counts
		want           gate.Verdict
	}{
		{"below both targets", both, counts(1000, 2), counts(1000, 40), gate.Pass},
		{"above the rollback limit", both, counts(1000, 100), counts(1000, 40), gate.Fail},
		{"between target and rollback limit", both, counts(1000, 8), counts(1000, 40), gate.Inconclusive},
		{"slowness is for a person to judge", both, counts(1000, 2), counts(1000, 900), gate.Inconclusive},
		{"errors outweigh speed", both, counts(1000, 100), counts(1000, 900), gate.Fail},
		{"nobody sends requests", both, gate.Counts{}, gate.Counts{}, gate.Inconclusive},
		{"fewer requests than the criterion asks for", []gate.Criterion{enough}, counts(99, 0), gate.Counts{},
			gate.Inconclusive},
		{"as many requests as the criterion asks for", []gate.Criterion{enough}, counts(100, 0), gate.Counts{}, gate.Pass},
		{"no criterion", nil, counts(1000, 0), gate.Counts{}, gate.Inconclusive},
		{"impossible counts", both, counts(10, 20), gate.Counts{}, gate.Error},
	}
	for _, tt := range tests {
		watch := NewWatch(watchBegan, 30*time.Minute, tt.criteria)
		if got := watch.Judge(tt.requests, tt.slow, watch.Until()); got.Verdict() != tt.want {
			t.Errorf("%s: %s\n%s", tt.name, got.Verdict(), got)
		}
	}
}

// The guard counts and the command asks: both get the same window and criteria.
func TestTheQuestionIsThatOfTheJudgement(t *testing.T) {
	watch := NewWatch(watchBegan, 30*time.Minute, []gate.Criterion{gate.ErrorRate(0.005, 0.01)})
	question := watch.Question(gate.DefaultMetrics(), watch.Until())
	judged := watch.Judge(gate.Counts{}, gate.Counts{}, watch.Until())
	want := gate.Window{Start: judged.Start, End: judged.End}
	if !cmp.Equal(question.Window, want, cmpopts.IgnoreUnexported(want)) || len(question.Criteria) != 1 ||
		question.Criteria[0].MinRequests != judged.Results[0].MinRequests {
		t.Errorf("asked %+v, judged %+v", question, judged)
	}
}

func TestOnlyTheLastLookOfAWatchDecides(t *testing.T) {
	outcome := func(verdict gate.Verdict) gate.Evaluation {
		return gate.Evaluation{Results: []gate.Result{{Name: "error rate", Verdict: verdict}}}
	}
	stop := errors.New("interrupted")
	tests := []struct {
		name    string
		looks   []gate.Verdict // one a minute; the last one stays
		cancel  time.Duration
		want    gate.Verdict
		after   time.Duration
		looking int
	}{
		{name: "well throughout", looks: []gate.Verdict{gate.Pass}, want: gate.Pass, after: 5 * time.Minute, looking: 5},
		{name: "bad at first", looks: []gate.Verdict{gate.Fail, gate.Fail, gate.Pass}, want: gate.Pass,
			after: 5 * time.Minute, looking: 5},
		{name: "bad at the end", looks: []gate.Verdict{gate.Pass, gate.Pass, gate.Pass, gate.Pass, gate.Fail},
			want: gate.Fail, after: 5 * time.Minute, looking: 5},
		{name: "Prometheus is away at the end", looks: []gate.Verdict{gate.Pass, gate.Error}, want: gate.Error,
			after: 5 * time.Minute, looking: 5},
		{name: "interrupted", looks: []gate.Verdict{gate.Pass}, cancel: 90 * time.Second, want: gate.Error,
			after: 90 * time.Second, looking: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel, func() { cancel(stop) })
				}
				began, looks := time.Now(), 0
				got := NewWatch(began, 5*time.Minute, nil).Run(ctx, gate.SystemClock{}, time.Minute,
					func(context.Context, time.Time) gate.Evaluation {
						looks++
						return outcome(tt.looks[min(looks, len(tt.looks))-1])
					})
				if got.Verdict() != tt.want || time.Since(began) != tt.after || looks != tt.looking {
					t.Errorf("%s after %v and %d looks, want %s after %v and %d", got.Verdict(), time.Since(began), looks,
						tt.want, tt.after, tt.looking)
				}
			})
		})
	}
}
