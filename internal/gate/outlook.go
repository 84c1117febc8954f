package gate

import (
	"fmt"
	"time"
)

// Outlook compares the requests that will come with those that decide a criterion.
type Outlook struct {
	// Needed is the number of requests that decide, [Never] if none does, and Expected the number that comes in time.
	Needed   int64
	Expected float64
}

// Outlook is that of a soak before its first request, at the canary's rate in requests per second. It assumes that none
// of them is bad: with some that are, more are needed.
func (c Criterion) Outlook(perSecond float64, soak time.Duration) Outlook {
	return Outlook{Needed: c.RequestsAt(0), Expected: perSecond * soak.Seconds()}
}

// Outlook is that of the rest of a soak, at the rate of requests since it began. Counts of less than a quarter of an
// hour tell no rate. ok is false where nothing is to be expected: the criterion is decided, or needs a person.
func (r Result) Outlook(soaked, required time.Duration) (outlook Outlook, ok bool) {
	if r.Verdict != Inconclusive || r.More <= 0 || soaked < 15*time.Minute || required <= soaked {
		return Outlook{}, false
	}
	return Outlook{Needed: r.More, Expected: float64(r.N) * (required - soaked).Seconds() / soaked.Seconds()}, true
}

// Decides reports whether the requests that come suffice.
func (o Outlook) Decides() bool { return o.Needed != Never && o.Expected >= float64(o.Needed) }

// String says what will come and what would help.
func (o Outlook) String() string {
	return fmt.Sprintf("about %.0f requests of the canary will come, and %d decide: %s", o.Expected, o.Needed,
		MoreRequests)
}

// MoreRequests is what helps a soak that sees too few requests.
const MoreRequests = "lengthen soak.duration, use fewer stages with greater weights (stages), set another target, or " +
	"send synthetic requests"
