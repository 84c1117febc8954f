package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

func newDeployment(generation, observed int64, updated, ready int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "finance", Generation: generation},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "finance"}}},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: observed, UpdatedReplicas: updated, ReadyReplicas: ready},
	}
}

// rolling is in the middle of an update: replicas of which some are of the newest template and some, perhaps others,
// are ready.
func rolling(replicas, updated, ready int32) *appsv1.Deployment {
	built := newDeployment(2, 2, updated, ready)
	built.Status.Replicas = replicas
	return built
}

func TestWaitDeploymentReady(t *testing.T) {
	waiting := newPod("finance-1", false, map[string]string{"app": "finance"})
	waiting.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such tag"},
	}}}
	const quota = `pods "finance-5d" is forbidden: exceeded quota: compute, used: pods=10, limited: pods=10`
	limited := newDeployment(2, 2, 1, 1)
	limited.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure,
		Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: quota}}
	done := newPod("finance-2", true, map[string]string{"app": "finance"})
	tests := []struct {
		name       string
		deployment *appsv1.Deployment
		want       []string // parts of the error; none when it is ready
	}{
		{"ready", newDeployment(2, 2, 3, 3), nil},
		{"more than wanted", newDeployment(2, 2, 5, 5), nil},
		{"not observed", newDeployment(2, 1, 3, 3), []string{"generation 2 is not observed yet (observed: 1)"}},
		{"of the old template", newDeployment(2, 2, 1, 3), []string{"3 of 3 ready, 1 of the newest template"}},
		{"some of the old template", rolling(5, 3, 4), []string{"4 of 3 ready, 3 of the newest template"}},
		{"enough of the newest", rolling(5, 3, 5), nil},
		{"not ready", newDeployment(2, 2, 3, 1), []string{
			"deployment shop/finance is not ready with 3 pods after 10s: 1 of 3 ready, 3 of the newest template",
			"pod finance-1: ImagePullBackOff: no such tag"}},
		{"no room in the quota", limited, []string{"1 of 3 ready, 1 of the newest template",
			"the cluster creates no more pods: FailedCreate: " + quota}},
		{"missing", nil, []string{"it does not exist"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				objects := []runtime.Object{waiting, done}
				if test.deployment != nil {
					objects = append(objects, test.deployment)
				}
				client := &Client{clientset: fake.NewClientset(objects...)}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := client.WaitDeploymentReady(ctx, "shop", "finance", 3)
				if test.want == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				testkit.WantError(t, err, test.want...)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v does not hold the cause", err)
				}
				if strings.Contains(err.Error(), "finance-2") {
					t.Errorf("error %v names a pod that is ready", err)
				}
			})
		})
	}
}

// The pods of the image before are ready as well: they are not what is waited for.
func TestWaitDeploymentRuns(t *testing.T) {
	deployment := func(image string, replicas, updated int32) *appsv1.Deployment {
		built := newDeployment(2, 2, updated, replicas)
		built.Spec.Template.Spec.Containers = []corev1.Container{{Image: "vextrus/finance@" + image}}
		built.Status.Replicas = replicas
		return built
	}
	tests := []struct {
		name       string
		deployment *appsv1.Deployment
		want       string // part of the error; empty when it is ready
	}{
		{"all of it", deployment("sha256:22", 3, 3), ""},
		{"not updated yet", deployment("sha256:11", 3, 3), "it is not updated to sha256:22 yet"},
		{"being updated", deployment("sha256:22", 4, 2), "4 of 3 ready, 2 of the newest template"},
		{"old pods left", deployment("sha256:22", 4, 3), "1 pods of the template before are still there"},
		{"too few", deployment("sha256:22", 2, 2), "2 of 3 ready"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := &Client{clientset: fake.NewClientset(test.deployment)}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := client.WaitDeploymentRuns(ctx, "shop", "finance", "sha256:22", 3)
				if test.want == "" && err != nil {
					t.Error(err)
				}
				if test.want != "" {
					testkit.WantError(t, err, "deployment shop/finance is not ready with 3 pods", test.want)
				}
			})
		})
	}
}

// The pods with the annotation of before are ready as well.
func TestWaitDeploymentAnnotated(t *testing.T) {
	for name, tt := range map[string]struct {
		checksum          string
		replicas, updated int32
		want              string
	}{
		"all of it":       {"new", 3, 3, ""},
		"not updated yet": {"old", 3, 3, "its template does not have checksum=new yet"},
		"being updated":   {"new", 4, 2, "4 of 3 ready, 2 of the newest template"},
		"old pods left":   {"new", 4, 3, "1 pods of the template before are still there"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				built := newDeployment(2, 2, tt.updated, tt.replicas)
				built.Spec.Template.Annotations = map[string]string{"checksum": tt.checksum}
				built.Status.Replicas = tt.replicas
				client := &Client{clientset: fake.NewClientset(built)}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := client.WaitDeploymentAnnotated(ctx, "shop", "finance", "checksum", "new", 3)
				if tt.want == "" && err != nil {
					t.Error(err)
				}
				if tt.want != "" {
					testkit.WantError(t, err, "deployment shop/finance is not ready with 3 pods", tt.want)
				}
			})
		})
	}
}

// Whatever the number of pods is, all are of the newest template and ready.
func TestWaitRolledOut(t *testing.T) {
	for name, tt := range map[string]struct {
		wanted, replicas, updated int32
		want                      string
	}{
		"all of it":     {3, 3, 3, ""},
		"of none":       {0, 0, 0, ""},
		"being updated": {9, 12, 6, "12 of 9 ready, 6 of the newest template"},
		"old pods left": {3, 4, 3, "1 pods of the template before are still there"},
		"too few":       {3, 2, 2, "2 of 3 ready"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				built := newDeployment(2, 2, tt.updated, tt.replicas)
				built.Spec.Replicas, built.Status.Replicas = &tt.wanted, tt.replicas
				client := &Client{clientset: fake.NewClientset(built)}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := client.WaitRolledOut(ctx, "shop", "finance")
				if tt.want == "" && err != nil {
					t.Error(err)
				}
				if tt.want != "" {
					testkit.WantError(t, err, fmt.Sprintf("deployment shop/finance is not ready with %d pods", tt.wanted), tt.want)
				}
			})
		})
	}
}

// The wait goes on over a Deployment that is yet to be made, and over an API server that fails for a while.
func TestWaitDeploymentReadyGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clientset := fake.NewClientset()
		looks := 0
		clientset.PrependReactor("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
			looks++
			switch looks {
			case 1:
				return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "deployments"}, "finance")
			case 2:
				return true, nil, apierrors.NewInternalError(errors.New("etcd is away"))
			case 3:
				return true, newDeployment(1, 1, 2, 2), nil
			default:
				return true, newDeployment(1, 1, 3, 3), nil
			}
		})
		client := &Client{clientset: clientset}
		if err := client.WaitDeploymentReady(t.Context(), "shop", "finance", 3); err != nil || looks != 4 {
			t.Errorf("%v after %d looks, want 4", err, looks)
		}
	})
}

func TestWaitDeploymentReadyEndsWhenForbidden(t *testing.T) {
	clientset := fake.NewClientset()
	clientset.PrependReactor("get", "deployments", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "finance",
			errors.New("no such right"))
	})
	err := (&Client{clientset: clientset}).WaitDeploymentReady(t.Context(), "shop", "finance", 3)
	testkit.WantError(t, err, "deployment shop/finance", "no such right")
}
