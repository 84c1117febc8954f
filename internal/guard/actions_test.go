package guard

import (
	"testing"
	"time"
)

func TestARollbackIsNotBegunTwice(t *testing.T) {
	a := newActions()
	if !a.mayRollBack(born) {
		t.Error("the first rollback may not begin")
	}
	a.startRollback(born)
	if a.mayRollBack(born.Add(time.Hour)) {
		t.Error("a second rollback may begin while one runs")
	}
	a.endRollback(born.Add(time.Minute))
	if a.mayRollBack(born.Add(time.Minute + retryAfterFailure - time.Second)) {
		t.Error("a rollback may be tried again at once")
	}
	if !a.mayRollBack(born.Add(time.Minute + retryAfterFailure)) {
		t.Error("a rollback may not be tried again")
	}
}

func TestACheckpointIsNotEvaluatedTwice(t *testing.T) {
	a := newActions()
	a.startLook(born)
	if a.mayLook(born.Add(time.Hour), time.Minute) {
		t.Error("a second evaluation may begin while one runs")
	}
	a.looking = false
	if a.mayLook(born.Add(59*time.Second), time.Minute) || !a.mayLook(born.Add(time.Minute), time.Minute) {
		t.Error("the spacing is not kept")
	}
}

func TestAFindingIsNewsOnceAnHour(t *testing.T) {
	a := newActions()
	for _, tt := range []struct {
		finding string
		after   time.Duration
		want    bool
	}{
		{"restart/a", 0, true},
		{"restart/a", 59 * time.Minute, false},
		{"restart/b", 59 * time.Minute, true},
		{"restart/a", time.Hour, true},
		{"restart/a", time.Hour + time.Minute, false},
	} {
		if got := a.isNews(tt.finding, born.Add(tt.after)); got != tt.want {
			t.Errorf("%s after %v: news %v", tt.finding, tt.after, got)
		}
	}
}

func TestReportedFindingsAreBounded(t *testing.T) {
	a := newActions()
	a.beginsToFail(SourceLedger)
	for i := range 3 * mostReported {
		a.isNews(time.Duration(i).String(), born)
	}
	if len(a.reported) > mostReported+1 {
		t.Errorf("%d findings are remembered", len(a.reported))
	}
	if a.beginsToFail(SourceLedger) {
		t.Error("the bound forgets a failing source")
	}
}

func TestAFailingSourceIsReportedOnceUntilItRecovers(t *testing.T) {
	a := newActions()
	if a.recovers(SourcePrometheus) {
		t.Error("a source recovers that never failed")
	}
	if !a.beginsToFail(SourcePrometheus) || a.beginsToFail(SourcePrometheus) || !a.beginsToFail(SourceLedger) {
		t.Error("not one report for each source")
	}
	if !a.recovers(SourcePrometheus) || a.recovers(SourcePrometheus) || !a.beginsToFail(SourcePrometheus) {
		t.Error("not one report of the recovery, and of the next failure")
	}
}
