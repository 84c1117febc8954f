package status

import (
	"context"
	"sync"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
)

// EvidenceCache keeps the newest reading of a soak's evidence. A reading covers up to two days of samples of many pods
// and can take longer than a status may. A status waits for it only so long; the reading goes on in the background,
// and a later status shows it. The zero EvidenceCache waits for nothing.
type EvidenceCache struct {
	// Wait is how long a status waits for a reading, Every how old a reading may be before the next one starts.
	Wait, Every time.Duration

	mu      sync.Mutex
	running chan struct{}
	last    *advance.Soak
}

// Read returns the newest reading of the stage that began at the given time, nil when none arrives in time.
func (c *EvidenceCache) Read(ctx context.Context, stage time.Time,
	read func(context.Context) advance.Soak) *advance.Soak {
	done := c.start(ctx, stage, read)
	timer := time.NewTimer(c.Wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil || !c.last.Since.Equal(stage) {
		return nil
	}
	copied := *c.last
	return &copied
}

// start begins a reading unless one runs or the last is new enough. The returned channel is closed once there is
// nothing left to wait for.
func (c *EvidenceCache) start(ctx context.Context, stage time.Time,
	read func(context.Context) advance.Soak) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		return c.running
	}
	done := make(chan struct{})
	if c.last != nil && c.last.Since.Equal(stage) && time.Since(c.last.Evaluation.End) < c.Every {
		close(done)
		return done
	}
	c.running = done
	go func() {
		defer close(done)
		evidence := read(context.WithoutCancel(ctx))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last, c.running = &evidence, nil
	}()
	return done
}
