package status

import (
	"context"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
)

// Looker looks at the evidence of a soak, which can take longer than a status may: two days of samples of many pods
// are read. It waits for a look only so long, and while a later status is drawn the look goes on. The zero Looker
// waits for nothing.
type Looker struct {
	// Wait is how long a status waits for a look, Every how old one may be before another is made.
	Wait, Every time.Duration

	mu      sync.Mutex
	running chan struct{}
	last    *advance.Soak
}

// Look gives the newest look at the stage that began at the time, nil when there is none in time.
func (l *Looker) Look(ctx context.Context, stage time.Time, look func(context.Context) advance.Soak) *advance.Soak {
	done := l.start(ctx, stage, look)
	timer := time.NewTimer(l.Wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || !l.last.Since.Equal(stage) {
		return nil
	}
	copied := *l.last
	return &copied
}

// start begins a look unless one runs or is new enough. What it gives is closed when there is nothing to wait for.
func (l *Looker) start(ctx context.Context, stage time.Time, look func(context.Context) advance.Soak) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running != nil {
		return l.running
	}
	done := make(chan struct{})
	if l.last != nil && l.last.Since.Equal(stage) && time.Since(l.last.Evaluation.End) < l.Every {
		close(done)
		return done
	}
	l.running = done
	go func() {
		defer close(done)
		found := look(context.WithoutCancel(ctx))
		l.mu.Lock()
		defer l.mu.Unlock()
		l.last, l.running = &found, nil
	}()
	return done
}
