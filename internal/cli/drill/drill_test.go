package drill

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

// staging is a cluster with one track of two pods.
func staging(t *testing.T) *cluster.Cluster {
	t.Helper()
	labels := map[string]string{"app": "shop", "track": "stable", "version": "staging", "traffic": "enabled"}
	track := cluster.Deployment("staging", "shop-staging", "shop@sha256:aa", 2, labels)
	track.Annotations = map[string]string{"pulumi.com/patchForce": "true"}
	track.Spec.Selector.MatchLabels = map[string]string{"app": "shop", "track": "stable"}
	track.Spec.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
		{LabelSelector: &metav1.LabelSelector{MatchLabels: labels}}}
	return cluster.New(t, track,
		cluster.Service("staging", "shop-staging", map[string]string{"app": "shop", "traffic": "enabled"}))
}

func deployment(t *testing.T, c *cluster.Cluster, name string) *appsv1.Deployment {
	t.Helper()
	object, exists, err := c.Deployment(t.Context(), "staging", name)
	if err != nil || !exists {
		t.Fatalf("deployment %s: %t, %v", name, exists, err)
	}
	return object
}

// options are those of a drill that has the time it needs.
func options() Options {
	return Options{
		Namespace: "staging", App: "shop", Service: "shop-staging", Deployment: "shop-staging",
		Track: map[string]string{"app": "shop", "track": "stable"},
		Ready: time.Minute, Who: "anna", Now: time.Now,
		Progress: func(string) {}, OnStep: func(rollback.Step) {},
	}
}

// expectClean fails when the cluster holds more than the track with its two pods.
func expectClean(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	deployments, err := c.Clientset.AppsV1().Deployments("staging").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(deployments.Items) != 1 || deployments.Items[0].Name != "shop-staging" {
		t.Errorf("the drill left the Deployments %v: %v", deployments, err)
	}
	configMaps, err := c.Clientset.CoreV1().ConfigMaps("staging").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(configMaps.Items) > 0 {
		t.Errorf("the drill left the ConfigMaps %v: %v", configMaps, err)
	}
	pods, err := c.AllPods(t.Context(), "staging", map[string]string{"app": "shop"})
	if err != nil || len(pods) != 2 {
		t.Errorf("the track has the pods %v: %v", pods, err)
	}
	endpoints, err := c.Endpoints(t.Context(), "staging", "shop-staging")
	if err != nil || len(endpoints) != 2 {
		t.Errorf("the Service sends requests to %q: %v", endpoints, err)
	}
}

func TestADrillLeavesNothingBehind(t *testing.T) {
	c, o := staging(t), options()
	track := deployment(t, c, "shop-staging")
	var canary *appsv1.Deployment
	var steps, progress []string
	o.Progress = func(text string) { progress = append(progress, text) }
	o.OnStep = func(step rollback.Step) {
		canary = deployment(t, c, "shop-drill")
		steps = append(steps, step.String())
	}
	result, err := Run(t.Context(), c, o)
	if err != nil || result.Verdict() != gate.Pass || !result.Unhurt {
		t.Fatalf("%+v: %v\n%s", result, err, strings.Join(append(progress, steps...), "\n"))
	}
	expectClean(t, c)
	if want := map[string]string{"app": "shop", "track": "canary", "version": "drill",
		"traffic": "enabled"}; !cmp.Equal(want, canary.Spec.Template.Labels) {
		t.Errorf("its pods carry %v", canary.Spec.Template.Labels)
	}
	if canary.Spec.Selector.MatchLabels["track"] != "canary" ||
		canary.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels["version"] != "drill" {
		t.Error("it selects the track's pods")
	}
	// The cluster itself numbers its revisions.
	if want := map[string]string{"deployment.kubernetes.io/revision": "1"}; !cmp.Equal(want, canary.Annotations) {
		t.Errorf("it has the annotations %v", canary.Annotations)
	}
	after := deployment(t, c, "shop-staging")
	after.ResourceVersion = track.ResourceVersion // Scaling to the same number is a write all the same.
	if diff := cmp.Diff(track, after); diff != "" {
		t.Errorf("the track itself was changed (-before +after):\n%s", diff)
	}
	isolated := func(step string) bool { return strings.Contains(step, "1 pods, no endpoint is left") }
	if !slices.ContainsFunc(steps, isolated) {
		t.Errorf("steps:\n%s", strings.Join(steps, "\n"))
	}
}

func TestADrillWhoseCanaryIsNeverReadyIsNotHeld(t *testing.T) {
	c, o := staging(t), options()
	c.NeverReady("staging", "shop-drill")
	o.Ready = time.Second
	_, err := Run(t.Context(), c, o)
	testkit.WantError(t, err, "service staging/shop-staging does not send requests to 1 pods", "not ready within 1s")
	expectClean(t, c)
}

func TestADrillThatTheClusterRefusesIsNotHeld(t *testing.T) {
	for resource, want := range map[string]string{"get deployments": "get deployment staging/shop-staging",
		"delete deployments": "shop-drill", "create deployments": "shop-drill"} {
		t.Run(resource, func(t *testing.T) {
			c := staging(t)
			verb, kind, _ := strings.Cut(resource, " ")
			mend := c.Fail(verb, kind, errors.New("no such right"))
			_, err := Run(t.Context(), c, options())
			testkit.WantError(t, err, want, "no such right")
			mend()
			expectClean(t, c)
		})
	}
}

func TestADrillNeedsATrack(t *testing.T) {
	c := staging(t)
	if err := c.DeleteDeployment(t.Context(), "staging", "shop-staging"); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), c, options())
	testkit.WantError(t, err, "no Deployment staging/shop-staging")
}

// The drill is interrupted when its canary cannot be isolated.
func TestADrillThatFailsIsClearedAway(t *testing.T) {
	c := staging(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	c.Fail("patch", "pods", errors.New("pods may not be patched"))
	c.React("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		interrupt()
		return false, nil, nil
	})
	result, err := Run(ctx, c, options())
	if err != nil || result.Verdict() != gate.Fail {
		t.Errorf("%s: %v", result.Verdict(), err)
	}
	expectClean(t, c)
}

func TestADrillNamesWhatItCannotRemove(t *testing.T) {
	c, o := staging(t), options()
	c.Fail("delete", "configmaps", errors.New("configmaps may not be deleted"))
	var progress []string
	o.Progress = func(text string) { progress = append(progress, text) }
	if _, err := Run(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	if text := progress[len(progress)-1]; !strings.Contains(text, "was not removed") ||
		!strings.Contains(text, "configmaps may not be deleted") {
		t.Errorf("progress %q", progress)
	}
}
