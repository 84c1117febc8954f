package guard

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// target is a pod that is scraped, by a goroutine of its own: a slow pod delays no other.
type target struct {
	uid, pod, track, address string
	stop                     context.CancelFunc
	poke                     chan struct{}
	counters                 counters
	pace                     pace
	slow                     atomic.Bool
}

// scraped is the result of one scrape.
type scraped struct {
	target *target
	rise   Rise
	// shown is whether the pod's page has the counter of requests that the configuration names.
	shown    bool
	err      error
	at       time.Time
	interval time.Duration
}

// wake makes the next scrape come at once.
func (t *target) wake() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// isSlow reports whether the pod limits its scrapes.
func (t *target) isSlow() bool { return t.slow.Load() }

// aim scrapes the pods that the evidence and the aftercare need, and no others.
func (r *runner) aim(ctx context.Context) {
	wanted := map[string]bool{}
	for pod, track := range r.view.toScrape(r.actions.aftercare != nil) {
		wanted[string(pod.UID)] = true
		r.aimAt(ctx, pod, track)
	}
	r.view.outgrow()
	for uid := range r.view.targets {
		if !wanted[uid] {
			r.view.drop(uid)
		}
	}
}

func (r *runner) aimAt(ctx context.Context, pod *corev1.Pod, track string) {
	uid := string(pod.UID)
	if r.view.targets[uid] != nil {
		return
	}
	target := &target{
		uid: uid, pod: pod.Name, track: track, poke: make(chan struct{}, 1),
		address:  r.address(pod) + r.config.Path,
		pace:     pace{interval: time.Duration(r.config.Interval)},
		counters: counters{names: r.counted, fromZero: r.view.young[uid]},
	}
	ctx, target.stop = context.WithCancel(ctx)
	r.view.targets[uid] = target
	go r.scrapeUntil(ctx, target)
}

// address is where a pod answers.
func (r *runner) address(pod *corev1.Pod) string {
	return "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(r.config.Port))
}

// scrapeUntil scrapes a pod until the context ends.
func (r *runner) scrapeUntil(ctx context.Context, t *target) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-t.poke:
			if t.isSlow() {
				continue
			}
		}
		rise, err := fetch(ctx, r.guard.scrape, t.address, &t.counters, r.guard.options.Now)
		if ctx.Err() != nil {
			return
		}
		wait := t.pace.next()
		if limited, ok := errors.AsType[*limitedError](err); ok {
			wait = t.pace.refused(r.guard.options.Now(), limited.after)
		} else if err == nil {
			t.pace.answer(r.guard.options.Now())
		}
		t.slow.Store(t.pace.slowed())
		select {
		case r.results <- scraped{target: t, rise: rise, shown: err == nil && t.counters.named, err: err,
			at: r.guard.options.Now(), interval: t.pace.next()}:
		case <-ctx.Done():
			return
		}
		timer.Reset(wait)
	}
}
