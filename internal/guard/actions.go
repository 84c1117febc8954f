package guard

import "time"

// mostReported bounds the findings that the guard remembers to have reported.
const mostReported = 1000

// reportEvery is the least time between two reports of the same finding.
const reportEvery = time.Hour

// actions are what the guard does about a rollout and has done.
type actions struct {
	// rolling is whether a rollback runs; triedAt is when the last one began or ended.
	rolling bool
	triedAt time.Time
	// looking is whether a checkpoint is being evaluated; lookedAt is when the last evaluation began.
	looking  bool
	lookedAt time.Time
	// aftercare is the watch over stable after a rollback; nil while none runs.
	aftercare *aftercare
	// reported is when each finding was reported last.
	reported map[string]time.Time
	// failing are the sources whose failure was reported and that have not recovered.
	failing map[string]bool
}

func newActions() actions {
	return actions{reported: map[string]time.Time{}, failing: map[string]bool{}}
}

// mayRollBack reports whether a rollback may begin: none runs, and the last one was some seconds ago.
func (a *actions) mayRollBack(now time.Time) bool {
	return !a.rolling && now.Sub(a.triedAt) >= retryAfterFailure
}

func (a *actions) startRollback(now time.Time) { a.rolling, a.triedAt = true, now }

func (a *actions) endRollback(now time.Time) { a.rolling, a.triedAt = false, now }

// mayLook reports whether a checkpoint may be evaluated: none is, and the last evaluation was long enough ago.
func (a *actions) mayLook(now time.Time, spacing time.Duration) bool {
	return !a.looking && now.Sub(a.lookedAt) >= spacing
}

func (a *actions) startLook(now time.Time) { a.looking, a.lookedAt = true, now }

// isNews reports whether the finding is to be reported, and notes that it is: the same one at most once an hour.
func (a *actions) isNews(finding string, now time.Time) bool {
	if at, known := a.reported[finding]; known && now.Sub(at) < reportEvery {
		return false
	}
	if len(a.reported) > mostReported {
		clear(a.reported)
	}
	a.reported[finding] = now
	return true
}

// beginsToFail reports whether the source is the first time unseen since it was seen, and notes it.
func (a *actions) beginsToFail(source string) bool {
	if a.failing[source] {
		return false
	}
	a.failing[source] = true
	return true
}

// recovers reports whether the source is seen again after a failure, and notes it.
func (a *actions) recovers(source string) bool {
	if !a.failing[source] {
		return false
	}
	delete(a.failing, source)
	return true
}
