package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// The world is the guard's Cluster and its Objects: every write is seen by the watches at once.
var (
	_ Cluster = (*world)(nil)
	_ Objects = (*world)(nil)
)

func (w *world) Synced() bool { return true }

func (w *world) Pods(labels map[string]string) []*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	var pods []*corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(w.pods)) {
		matches := true
		for key, value := range labels {
			matches = matches && w.pods[name].Labels[key] == value
		}
		if matches {
			pods = append(pods, w.pods[name].DeepCopy())
		}
	}
	return pods
}

func (w *world) Deployment(_, name string) (*appsv1.Deployment, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	scaled, exists := w.scaled[name]
	replicas := int32(scaled) //nolint:gosec // a few pods
	annotations := map[string]string{}
	if name == "finance-v2" && w.made != "" {
		annotations[names.Identity] = w.made
	}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: space},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Annotations: annotations},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "finance@" + image}}},
		}},
	}, exists
}

func (w *world) OwnedBy(pod *corev1.Pod, deployment string) bool {
	return strings.HasPrefix(pod.Name, deployment+"-") && !w.late.Load()
}

func (w *world) ConfigMaps(_, value string) []*corev1.ConfigMap {
	w.mu.Lock()
	defer w.mu.Unlock()
	data, exists := w.configs["finance-guard"]
	if !exists || value != ConfigValue {
		return nil
	}
	return []*corev1.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Name: "finance-guard", Namespace: space,
		ResourceVersion: strconv.Itoa(len(data[ConfigKey]))}, Data: data}}
}

func (w *world) ConfigMapVersion(string, string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strconv.Itoa(w.version)
}

var errAway = errors.New("the API server cannot be reached")

func (w *world) write() error {
	if w.away {
		return errAway
	}
	go w.changed()
	return nil
}

func (w *world) AllPods(_ context.Context, _ string, labels map[string]string) ([]corev1.Pod, error) {
	var list []corev1.Pod
	for _, p := range w.Pods(labels) {
		list = append(list, *p)
	}
	return list, nil
}

func (w *world) DeploymentPods(_ context.Context, _, deployment string) ([]corev1.Pod, error) {
	var list []corev1.Pod
	for _, p := range w.Pods(nil) {
		if w.OwnedBy(p, deployment) {
			list = append(list, *p)
		}
	}
	return list, nil
}

func (w *world) EndPods(context.Context, string, map[string]string, time.Duration) (int, error) {
	return 0, nil
}

func (w *world) LabelPods(_ context.Context, _ string, selector map[string]string, key, value string) ([]string,
	error) {
	pods := w.Pods(selector)
	w.mu.Lock()
	defer w.mu.Unlock()
	var changed []string
	for _, p := range pods {
		if err := errors.Join(w.unlabelled, w.write()); err != nil {
			return nil, err
		}
		if p.Labels[key] != value {
			w.pods[p.Name].Labels[key] = value
			w.done = append(w.done, "isolated "+p.Name)
			changed = append(changed, p.Name)
		}
	}
	return changed, nil
}

func (w *world) Endpoints(context.Context, string, string) ([]string, error) {
	var pods []string
	for _, p := range w.Pods(map[string]string{names.Traffic: names.Enabled}) {
		pods = append(pods, p.Name)
	}
	return pods, nil
}

func (w *world) Scale(_ context.Context, _, deployment string, replicas int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(); err != nil {
		return err
	}
	if w.refusals[deployment] > 0 {
		w.refusals[deployment]--
		return errors.New("refused")
	}
	w.scaled[deployment] = replicas
	for name := range w.pods {
		if replicas == 0 && strings.HasPrefix(name, deployment+"-") {
			delete(w.pods, name)
		}
	}
	return nil
}

func (w *world) Growth(_ context.Context, _, deployment string) (podstate.Growth, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away {
		return podstate.Growth{}, errAway
	}
	return podstate.Growth{Wanted: w.scaled[deployment], Ready: w.scaled[deployment]}, nil
}

func (w *world) LabelPod(_ context.Context, _, name, key, value string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := errors.Join(w.unlabelled, w.write()); err != nil {
		return err
	}
	if w.pods[name] != nil && w.pods[name].Labels[key] != value {
		w.pods[name].Labels[key] = value
		w.done = append(w.done, "isolated "+name)
	}
	return nil
}

func (w *world) OpenService(context.Context, string, string, string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.narrow
	w.narrow = false
	return was, nil
}

func (w *world) RouteWeights(context.Context, string, string) (map[string]int, error) {
	return nil, nil
}

func (w *world) SetRouteWeights(_ context.Context, _, route string, weights map[string]int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, fmt.Sprintf("weights of %s: %v", route, weights))
	return w.write()
}

func (w *world) WaitRoute(_ context.Context, _, route string, _ map[string]int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = append(w.done, route+" accepted")
	return nil
}

func (w *world) Logs(context.Context, string, string, string, bool, int64) (string, error) {
	return "log", nil
}

func (w *world) EventTexts(context.Context, string, string) ([]string, error) { return nil, nil }

func (w *world) SaveEvidence(context.Context, string, string, string, []byte, int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept++
	return nil
}

func (w *world) ConfigMap(_ context.Context, _, name string) (data map[string]string, version string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.configs[name] == nil {
		return nil, "", nil
	}
	return maps.Clone(w.configs[name]), strconv.Itoa(w.version), nil
}

func (w *world) SwapConfigMap(_ context.Context, _, name string, data map[string]string, version string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.write(); err != nil {
		return err
	}
	if w.configs[name] != nil && version != strconv.Itoa(w.version) {
		return kube.ErrConflict
	}
	w.version++
	w.configs[name] = maps.Clone(data)
	return nil
}

func (w *world) ConfigMapAnnotation(context.Context, string, string, string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.head, nil
}

func (w *world) AnnotateConfigMap(_ context.Context, _, _, _, value string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.head = value
	return nil
}

func (w *world) SwapCursors(ctx context.Context, namespace, name string, data map[string]string, version string) error {
	return w.SwapConfigMap(ctx, namespace, name, data, version)
}

func (w *world) Announce(_ context.Context, _, _, _, reason, note string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, reason+": "+note)
	return nil
}
