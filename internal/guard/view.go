package guard

import (
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

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
	// unreadySince is when a readiness that was lost began to speak against the canary; zero while none does.
	unreadySince time.Time

	// targets are the pods that are scraped, by UID.
	targets map[string]*target
	// tracker is the evidence on the subject; nil while no canary takes requests.
	tracker *tracker
	subject subject
	// confirm is the verdict that waits for stable's newest counts; nil without one.
	confirm *confirmation

	// lastSeen is when anything was seen of the canary, blind whether that is too long ago.
	lastSeen time.Time
	blind    bool
}

// subject is the canary that evidence is about.
type subject struct {
	image string
	// weight is in percent, unknownWeight until the ledger was read.
	weight int
}

const unknownWeight = -1

func (s subject) String() string { return fmt.Sprintf("%s at %d %%", s.image, s.weight) }

func newView() view {
	return view{pods: Pods{WasReady: map[string]bool{}}, young: map[string]bool{}, targets: map[string]*target{}}
}

// update sorts the pods by the Deployment that owns them.
func (v *view) update(objects Objects, config Config, now time.Time) {
	pods := Pods{WasReady: v.pods.WasReady}
	if deployment, exists := objects.Deployment(config.Spec.Namespace, config.canaryDeployment()); exists {
		pods.Deployment = deployment
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
	v.remember()
}

// remember notes which pods are young and which have been ready, and forgets those that are gone.
func (v *view) remember() {
	present := map[string]bool{}
	for _, pods := range [][]*corev1.Pod{v.pods.Canary, v.pods.Stable} {
		for _, pod := range pods {
			uid := string(pod.UID)
			present[uid] = true
			if _, known := v.pods.WasReady[uid]; !known && v.listed {
				v.young[uid] = true
			}
			v.pods.WasReady[uid] = v.pods.WasReady[uid] || podstate.IsReady(pod) || becameUnready(pod)
		}
	}
	gone := func(uid string, _ bool) bool { return !present[uid] }
	maps.DeleteFunc(v.pods.WasReady, gone)
	maps.DeleteFunc(v.young, gone)
}

// follow begins new evidence when the image or the weight of the canary changes, and drops the evidence when no canary
// takes requests. It reports whether evidence began.
func (v *view) follow(config Config, weight int, now time.Time) bool {
	if len(v.inTraffic()) == 0 {
		v.subject, v.tracker, v.confirm, v.lastSeen = subject{}, nil, nil, now
		return false
	}
	before := v.subject
	v.subject = subject{image: v.image(), weight: weight}
	// The first reading of the ledger gives the weight that the canary had all along.
	sameWeight := before.weight == weight || before.weight == unknownWeight
	if v.tracker != nil && v.subject.image == before.image && sameWeight {
		return false
	}
	v.tracker, v.confirm = newTracker(config.errorRate(), config.latency(), now), nil
	return true
}

// image is the digest that the canary's Deployment runs; empty when it has none.
func (v *view) image() string { return imageOf(v.pods.Deployment) }

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

// podImage is the digest that a pod runs in the container that the Deployment names first: a sidecar may come before
// it in the pod.
func (v *view) podImage(pod *corev1.Pod) string {
	if v.pods.Deployment == nil || len(v.pods.Deployment.Spec.Template.Spec.Containers) == 0 {
		return ""
	}
	name := v.pods.Deployment.Spec.Template.Spec.Containers[0].Name
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
		if v.podImage(pod) == image && canBeScraped(pod) {
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
	if v.confirm != nil {
		delete(v.confirm.waiting, uid)
	}
}

// checkSight reports whether the guard went blind or sees again since the last call.
func (v *view) checkSight(now time.Time) (changed bool) {
	blind := v.tracker != nil && now.Sub(v.lastSeen) > blindAfter
	changed = blind != v.blind
	v.blind = blind
	return changed
}

// imageOf is the digest of a Deployment's image; empty when it has none.
func imageOf(deployment *appsv1.Deployment) string {
	if deployment == nil || len(deployment.Spec.Template.Spec.Containers) == 0 {
		return ""
	}
	return digestOf(deployment.Spec.Template.Spec.Containers[0].Image)
}
