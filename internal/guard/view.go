package guard

import (
	"fmt"
	"maps"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/guard/blame"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// view is what the guard sees of a rollout: its pods by the API server, the pods that are scraped, and the evidence
// from their counts.
type view struct {
	pods Pods
	// impostors are the pods with the canary's labels that no ReplicaSet of its Deployment owns, by name, and the time
	// since when each is seen as one.
	impostors map[string]time.Time
	// young are the pods that appeared during the watch, by UID, until they run. Whatever such a pod counts belongs to
	// the watch.
	young map[string]bool
	// listed is whether the pods were listed before: the pods of the first list are not young.
	listed bool
	// lostSince is when a pod's readiness was seen to be lost, and regainedAt when it was seen to be back, by UID.
	lostSince, regainedAt map[string]time.Time

	// targets are the pods that are scraped, by UID.
	targets map[string]*target
	// tracker is the evidence on the subject; nil while no canary takes requests.
	tracker *tracker
	subject subject
	// kept is the evidence that outlasts a quarantine; nil without any.
	kept *kept
	// court compares the canary's errors with stable's.
	court *blame.Court

	sight sight
}

// subject is the canary that evidence is about.
type subject struct {
	// image and identity are those of the canary's Deployment; the identity is empty where it has none.
	image, identity string
	// weight is in percent, unknownWeight until the ledger was read.
	weight int
}

const unknownWeight = -1

func (s subject) String() string { return fmt.Sprintf("%s at %d %%", s.image, s.weight) }

func newView(config Config) view {
	return view{pods: Pods{WasReady: map[string]bool{}, Restarts: map[string]int32{}}, young: map[string]bool{},
		lostSince: map[string]time.Time{}, regainedAt: map[string]time.Time{},
		targets: map[string]*target{}, court: blame.NewCourt(config.errorRate()), sight: newSight()}
}

// update sorts the pods by the Deployment that owns them.
func (v *view) update(objects Objects, config Config, now time.Time) {
	pods := Pods{WasReady: v.pods.WasReady, Restarts: v.pods.Restarts}
	if deployment, exists := objects.Deployment(config.Spec.Namespace, config.canaryDeployment()); exists {
		pods.Deployment = deployment
	}
	if deployment, exists := objects.Deployment(config.Spec.Namespace, config.stableDeployment()); exists {
		pods.StableDeployment = deployment
	}
	impostors := map[string]time.Time{}
	for _, pod := range objects.Pods(config.canaryLabels()) {
		switch {
		case objects.OwnedBy(pod, config.canaryDeployment()):
			pods.Canary = append(pods.Canary, pod)
		case pod.Labels[names.Version] == config.Release:
			since, seen := v.impostors[pod.Name]
			if !seen {
				since = now
			}
			impostors[pod.Name] = since
		}
	}
	for _, pod := range objects.Pods(config.stableLabels()) {
		if objects.OwnedBy(pod, config.stableDeployment()) {
			pods.Stable = append(pods.Stable, pod)
		}
	}
	v.pods, v.impostors = pods, impostors
	v.remember(now)
}

// remember notes which pods are young, which have been ready, since when their readiness is lost and how often their
// containers had restarted when they were first seen, and forgets those that are gone.
func (v *view) remember(now time.Time) {
	v.pods.LostFor, v.pods.Regained = map[string]time.Duration{}, map[string]time.Duration{}
	present := map[string]bool{}
	for _, pods := range [][]*corev1.Pod{v.pods.Canary, v.pods.Stable} {
		for _, pod := range pods {
			uid := string(pod.UID)
			present[uid] = true
			_, known := v.pods.WasReady[uid]
			if !known && v.listed {
				v.young[uid] = true
			}
			for _, status := range podstate.Containers(pod) {
				// All restarts of a pod that appeared during the watch belong to the watch.
				if !known && !v.listed {
					v.pods.Restarts[containerKey(pod, status.Name)] = status.RestartCount
				}
			}
			v.pods.WasReady[uid] = v.pods.WasReady[uid] || podstate.IsReady(pod) || becameUnready(pod)
			v.noteLoss(pod, now)
		}
	}
	gone := func(uid string, _ bool) bool { return !present[uid] }
	maps.DeleteFunc(v.pods.WasReady, gone)
	maps.DeleteFunc(v.young, gone)
	for _, times := range []map[string]time.Time{v.lostSince, v.regainedAt} {
		maps.DeleteFunc(times, func(uid string, _ time.Time) bool { return !present[uid] })
	}
	maps.DeleteFunc(v.pods.Restarts, func(key string, _ int32) bool {
		uid, _, _ := strings.Cut(key, "/")
		return !present[uid]
	})
}

// noteLoss notes since when a pod's readiness is lost, or since when it is back.
func (v *view) noteLoss(pod *corev1.Pod, now time.Time) {
	uid := string(pod.UID)
	if !v.pods.lost(pod) {
		if !v.lostSince[uid].IsZero() && podstate.IsReady(pod) {
			v.regainedAt[uid] = now
		}
		delete(v.lostSince, uid)
		if at, regained := v.regainedAt[uid]; regained {
			v.pods.Regained[uid] = now.Sub(at)
		}
		return
	}
	delete(v.regainedAt, uid)
	if v.lostSince[uid].IsZero() {
		v.lostSince[uid] = now
	}
	v.pods.LostFor[uid] = now.Sub(v.lostSince[uid])
}

// follow begins new evidence when the image, the identity or the weight of the canary changes, and drops the evidence
// when no canary takes requests. It reports whether evidence began.
func (v *view) follow(config Config, weight int, now time.Time) bool {
	if len(v.inTraffic()) == 0 {
		v.keep(now)
		v.subject, v.tracker = subject{}, nil
		v.court.End()
		v.sight.restart(now)
		return false
	}
	before := v.subject
	v.subject = subject{image: v.image(), identity: v.identity(), weight: weight}
	// The first reading of the ledger gives the weight that the canary had all along.
	sameWeight := before.weight == weight || before.weight == unknownWeight
	if v.tracker != nil && v.subject.image == before.image && v.subject.identity == before.identity && sameWeight {
		return false
	}
	v.tracker = newTracker(config.errorRate(), config.latency(), now)
	if config.Quarantine {
		v.tracker.proven = v.proven(config.errorRate(), now)
	}
	v.court.Begin(now, v.tracker.errors, v.tracker.proven)
	return true
}

// image is the digest that the canary's Deployment runs; empty when it has none.
func (v *view) image() string { return imageOf(v.pods.Deployment) }

// identity is the short form of what the canary's Deployment makes its pods of; empty where it does not say.
func (v *view) identity() string {
	if v.pods.Deployment == nil {
		return ""
	}
	return v.pods.Deployment.Spec.Template.Annotations[names.Identity]
}

// isPresent reports whether the canary's Deployment asks for pods.
func (v *view) isPresent() bool {
	return v.pods.Deployment != nil && v.pods.Deployment.Spec.Replicas != nil && *v.pods.Deployment.Spec.Replicas > 0
}

// inTraffic are the canary's pods that get requests, or would if they were ready.
func (v *view) inTraffic() []*corev1.Pod {
	var list []*corev1.Pod
	for _, pod := range v.pods.Canary {
		if pod.Labels[names.Traffic] == names.Enabled && pod.DeletionTimestamp == nil {
			list = append(list, pod)
		}
	}
	return list
}

// podImage is the digest that a pod runs in the service's own container, as the Deployment names it: a sidecar may come
// before it in the pod.
func (v *view) podImage(pod *corev1.Pod) string {
	name := ""
	if v.pods.Deployment != nil {
		if service := serviceOf(v.pods.Deployment); service != nil {
			name = service.Name
		}
	}
	for _, container := range pod.Spec.Containers {
		if container.Name == name {
			return digestOf(container.Image)
		}
	}
	return ""
}

// toScrape are the pods that the guard counts at, with their tracks: both tracks while a canary takes requests, and
// stable alone while it is watched after a rollback.
func (v *view) toScrape(watchesStable bool) map[*corev1.Pod]string {
	pods := map[*corev1.Pod]string{}
	image := v.image()
	for _, pod := range v.inTraffic() {
		// While one configuration replaces another, the errors of the pods that leave are none of those that come.
		if v.podImage(pod) == image && pod.Annotations[names.Identity] == v.identity() && canBeScraped(pod) {
			pods[pod] = names.Canary
		}
	}
	if len(pods) == 0 && !watchesStable {
		return pods
	}
	for _, pod := range v.pods.Stable {
		if pod.Labels[names.Traffic] == names.Enabled && canBeScraped(pod) {
			pods[pod] = names.Stable
		}
	}
	return pods
}

func canBeScraped(pod *corev1.Pod) bool {
	return pod.Status.PodIP != "" && pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning
}

// outgrow forgets the young pods that run: they are scraped by now, or their counts belong to no watch. A pod that has
// just appeared has counted nothing before. The pods' timestamps cannot replace this, because clocks differ.
func (v *view) outgrow() {
	for _, pods := range [][]*corev1.Pod{v.pods.Canary, v.pods.Stable} {
		for _, pod := range pods {
			if pod.Status.Phase == corev1.PodRunning {
				delete(v.young, string(pod.UID))
			}
		}
	}
}

// drop stops scraping a pod.
func (v *view) drop(uid string) {
	v.targets[uid].stop()
	delete(v.targets, uid)
	v.court.Leave(uid)
}

// imageOf is the digest of a Deployment's image; empty when it has none.
func imageOf(deployment *appsv1.Deployment) string {
	if deployment == nil {
		return ""
	}
	if service := serviceOf(deployment); service != nil {
		return digestOf(service.Image)
	}
	return ""
}

// serviceOf is the service's own container in a Deployment's template; nil when it has none.
func serviceOf(deployment *appsv1.Deployment) *corev1.Container {
	return podstate.Service(&deployment.Spec.Template.Spec, deployment.Spec.Template.Labels[names.App])
}
