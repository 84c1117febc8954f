package guard

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/guard/blame"
	"github.com/vextrus/finance-rollout/internal/names"
)

// target is a pod that is scraped, by a goroutine of its own: a slow pod delays no other.
type target struct {
	uid, pod, track, address string
	stop                     context.CancelFunc
	poke                     chan struct{}
	counters                 counters
	pace                     pace
	slow                     atomic.Bool
	// shownAt is when the pod's page had the counter of requests last; zero before the first time. It belongs to the loop.
	shownAt time.Time
}

// scraped is the result of one scrape.
type scraped struct {
	target *target
	rise   Rise
	// shown is whether the pod's page has the counter of requests that the configuration names.
	shown bool
	err   error
	// began is when the pod was asked, at when its answer was read.
	began, at time.Time
	interval  time.Duration
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

// isMute notes whether a scrape has shown the counter of requests, and reports whether it says nothing about the pod:
// it failed, or its page has lost the counter, as that of a login or of another exporter has none. A pod that shows
// none for longer has no requests to count, as stable's at 100 % after a restart.
func (t *target) isMute(result scraped) bool {
	if result.err != nil {
		return true
	}
	if result.shown {
		t.shownAt = result.at
		return false
	}
	return !t.shownAt.IsZero() && result.at.Sub(t.shownAt) < blame.SilentLimit
}

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
		address:  r.scheme() + strings.TrimPrefix(r.address(pod), "http") + r.config.Path,
		pace:     pace{interval: time.Duration(r.config.Interval)},
		counters: counters{names: r.counted, fromZero: r.view.young[uid], budget: r.guard.budget},
	}
	ctx, target.stop = context.WithCancel(ctx)
	r.view.targets[uid] = target
	r.view.court.Join(uid, track == names.Canary, target.counters.fromZero, r.now())
	go r.scrapeUntil(ctx, target)
}

// address is where a pod answers.
func (r *runner) address(pod *corev1.Pod) string {
	return "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(r.config.Port))
}

// scheme is that of a scrape.
func (r *runner) scheme() string {
	if r.config.TLS != nil {
		return "https"
	}
	return "http"
}

// scrapeUntil scrapes a pod until the context ends.
func (r *runner) scrapeUntil(ctx context.Context, t *target) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer t.counters.release()
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
		began := r.guard.options.Now()
		rise, err := fetch(ctx, r.scrape, t.address, &t.counters, r.guard.options.Now)
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
			began: began, at: r.guard.options.Now(), interval: t.pace.next()}:
		case <-ctx.Done():
			return
		}
		timer.Reset(wait)
	}
}
