package rollback

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// world is a cluster in memory: pods with labels, a Service that sends requests to those with traffic=enabled, two
// Deployments.
type world struct {
	mu     sync.Mutex
	pods   map[string]map[string]string
	scaled map[string]int
	// live is how many stable pods the cluster asks for.
	live int
	// gains is how many stable pods become ready between two looks, 0 for all that are asked for. refused is why it gets
	// no more of them while the canary has pods.
	gains   int
	refused string
	// fewest is the least number of endpoints that the Service had after a call of the rollback.
	fewest   int
	log      string
	evidence []byte
	ledger   []string
	calls    []string
	// failing makes the call of that name fail, once or always.
	failing string
	always  bool
	// weights are those of the route; nil when there is none.
	weights map[string]int
	// on is called at every call, with its name.
	on func(name string)
}

var errTest = errors.New("refused by the test")

func newWorld() *world { return newSplit(7, 3) }

// newSplit is a world with so many pods of each track.
func newSplit(stable, canary int) *world {
	w := &world{pods: map[string]map[string]string{}, scaled: map[string]int{"finance-v2": canary}, live: stable,
		log: "ready", fewest: stable + canary}
	for i := range stable {
		w.pods[fmt.Sprintf("stable-%d", i)] = map[string]string{"track": "stable", "traffic": "enabled"}
	}
	for i := range canary {
		w.pods[fmt.Sprintf("canary-%d", i)] = map[string]string{"track": "canary", "traffic": "enabled"}
	}
	return w
}

// call notes a call. The world is locked afterwards until the returned function is called.
func (w *world) call(name string) (unlock func(), err error) {
	if w.on != nil {
		w.on(name)
	}
	w.mu.Lock()
	w.calls = append(w.calls, name)
	if w.failing != name {
		return w.mu.Unlock, nil
	}
	if !w.always {
		w.failing = ""
	}
	return w.mu.Unlock, errTest
}

// called are the calls without those that the steps repeat until they see what they want.
func (w *world) called() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.DeleteFunc(slices.Clone(w.calls), func(name string) bool { return name == "endpoints" }))
}

func (w *world) of(track string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(w.pods)) {
		if w.pods[name]["track"] == track {
			names = append(names, name)
		}
	}
	return names
}

func (w *world) AllPods(_ context.Context, _ string, labels map[string]string) ([]corev1.Pod, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var pods []corev1.Pod
	for _, name := range w.of(labels["track"]) {
		pods = append(pods, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: maps.Clone(w.pods[name])},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "vextrus/finance@sha256:11"}}},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", RestartCount: 1}}},
		})
	}
	return pods, nil
}

func (w *world) LabelPods(_ context.Context, _ string, selector map[string]string, key, value string) ([]string,
	error) {
	unlock, err := w.call("label")
	defer unlock()
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, name := range w.of(selector["track"]) {
		if w.pods[name][key] != value {
			w.pods[name][key] = value
			changed = append(changed, name)
		}
	}
	w.fewest = min(w.fewest, len(w.inTraffic()))
	return changed, nil
}

func (w *world) LabelPod(_ context.Context, _, pod, key, value string) error {
	unlock, err := w.call("label " + pod)
	defer unlock()
	if err == nil && w.pods[pod] != nil {
		w.pods[pod][key] = value
	}
	w.fewest = min(w.fewest, len(w.inTraffic()))
	return err
}

func (w *world) EndPods(_ context.Context, _ string, labels map[string]string, _ time.Duration) (int, error) {
	unlock, err := w.call("end pods")
	defer unlock()
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, name := range w.of(labels["track"]) {
		if traffic, asked := labels["traffic"]; !asked || w.pods[name]["traffic"] == traffic {
			delete(w.pods, name)
			ended++
		}
	}
	return ended, nil
}

func (w *world) inTraffic() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(w.pods)) {
		if w.pods[name]["traffic"] == "enabled" {
			names = append(names, name)
		}
	}
	return names
}

func (w *world) Endpoints(context.Context, string, string) ([]string, error) {
	unlock, err := w.call("endpoints")
	defer unlock()
	w.fewest = min(w.fewest, len(w.inTraffic()))
	return w.inTraffic(), err
}

func (w *world) Scale(_ context.Context, _, deployment string, replicas int) error {
	unlock, err := w.call("scale " + deployment)
	defer unlock()
	if err != nil {
		return err
	}
	w.scaled[deployment] = replicas
	if deployment == "finance-stable" {
		w.live = replicas
	}
	if replicas == 0 {
		for _, name := range w.of("canary") {
			delete(w.pods, name)
		}
	}
	return nil
}

// Growth lets stable gain its pods.
func (w *world) Growth(_ context.Context, _, deployment string) (podstate.Growth, error) {
	if deployment != "finance-stable" {
		w.mu.Lock()
		defer w.mu.Unlock()
		return podstate.Growth{Wanted: w.scaled[deployment]}, nil
	}
	unlock, err := w.call("growth")
	defer unlock()
	if err != nil {
		return podstate.Growth{}, err
	}
	ready, gains := len(w.of("stable")), w.gains
	growth := podstate.Growth{Wanted: w.live, Ready: ready}
	switch {
	case ready >= w.live:
		return growth, nil
	case w.refused != "" && len(w.of("canary")) > 0:
		growth.Refused = w.refused
		return growth, nil
	case gains == 0:
		gains = w.live
	}
	for growth.Ready < min(w.live, ready+gains) {
		w.pods[fmt.Sprintf("stable-%d", growth.Ready)] = map[string]string{"track": "stable", "traffic": "enabled"}
		growth.Ready++
	}
	return growth, nil
}

func (w *world) Logs(_ context.Context, _, _, _ string, previous bool, _ int64) (string, error) {
	unlock, err := w.call("logs")
	defer unlock()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("previous %v: %s", previous, w.log), nil
}

func (w *world) EventTexts(context.Context, string, string) ([]string, error) {
	return []string{"Warning BackOff"}, w.simple("events")
}

func (w *world) simple(name string) error {
	unlock, err := w.call(name)
	unlock()
	return err
}

func (w *world) SaveEvidence(_ context.Context, _, _, _ string, archive []byte, _ int) error {
	unlock, err := w.call("save")
	defer unlock()
	if err == nil {
		w.evidence = archive
	}
	return err
}

func (w *world) Begin(context.Context, string) error { return w.note("begin", "begun") }

func (w *world) Finish(context.Context, Outcome) error { return w.note("finish", "finished") }

func (w *world) note(call, entry string) error {
	unlock, err := w.call(call)
	defer unlock()
	if err == nil {
		w.ledger = append(w.ledger, entry)
	}
	return err
}

func options() Options {
	return Options{
		Namespace: "shop", App: "finance", Service: "finance", Canary: map[string]string{"app": "finance", "track": "canary"},
		Deployment: "finance-v2", StableDeployment: "finance-stable", Capacity: 10, LabelKey: "traffic",
		LabelValue: "isolated",
		Reason:     "33 of 90 requests failed", Numbers: map[string]string{"bake": "33 of 90"},
		Secrets: []string{"s3cr3t-value"},
		Now:     func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) },
	}
}
