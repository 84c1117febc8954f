package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// stage is a cluster with one track of two pods.
type stage struct {
	deployments map[string]*appsv1.Deployment
	configMaps  map[string]map[string]string
	isolated    bool
	unready     error // what waiting for endpoints ends with
	stuck       error // what labelling ends with
}

func newStage() *stage {
	two := int32(2)
	track := map[string]string{"app": "shop", "track": "stable", "version": "staging", "traffic": "enabled"}
	return &stage{configMaps: map[string]map[string]string{}, deployments: map[string]*appsv1.Deployment{"shop-staging": {
		ObjectMeta: metav1.ObjectMeta{Name: "shop-staging", Namespace: "staging",
			Annotations: map[string]string{"pulumi.com/patchForce": "true"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop", "track": "stable"}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: track}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "shop", Image: "shop@sha256:aa"}},
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
					{LabelSelector: &metav1.LabelSelector{MatchLabels: track}}},
			}},
		},
	}}}
}

func (s *stage) Deployment(_ context.Context, _, name string) (*appsv1.Deployment, bool, error) {
	found, ok := s.deployments[name]
	return found, ok, nil
}

func (s *stage) CreateDeployment(_ context.Context, deployment *appsv1.Deployment) error {
	s.deployments[deployment.Name] = deployment
	return nil
}

func (s *stage) DeleteDeployment(_ context.Context, _, name string) error {
	delete(s.deployments, name)
	return nil
}

func (s *stage) DeleteConfigMap(_ context.Context, _, name string) error {
	delete(s.configMaps, name)
	return nil
}

func (s *stage) ConfigMap(_ context.Context, _, name string) (data map[string]string, version string, err error) {
	if data, ok := s.configMaps[name]; ok {
		return data, "1", nil
	}
	return nil, "", nil
}

func (s *stage) SwapConfigMap(_ context.Context, _, name string, data map[string]string, _ string) error {
	s.configMaps[name] = data
	return nil
}

func (s *stage) WaitEndpoints(context.Context, string, string, map[string]string, int) error {
	return s.unready
}

func (s *stage) Replicas(_ context.Context, _, name string) (int, error) {
	return int(*s.deployments[name].Spec.Replicas), nil
}

func (s *stage) AllPods(context.Context, string, map[string]string) ([]corev1.Pod, error) {
	if s.deployments["shop-drill"] == nil {
		return nil, nil
	}
	return []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "shop-drill-x"}}}, nil
}

func (s *stage) LabelPods(context.Context, string, map[string]string, string, string) ([]string, error) {
	s.isolated = s.stuck == nil
	return []string{"shop-drill-x"}, s.stuck
}

func (s *stage) Endpoints(context.Context, string, string) ([]string, error) {
	pods := []string{"shop-staging-a", "shop-staging-b"}
	if s.deployments["shop-drill"] != nil && !s.isolated {
		pods = append(pods, "shop-drill-x")
	}
	return pods, nil
}

func (s *stage) Scale(_ context.Context, _, name string, replicas int) error {
	count := int32(replicas) //nolint:gosec // a handful of pods
	s.deployments[name].Spec.Replicas = &count
	return nil
}

func (s *stage) Growth(_ context.Context, _, name string) (podstate.Growth, error) {
	if s.deployments[name] == nil {
		return podstate.Growth{}, nil
	}
	replicas := int(*s.deployments[name].Spec.Replicas)
	return podstate.Growth{Wanted: replicas, Ready: replicas}, nil
}

func (s *stage) LabelPod(context.Context, string, string, string, string) error { return s.stuck }

func (s *stage) Logs(context.Context, string, string, string, bool, int64) (string, error) {
	return "", nil
}

func (s *stage) EventTexts(context.Context, string, string) ([]string, error) { return nil, nil }

func (s *stage) SaveEvidence(context.Context, string, string, string, []byte, int) error { return nil }

// drill runs a drill and gives the canary as it was made.
func (s *stage) drill(ctx context.Context, t *testing.T) (result Result, made *appsv1.Deployment, told string,
	err error) {
	t.Helper()
	result, err = Run(ctx, s, Options{
		Namespace: "staging", App: "shop", Service: "shop-staging", Deployment: "shop-staging",
		Track: map[string]string{"app": "shop", "track": "stable"},
		Ready: time.Minute, Who: "anna", Now: time.Now,
		Progress: func(text string) { told += text + "\n" },
		OnStep:   func(rollback.Step) { made = s.deployments["shop-drill"] },
	})
	return result, made, told, err
}

func (s *stage) expectClean(t *testing.T) {
	t.Helper()
	if len(s.deployments) != 1 || len(s.configMaps) > 0 || *s.deployments["shop-staging"].Spec.Replicas != 2 {
		t.Errorf("the drill left behind %v and %v", s.deployments, s.configMaps)
	}
}

func TestADrillLeavesNothingBehind(t *testing.T) {
	s := newStage()
	result, made, told, err := s.drill(t.Context(), t)
	if err != nil || result.Verdict() != gate.Pass || !result.Unhurt {
		t.Fatalf("%+v: %v\n%s", result, err, told)
	}
	s.expectClean(t)
	labels := made.Spec.Template.Labels
	if fmt.Sprint(labels) != fmt.Sprint(map[string]string{"app": "shop", "track": "canary", "version": "drill",
		"traffic": "enabled"}) {
		t.Errorf("its pods carry %v", labels)
	}
	if made.Spec.Selector.MatchLabels["track"] != "canary" ||
		made.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels["version"] != "drill" {
		t.Error("it selects the track's pods")
	}
	if len(made.Annotations) > 0 || *s.deployments["shop-staging"].Spec.Replicas != 2 ||
		s.deployments["shop-staging"].Spec.Template.Labels["track"] != "stable" {
		t.Error("the track itself was changed")
	}
}

func TestADrillThatCannotBeHeld(t *testing.T) {
	s := newStage()
	s.unready = errors.New("no pod is ready")
	if _, _, _, err := s.drill(t.Context(), t); err == nil || !strings.Contains(err.Error(), "no pod is ready") {
		t.Errorf("it is held: %v", err)
	}
	s.expectClean(t)
	delete(s.deployments, "shop-staging")
	if _, _, _, err := s.drill(t.Context(), t); err == nil || !strings.Contains(err.Error(),
		"no Deployment staging/shop-staging") {
		t.Errorf("without a track: %v", err)
	}
}

func TestADrillThatFailsIsClearedAway(t *testing.T) {
	s := newStage()
	s.stuck = errors.New("pods may not be patched")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	result, _, _, err := s.drill(ctx, t)
	if err != nil || result.Verdict() != gate.Fail {
		t.Errorf("%s: %v", result.Verdict(), err)
	}
	names := []string{}
	for name := range s.deployments {
		names = append(names, name)
	}
	if !slices.Equal(names, []string{"shop-staging"}) || len(s.configMaps) > 0 {
		t.Errorf("left behind are %v and %v", names, s.configMaps)
	}
}
