package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/e2e/fixture"
)

// stages are the weights on the way up, in percent.
var stages = []int{10, 30, 60, 100}

// total is the number of pods that the customers' requests are planned for.
const total = 10

// canaryPods is the number of canary pods at a stage, and 0 at any other weight.
func canaryPods(weight int) int {
	if !slices.Contains(stages, weight) {
		return 0
	}
	return weight * total / 100
}

const (
	// fault is what the canary does when it turns bad.
	fault = "errors=0.33"
	// healthy is how long it serves before that: as long as the analysis looks back, and some looks.
	healthy = 30 * time.Second
	// settle is how long customers continue after the canary is out for good.
	settle = 10 * time.Second
	// limit is the longest wait until it is.
	limit = 5 * time.Minute
	// look is the time between two looks at the endpoints.
	look = 100 * time.Millisecond
)

// contender is a way to take a bad canary out.
type contender interface {
	name() string
	// enter brings a healthy canary in and returns when all pods of the weight are ready.
	enter(ctx context.Context, weight int) error
	// pods are those of the canary, and prefix is that of their names alone.
	pods(ctx context.Context) (pods []corev1.Pod, prefix string, err error)
	// over reports whether the canary is out for good.
	over(ctx context.Context) (bool, error)
	// stack has the Service that customers call, at a node port.
	stack() (stack *fixture.Stack, nodePort int)
}

// load is how customers call.
type load struct {
	perSecond int
	secret    []byte
}

// moment is what a look at the Service's endpoints shows.
type moment struct {
	at time.Time
	// canary is the number of the canary's ready endpoints, all that of both tracks.
	canary, all int
}

// try brings a canary in, turns it bad and measures how it leaves.
func try(ctx context.Context, c contender, s setting, load load) (outcome, error) {
	if err := c.enter(ctx, s.weight); err != nil {
		return outcome{}, fmt.Errorf("enter: %w", err)
	}
	pods, prefix, err := c.pods(ctx)
	if err != nil {
		return outcome{}, err
	}
	stack, nodePort := c.stack()
	customers, err := fixture.Send(fixture.Load{NodePort: nodePort, PerSecond: load.perSecond, Kept: s.kept}, load.secret)
	if err != nil {
		return outcome{}, err
	}
	defer customers.End()
	if err := customers.Reach(ctx, prefix); err != nil {
		return outcome{}, err
	}
	if err := pause(ctx, healthy); err != nil {
		return outcome{}, err
	}
	watch := watch(ctx, stack, prefix)
	defer watch.end()
	began := time.Now()
	if err := stack.FaultAtOnce(ctx, pods, fault); err != nil {
		return outcome{}, err
	}
	if err := untilOver(ctx, c); err != nil {
		return outcome{}, err
	}
	if err := pause(ctx, settle); err != nil {
		return outcome{}, err
	}
	return summarize(began, watch.end(), customers.Failures(began))
}

func untilOver(ctx context.Context, c contender) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := fixture.Until(ctx, func() (bool, error) { return c.over(ctx) }); err != nil {
		return fmt.Errorf("the canary is not out for good after %v: %w", limit, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// watched collects looks until end is called.
type watched struct {
	cancel  context.CancelFunc
	done    sync.WaitGroup
	moments []moment
}

// watch looks at the endpoints again and again. A look that fails, for which the next one stands in, is left out.
func watch(ctx context.Context, stack *fixture.Stack, prefix string) *watched {
	ctx, cancel := context.WithCancel(ctx)
	w := &watched{cancel: cancel}
	w.done.Go(func() {
		for ctx.Err() == nil {
			if pods, err := stack.Cluster.Endpoints(ctx, stack.Namespace, stack.App); err == nil {
				now := moment{at: time.Now(), all: len(pods)}
				for _, pod := range pods {
					if strings.HasPrefix(pod, prefix) {
						now.canary++
					}
				}
				w.moments = append(w.moments, now)
			}
			if pause(ctx, look) != nil {
				return
			}
		}
	})
	return w
}

// end stops looking and returns the moments.
func (w *watched) end() []moment {
	w.cancel()
	w.done.Wait()
	return w.moments
}
