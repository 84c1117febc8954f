package kube

import (
	"maps"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// stored is an informer that holds objects and watches nothing.
func stored(t *testing.T, objects ...any) cache.SharedIndexInformer {
	t.Helper()
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{}, nil, 0,
		cache.Indexers{byApp: func(object any) ([]string, error) {
			if pod, ok := object.(*corev1.Pod); ok {
				return []string{pod.Labels[byApp]}, nil
			}
			return nil, nil
		}})
	for _, object := range objects {
		kept, err := stripped(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := informer.GetIndexer().Add(kept); err != nil {
			t.Fatal(err)
		}
	}
	return informer
}

func owner(kind, name string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{Kind: kind, Name: name, Controller: &yes}}
}

func TestOwnedBy(t *testing.T) {
	set := func(name, deployment string) *appsv1.ReplicaSet {
		s := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}}
		if deployment != "" {
			s.OwnerReferences = owner("Deployment", deployment)
		}
		return s
	}
	o := &Objects{replicaSets: stored(t, set("finance-v2-abc", "finance-v2"), set("other-abc", "other"), set("bare", ""))}
	tests := []struct {
		name   string
		owners []metav1.OwnerReference
		want   bool
	}{
		{"of the Deployment", owner("ReplicaSet", "finance-v2-abc"), true},
		{"of another Deployment", owner("ReplicaSet", "other-abc"), false},
		{"of a ReplicaSet of nobody", owner("ReplicaSet", "bare"), false},
		{"of a ReplicaSet that is gone", owner("ReplicaSet", "gone"), false},
		{"of a Job", owner("Job", "finance-v2-abc"), false},
		{"of nobody", nil, false},
	}
	for _, tt := range tests {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "shop", OwnerReferences: tt.owners}}
		if got := o.OwnedBy(pod, "finance-v2"); got != tt.want {
			t.Errorf("a pod %s: %v", tt.name, got)
		}
	}
}

func TestObjectsKeepWhatIsAskedFor(t *testing.T) {
	pod := newPod("a", true, map[string]string{"app": "finance", "track": "canary"})
	pod.Annotations = map[string]string{"finance-rollout/identity": "4be01c77d2", "long": "text"}
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "finance@sha256:11",
		Env: []corev1.EnvVar{{Name: "PASSWORD", Value: "s3cr3t"}}}}
	ledger := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "l", Namespace: "shop", ResourceVersion: "7",
		Labels: map[string]string{labelPurpose: purposeLedger}}, Data: map[string]string{"history": "x"}}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "g", Namespace: "shop",
		Labels: map[string]string{labelPurpose: "guard"}}, Data: map[string]string{"rollout.json": "{}"}}
	o := &Objects{
		pods: stored(t, pod, newPod("b", true, map[string]string{"app": "finance", "track": "stable"}),
			newPod("c", true, map[string]string{"app": "other", "track": "canary"})),
		configMaps: stored(t, ledger, config), deployments: stored(t,
			&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: "shop"}}),
	}
	matches := o.Pods(map[string]string{"app": "finance", "track": "canary"})
	if len(matches) != 1 || matches[0].Name != "a" || matches[0].Spec.Containers[0].Image != "finance@sha256:11" ||
		len(matches[0].Spec.Containers[0].Env) != 0 ||
		!maps.Equal(matches[0].Annotations, map[string]string{"finance-rollout/identity": "4be01c77d2"}) {
		t.Errorf("%+v", matches)
	}
	if configs := o.ConfigMaps(labelPurpose, "guard"); len(configs) != 1 || configs[0].Data["rollout.json"] != "{}" {
		t.Errorf("%+v", configs)
	}
	if o.ConfigMapVersion("shop", "l") != "7" || o.ConfigMapVersion("shop", "none") != "" || len(ledger.Data) != 0 {
		t.Error("the ledger's version or content is wrong")
	}
	if _, exists := o.Deployment("shop", "d"); !exists {
		t.Error("the Deployment is not found")
	}
	if _, exists := o.Deployment("shop", "none"); exists {
		t.Error("a Deployment is found that is none")
	}
}
