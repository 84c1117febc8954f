package guard

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// target is a pod that is scraped, by a goroutine of its own: a pod that answers slowly delays no other.
type target struct {
	uid, pod, track, address string
	stop                     context.CancelFunc
	poke                     chan struct{}
	counters                 counters
	pace                     pace
	slow                     atomic.Bool
}

// scraped is what a scrape of a target gave.
type scraped struct {
	target   *target
	rise     Rise
	err      error
	at       time.Time
	interval time.Duration
}

func (t *target) wake() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// isSlow tells that the pod limits its scrapes.
func (t *target) isSlow() bool { return t.slow.Load() }

// aim scrapes the pods that take requests: of both tracks while there is a canary, and of stable while it is watched
// after a rollback.
func (r *runner) aim(ctx context.Context) {
	wanted := map[string]bool{}
	if canary := r.inTraffic(); len(canary) > 0 {
		image := imageOf(r.pods.Deployment)
		for _, pod := range canary {
			if r.podImage(pod) == image {
				r.aimAt(ctx, pod, names.Canary, wanted)
			}
		}
	}
	if len(wanted) > 0 || r.aftercare != nil {
		for _, pod := range r.pods.Stable {
			if pod.Labels[names.Traffic] == names.Enabled {
				r.aimAt(ctx, pod, names.Stable, wanted)
			}
		}
	}
	r.outgrow()
	for uid, target := range r.targets {
		if !wanted[uid] {
			target.stop()
			delete(r.targets, uid)
			if r.confirm != nil {
				delete(r.confirm.waiting, uid)
			}
		}
	}
}

// podImage is the digest that a pod runs in the container that the Deployment names first. A sidecar may stand before
// it in the pod.
func (r *runner) podImage(pod *corev1.Pod) string {
	if r.pods.Deployment == nil || len(r.pods.Deployment.Spec.Template.Spec.Containers) == 0 {
		return ""
	}
	name := r.pods.Deployment.Spec.Template.Spec.Containers[0].Name
	for _, container := range pod.Spec.Containers {
		if container.Name == name {
			return digestOf(container.Image)
		}
	}
	return ""
}

// outgrow forgets the young pods that run: they are scraped by now, or what they count belongs to no watch. One that
// is young has counted nothing before. By the pods' own times one could not tell: clocks differ.
func (r *runner) outgrow() {
	for _, pods := range [][]*corev1.Pod{r.pods.Canary, r.pods.Stable} {
		for _, pod := range pods {
			if pod.Status.Phase == corev1.PodRunning {
				delete(r.young, string(pod.UID))
			}
		}
	}
}

func (r *runner) aimAt(ctx context.Context, pod *corev1.Pod, track string, wanted map[string]bool) {
	if pod.Status.PodIP == "" || pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
		return
	}
	uid := string(pod.UID)
	wanted[uid] = true
	if r.targets[uid] != nil {
		return
	}
	made := &target{
		uid: uid, pod: pod.Name, track: track, poke: make(chan struct{}, 1),
		address:  r.address(pod) + r.config.Path,
		pace:     pace{interval: time.Duration(r.config.Interval)},
		counters: counters{names: r.names, fromZero: r.young[uid]},
	}
	ctx, made.stop = context.WithCancel(ctx)
	r.targets[uid] = made
	go r.follow(ctx, made)
}

// address is where a pod answers.
func (r *runner) address(pod *corev1.Pod) string {
	return "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(r.config.Port))
}

// follow scrapes a pod until the context ends.
func (r *runner) follow(ctx context.Context, t *target) {
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
		case r.results <- scraped{target: t, rise: rise, err: err, at: r.guard.options.Now(), interval: t.pace.next()}:
		case <-ctx.Done():
			return
		}
		timer.Reset(wait)
	}
}
