package gate

import (
	"context"
	"fmt"
	"time"
)

// Clock is the time that Bake lives by.
type Clock interface {
	Now() time.Time
	// After sends the time once the duration has passed.
	After(d time.Duration) <-chan time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// After is time.After.
func (SystemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// BakeConfig configures a bake, the short watch right after a shift.
type BakeConfig struct {
	// Duration is how long to watch; Interval how long to wait between looks. Both must be above 0.
	Duration time.Duration
	Interval time.Duration
	// MaxExtension is how much longer to wait when at the end nothing but requests is missing, or nobody could look. 0
	// means as long as Duration; a negative value does not wait.
	MaxExtension time.Duration
	// LookTimeout bounds one look, by the machine's clock; 0 means 30 seconds.
	LookTimeout time.Duration
	// OnLook is told of every look, for showing progress. It may be nil.
	OnLook func(Evaluation)
}

// DefaultLookTimeout bounds one look of a bake unless it is configured.
const DefaultLookTimeout = 30 * time.Second

func (c BakeConfig) extension() time.Duration {
	switch {
	case c.MaxExtension == 0:
		return c.Duration
	case c.MaxExtension < 0:
		return 0
	default:
		return c.MaxExtension
	}
}

// Bake looks at the release at every interval, always over the whole time since the bake began, and returns the last
// look.
//
// A fail ends it at once. An error is tolerated while time is left. When the last look is an error, or inconclusive
// only because requests are missing (see [Criterion].MinRequests), the bake is extended by at most MaxExtension,
// until a look is neither. When the context ends first, the outcome is an error.
func Bake(ctx context.Context, clock Clock, config BakeConfig,
	look func(ctx context.Context, since time.Time) Evaluation) Evaluation {
	start := clock.Now()
	if config.Duration <= 0 || config.Interval <= 0 {
		return failedBake(start, start, fmt.Errorf("a bake of %v with a look every %v: both must be above 0", config.Duration,
			config.Interval))
	}
	extending := false
	for {
		end := start.Add(config.Duration)
		if extending {
			end = end.Add(config.extension())
		}
		select {
		case <-ctx.Done():
			return failedBake(start, clock.Now(), context.Cause(ctx))
		case <-clock.After(min(config.Interval, end.Sub(clock.Now()))):
		}
		evaluation := lookOnce(ctx, config, start, look)
		if ctx.Err() != nil {
			return failedBake(start, clock.Now(), context.Cause(ctx))
		}
		over := !clock.Now().Before(end)
		if over && !extending && timeMayDecide(evaluation) && config.extension() > 0 {
			extending, over = true, false
		}
		settled := extending && !timeMayDecide(evaluation)
		if evaluation.Verdict() == Fail || over || settled {
			return evaluation
		}
	}
}

func lookOnce(ctx context.Context, config BakeConfig, start time.Time,
	look func(context.Context, time.Time) Evaluation) Evaluation {
	timeout := config.LookTimeout
	if timeout <= 0 {
		timeout = DefaultLookTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	evaluation := look(ctx, start)
	if config.OnLook != nil {
		config.OnLook(evaluation)
	}
	return evaluation
}

// failedBake is the outcome of a bake that could not be carried through.
func failedBake(start, now time.Time, err error) Evaluation {
	reason := fmt.Sprintf("ended after %v without a verdict: %v", now.Sub(start).Round(time.Millisecond), err)
	return Evaluation{Start: start, End: now, Results: []Result{{Name: "bake", Verdict: Error, Reason: reason}}}
}

// timeMayDecide tells whether more time alone can lead to a verdict: requests are missing, or nobody could look yet.
// A pod that was just made is scraped only when Prometheus has found it, which can take longer than a short bake.
func timeMayDecide(evaluation Evaluation) bool {
	return evaluation.LacksRequests() || evaluation.Verdict() == Error
}
