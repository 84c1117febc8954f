package gate

import (
	"context"
	"fmt"
	"time"
)

// Clock is the source of time of [Bake].
type Clock interface {
	Now() time.Time
	// After sends the time after the duration has passed.
	After(d time.Duration) <-chan time.Time
}

// SystemClock is the clock of the operating system.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// After is time.After.
func (SystemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// BakeConfig configures a bake, the short watch right after a shift.
type BakeConfig struct {
	// Duration is the length of the watch and Interval the time between looks. Both must be above 0.
	Duration time.Duration
	Interval time.Duration
	// MaxExtension bounds the extension of a bake that ends with too few requests or with an error. 0 means Duration; a
	// negative value disables the extension.
	MaxExtension time.Duration
	// LookTimeout bounds one look, in real time; 0 means [DefaultLookTimeout].
	LookTimeout time.Duration
	// OnLook is called after every look, to show progress. It may be nil.
	OnLook func(Evaluation)
}

// DefaultLookTimeout bounds one look of a bake.
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

// Bake evaluates the release at every interval, each time over the whole time since the bake began, and returns the
// last evaluation.
//
// A fail ends the bake at once. An error is tolerated while time is left. If the last look is an error, or inconclusive
// only for lack of requests (see [Criterion].MinRequests), the bake is extended by at most MaxExtension until a look is
// neither. If the context ends first, the verdict is Error.
func Bake(ctx context.Context, clock Clock, config BakeConfig,
	look func(ctx context.Context, since time.Time) Evaluation) Evaluation {
	start := clock.Now()
	if config.Duration <= 0 || config.Interval <= 0 {
		return failedBake(start, start, fmt.Errorf("duration %v and interval %v: both must be above 0", config.Duration,
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

// failedBake is the evaluation of a bake that ended early.
func failedBake(start, now time.Time, err error) Evaluation {
	reason := fmt.Sprintf("ended after %v without a verdict: %v", now.Sub(start).Round(time.Millisecond), err)
	return Evaluation{Start: start, End: now, Results: []Result{{Name: "bake", Verdict: Error, Reason: reason}}}
}

// timeMayDecide reports whether more time alone can lead to a verdict, because requests are missing or the last look
// failed. Prometheus scrapes a new pod only after it has discovered it, which can take longer than a short bake.
func timeMayDecide(evaluation Evaluation) bool {
	return evaluation.LacksRequests() || evaluation.Verdict() == Error
}
