package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Objects are the pods, ReplicaSets and Deployments of a namespace and its ConfigMaps with a label, kept at hand by
// watching. Fields that nobody asks for are not kept. It is safe for concurrent use; its results must not be changed.
type Objects struct {
	pods, replicaSets, deployments, configMaps cache.SharedIndexInformer
}

// byApp is the index of the pods by their app label.
const byApp = "app"

// Watch begins to watch the namespace until the context ends. ConfigMaps are those whose label has one of the values.
// Changed is called after every change; it must not block.
func (c *Client) Watch(ctx context.Context, namespace, label string, values []string, changed func()) (*Objects,
	error) {
	selector := label + " in (" + strings.Join(values, ",") + ")"
	if _, err := labels.Parse(selector); err != nil {
		return nil, fmt.Errorf("watch the configmaps of %s: %w", namespace, err)
	}
	core, apps := c.clientset.CoreV1().RESTClient(), c.clientset.AppsV1().RESTClient()
	indexers := cache.Indexers{byApp: func(object any) ([]string, error) {
		pod, ok := object.(*corev1.Pod)
		if !ok {
			return nil, nil
		}
		return []string{pod.Labels[byApp]}, nil
	}}
	o := &Objects{
		pods:        informer(core, "pods", namespace, "", &corev1.Pod{}, indexers),
		replicaSets: informer(apps, "replicasets", namespace, "", &appsv1.ReplicaSet{}, nil),
		deployments: informer(apps, "deployments", namespace, "", &appsv1.Deployment{}, nil),
		configMaps:  informer(core, "configmaps", namespace, selector, &corev1.ConfigMap{}, nil),
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(_, _ any) { changed() }, DeleteFunc: func(any) { changed() },
	}
	for _, informer := range o.all() {
		if err := informer.SetTransform(stripped); err != nil {
			return nil, fmt.Errorf("watch %s: %w", namespace, err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, fmt.Errorf("watch %s: %w", namespace, err)
		}
		go informer.RunWithContext(ctx)
	}
	return o, nil
}

func (o *Objects) all() []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{o.pods, o.replicaSets, o.deployments, o.configMaps}
}

func informer(client rest.Interface, resource, namespace, selector string, example runtime.Object,
	indexers cache.Indexers) cache.SharedIndexInformer {
	source := cache.NewFilteredListWatchFromClient(client, resource, namespace, func(options *metav1.ListOptions) {
		options.LabelSelector, options.FieldSelector = selector, fields.Everything().String()
	})
	return cache.NewSharedIndexInformer(source, example, 0, indexers)
}

// ofRollout begins the annotations that a rollout puts on its pods: they say what a pod is made of.
const ofRollout = "finance-rollout/"

// stripped drops what the guard never looks at: most of a pod is its specification.
func stripped(object any) (any, error) {
	switch typed := object.(type) {
	case *corev1.Pod:
		typed.ManagedFields = nil
		maps.DeleteFunc(typed.Annotations, func(key, _ string) bool { return !strings.HasPrefix(key, ofRollout) })
		for i := range typed.Spec.Containers {
			typed.Spec.Containers[i] = corev1.Container{Name: typed.Spec.Containers[i].Name,
				Image: typed.Spec.Containers[i].Image}
		}
		typed.Spec = corev1.PodSpec{NodeName: typed.Spec.NodeName, Containers: typed.Spec.Containers}
	case *appsv1.ReplicaSet:
		typed.ManagedFields, typed.Annotations, typed.Spec, typed.Status = nil, nil, appsv1.ReplicaSetSpec{},
			appsv1.ReplicaSetStatus{}
	case *appsv1.Deployment:
		typed.ManagedFields = nil
		for i := range typed.Spec.Template.Spec.Containers {
			container := &typed.Spec.Template.Spec.Containers[i]
			*container = corev1.Container{Name: container.Name, Image: container.Image,
				ReadinessProbe: container.ReadinessProbe, StartupProbe: container.StartupProbe}
		}
	case *corev1.ConfigMap:
		typed.ManagedFields, typed.BinaryData = nil, nil
		// A ledger is read when it is needed; that it changed is all that must be known.
		if typed.Labels[labelPurpose] == purposeLedger {
			typed.Data = nil
		}
	}
	return object, nil
}

// Synced reports whether everything has been listed once.
func (o *Objects) Synced() bool {
	return !slices.ContainsFunc(o.all(), func(i cache.SharedIndexInformer) bool { return !i.HasSynced() })
}

// Pods gives the pods that carry all the labels, by name. The app label must be among them.
func (o *Objects) Pods(set map[string]string) []*corev1.Pod {
	matches, err := o.pods.GetIndexer().ByIndex(byApp, set[byApp])
	if err != nil {
		return nil
	}
	var pods []*corev1.Pod
	selector := labels.SelectorFromSet(set)
	for _, object := range matches {
		if pod, ok := object.(*corev1.Pod); ok && selector.Matches(labels.Set(pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// Deployment gives a Deployment by its name.
func (o *Objects) Deployment(namespace, name string) (*appsv1.Deployment, bool) {
	object, exists, err := o.deployments.GetIndexer().GetByKey(namespace + "/" + name)
	deployment, ok := object.(*appsv1.Deployment)
	return deployment, err == nil && exists && ok
}

// OwnedBy reports whether a pod belongs to a ReplicaSet of the Deployment of that name, and not merely carries its
// labels.
func (o *Objects) OwnedBy(pod *corev1.Pod, deployment string) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "ReplicaSet" {
		return false
	}
	object, exists, err := o.replicaSets.GetIndexer().GetByKey(pod.Namespace + "/" + owner.Name)
	set, ok := object.(*appsv1.ReplicaSet)
	if err != nil || !exists || !ok || set.UID != owner.UID {
		return false
	}
	above := metav1.GetControllerOf(set)
	return above != nil && above.Kind == "Deployment" && above.Name == deployment
}

// ConfigMaps gives the ConfigMaps whose label has the value, by name.
func (o *Objects) ConfigMaps(label, value string) []*corev1.ConfigMap {
	var matches []*corev1.ConfigMap
	for _, object := range o.configMaps.GetIndexer().List() {
		if config, ok := object.(*corev1.ConfigMap); ok && config.Labels[label] == value {
			matches = append(matches, config)
		}
	}
	slices.SortFunc(matches, func(a, b *corev1.ConfigMap) int { return strings.Compare(a.Name, b.Name) })
	return matches
}

// ConfigMapVersion is the resource version of a watched ConfigMap; empty when it is not there.
func (o *Objects) ConfigMapVersion(namespace, name string) string {
	object, exists, err := o.configMaps.GetIndexer().GetByKey(namespace + "/" + name)
	if config, ok := object.(*corev1.ConfigMap); err == nil && exists && ok {
		return config.ResourceVersion
	}
	return ""
}
