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
	// MaxExtension bounds the extension of a bake that ends with too few requests, undecided or with an error. 0 means
	// Duration, and with an error a bake as long as [Discovery] at least; a negative value disables the extension.
	MaxExtension time.Duration
	// LookTimeout bounds one look, in real time; 0 means [DefaultLookTimeout].
	LookTimeout time.Duration
	// OnLook is called after every look, to show progress. It may be nil.
	OnLook func(Evaluation)
}

// DefaultLookTimeout bounds one look of a bake.
const DefaultLookTimeout = 30 * time.Second

// Discovery is the time in which a Prometheus surely learns of pods that a new ServiceMonitor selects. Its operator
// writes a Secret at once, but a kubelet copies Secrets into running pods at its next look, after 60 to 90 s.
const Discovery = 2 * time.Minute

// length is the length of a bake whose last look saw the evaluation.
func (c BakeConfig) length(last Evaluation) time.Duration {
	switch {
	case c.MaxExtension < 0 || !timeMayDecide(last):
		return c.Duration
	case c.MaxExtension > 0:
		return c.Duration + c.MaxExtension
	case last.Verdict() == Error:
		return max(2*c.Duration, Discovery)
	default:
		return 2 * c.Duration
	}
}

// Bake evaluates the release at every interval, each time over the whole time since the bake began, and returns the
// last evaluation.
//
// A fail ends the bake at once. An error is tolerated while time is left. If the last look is an error, or inconclusive
// only for lack of requests (see [Criterion].MinRequests) or because the share is near the target, the bake is extended
// by at most MaxExtension until a look is neither. A share that is still undecided then passes: a bake stops what is
// shown to be above the target, and a few hundred requests can show no more. If the context ends first, the verdict is
// Error.
func Bake(ctx context.Context, clock Clock, config BakeConfig,
	look func(ctx context.Context, since time.Time) Evaluation) Evaluation {
	start := clock.Now()
	if config.Duration <= 0 || config.Interval <= 0 {
		return failedBake(start, start, fmt.Errorf("duration %v and interval %v: both must be above 0", config.Duration,
			config.Interval))
	}
	end, extending := start.Add(config.Duration), false
	for {
		select {
		case <-ctx.Done():
			return failedBake(start, clock.Now(), context.Cause(ctx))
		case <-clock.After(min(config.Interval, end.Sub(clock.Now()))):
		}
		evaluation := lookOnce(ctx, config, start, look)
		if ctx.Err() != nil {
			return failedBake(start, clock.Now(), context.Cause(ctx))
		}
		if decided := extending && !timeMayDecide(evaluation); evaluation.Verdict() == Fail || decided {
			return evaluation.settled()
		}
		if now := clock.Now(); !now.Before(end) {
			if end = start.Add(config.length(evaluation)); !now.Before(end) {
				return evaluation.settled()
			}
			extending = true
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

// timeMayDecide reports whether more time alone can lead to a verdict, because requests are missing, too few of them
// were counted to tell, or the last look failed.
func timeMayDecide(evaluation Evaluation) bool {
	return evaluation.isOpen() || evaluation.Verdict() == Error
}
