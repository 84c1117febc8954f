package testkit

import "time"

// Clock stands still at a time. Waits end at once.
type Clock time.Time

// Now gives the time at which the clock stands.
func (c Clock) Now() time.Time { return time.Time(c) }

// After gives a channel that is ready whatever the duration is.
func (c Clock) After(time.Duration) <-chan time.Time {
	ready := make(chan time.Time, 1)
	ready <- time.Time(c)
	return ready
}
