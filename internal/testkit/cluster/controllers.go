package cluster

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

var (
	deployments    = appsv1.SchemeGroupVersion.WithResource("deployments")
	replicaSets    = appsv1.SchemeGroupVersion.WithResource("replicasets")
	pods           = corev1.SchemeGroupVersion.WithResource("pods")
	services       = corev1.SchemeGroupVersion.WithResource("services")
	endpointSlices = discoveryv1.SchemeGroupVersion.WithResource("endpointslices")
)

const revision = "deployment.kubernetes.io/revision"

// list gives all objects of a kind.
func list[T runtime.Object](v *versioned, resource schema.GroupVersionResource, kind string) ([]T, error) {
	objects, err := v.typed.List(resource, resource.GroupVersion().WithKind(kind), metav1.NamespaceAll)
	if err != nil {
		return nil, err
	}
	items, err := meta.ExtractList(objects)
	if err != nil {
		return nil, err
	}
	var all []T
	for _, item := range items {
		if object, ok := item.DeepCopyObject().(T); ok {
			all = append(all, object)
		}
	}
	return all, nil
}

// settle does what the controllers of a cluster do: a Deployment has a ReplicaSet of its template and as many pods of
// it as it shall have, which are ready at once unless the test keeps them from it; a Service with a selector has an
// EndpointSlice of the ready pods.
// Pods that exist are left as they are, but for those of an older template and those that are too many.
func (v *versioned) settle() error {
	all, err := list[*appsv1.Deployment](v, deployments, "Deployment")
	if err != nil {
		return err
	}
	for _, deployment := range all {
		if err := v.deploy(deployment); err != nil {
			return fmt.Errorf("deployment %s: %w", deployment.Name, err)
		}
	}
	routed, err := list[*corev1.Service](v, services, "Service")
	if err != nil {
		return err
	}
	for _, service := range routed {
		if err := v.endpoints(service); err != nil {
			return fmt.Errorf("service %s: %w", service.Name, err)
		}
	}
	return nil
}

// adopt makes a Deployment the owner of the ReplicaSets that it selects and that have none.
func (v *versioned) adopt(deployment *appsv1.Deployment) error {
	sets, err := list[*appsv1.ReplicaSet](v, replicaSets, "ReplicaSet")
	if err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if set.Namespace != deployment.Namespace || metav1.GetControllerOf(set) != nil ||
			!selector.Matches(labels.Set(set.Labels)) {
			continue
		}
		set.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(deployment,
			appsv1.SchemeGroupVersion.WithKind("Deployment"))}
		if err := v.typed.Update(replicaSets, set, set.Namespace); err != nil {
			return err
		}
	}
	return nil
}

// owned lists the ReplicaSets of a Deployment and their pods.
func (v *versioned) owned(deployment *appsv1.Deployment) ([]*appsv1.ReplicaSet, []*corev1.Pod, error) {
	sets, err := list[*appsv1.ReplicaSet](v, replicaSets, "ReplicaSet")
	if err != nil {
		return nil, nil, err
	}
	sets = slices.DeleteFunc(sets, func(set *appsv1.ReplicaSet) bool { return !metav1.IsControlledBy(set, deployment) })
	all, err := list[*corev1.Pod](v, pods, "Pod")
	return sets, slices.DeleteFunc(all, func(pod *corev1.Pod) bool {
		return !slices.ContainsFunc(sets, func(set *appsv1.ReplicaSet) bool { return metav1.IsControlledBy(pod, set) })
	}), err
}

// collect deletes what belongs to a Deployment that goes, or leaves it without an owner.
func (v *versioned) collect(namespace, name string, orphan bool) error {
	object, err := v.typed.Get(deployments, namespace, name)
	if err != nil {
		return err
	}
	sets, owned, err := v.owned(object.(*appsv1.Deployment))
	for _, set := range sets {
		if orphan {
			set.OwnerReferences = nil
			err = errors.Join(err, v.typed.Update(replicaSets, set, namespace))
			continue
		}
		err = errors.Join(err, v.typed.Delete(replicaSets, namespace, set.Name))
	}
	if orphan {
		return err
	}
	for _, pod := range owned {
		err = errors.Join(err, v.typed.Delete(pods, namespace, pod.Name))
	}
	return err
}

func (v *versioned) deploy(deployment *appsv1.Deployment) error {
	if deployment.Spec.Selector == nil {
		return nil
	}
	if err := v.adopt(deployment); err != nil {
		return err
	}
	sets, owned, err := v.owned(deployment)
	if err != nil {
		return err
	}
	before := deployment.DeepCopy()
	set, err := v.replicaSet(deployment, sets)
	if err != nil {
		return err
	}
	want := 1
	if deployment.Spec.Replicas != nil {
		want = int(*deployment.Spec.Replicas)
	}
	var kept []*corev1.Pod
	used := map[string]bool{}
	for _, pod := range owned {
		if !metav1.IsControlledBy(pod, set) || len(kept) == want {
			if err := v.typed.Delete(pods, pod.Namespace, pod.Name); err != nil {
				return err
			}
			continue
		}
		kept, used[pod.Name] = append(kept, pod), true
	}
	for i := 0; len(kept) < want; i++ {
		name := set.Name + "-" + strconv.Itoa(i)
		if used[name] {
			continue
		}
		pod := podOf(set, name, !v.unready[deployment.Namespace+"/"+deployment.Name])
		if err := v.stamp(pod); err != nil {
			return err
		}
		if err := v.typed.Create(pods, pod, pod.Namespace); err != nil {
			return err
		}
		kept = append(kept, pod)
	}
	count, readyCount := int32(len(kept)), int32(0) //nolint:gosec // a test has few pods
	for _, pod := range kept {
		if isReady(pod) {
			readyCount++
		}
	}
	status := &deployment.Status
	status.ObservedGeneration, status.Replicas, status.UpdatedReplicas = deployment.Generation, count, count
	status.ReadyReplicas, status.AvailableReplicas = readyCount, readyCount
	if equality.Semantic.DeepEqual(before, deployment) {
		return nil
	}
	if err := v.stamp(deployment); err != nil {
		return err
	}
	return v.typed.Update(deployments, deployment, deployment.Namespace)
}

// replicaSet gives the ReplicaSet of a Deployment's template, a new one when there is none.
func (v *versioned) replicaSet(deployment *appsv1.Deployment, sets []*appsv1.ReplicaSet) (*appsv1.ReplicaSet, error) {
	wanted := deployment.Spec.Template.DeepCopy()
	for _, set := range sets {
		template := set.Spec.Template.DeepCopy()
		delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
		if equality.Semantic.DeepEqual(template, wanted) {
			return set, nil
		}
	}
	hash := fnv.New32a()
	fmt.Fprint(hash, wanted)
	id := strconv.FormatUint(uint64(hash.Sum32()), 36)
	wanted.Labels = maps.Clone(wanted.Labels)
	if wanted.Labels == nil {
		wanted.Labels = map[string]string{}
	}
	wanted.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = id
	number := strconv.Itoa(len(sets) + 1)
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: deployment.Namespace, Name: deployment.Name + "-" + id, Labels: wanted.Labels,
			Annotations: map[string]string{revision: number},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(deployment,
				appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Selector: deployment.Spec.Selector, Template: *wanted},
	}
	deployment.Annotations = maps.Clone(deployment.Annotations)
	if deployment.Annotations == nil {
		deployment.Annotations = map[string]string{}
	}
	deployment.Annotations[revision] = number
	if err := v.stamp(set); err != nil {
		return nil, err
	}
	return set, v.typed.Create(replicaSets, set, set.Namespace)
}

// podOf makes a running pod of a ReplicaSet.
func podOf(set *appsv1.ReplicaSet, name string, ready bool) *corev1.Pod {
	template, condition := set.Spec.Template, corev1.ConditionFalse
	if ready {
		condition = corev1.ConditionTrue
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: set.Namespace, Name: name, Labels: maps.Clone(template.Labels), Annotations: template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set,
				appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
		},
		Spec: template.Spec,
		Status: corev1.PodStatus{Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: condition}}},
	}
	for _, container := range template.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: ready,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		})
	}
	return pod
}

func isReady(pod *corev1.Pod) bool { return pod.DeletionTimestamp == nil && podstate.IsReady(pod) }

// endpoints keeps the EndpointSlice of a Service.
func (v *versioned) endpoints(service *corev1.Service) error {
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	all, err := list[*corev1.Pod](v, pods, "Pod")
	if err != nil {
		return err
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name,
			Labels: map[string]string{discoveryv1.LabelServiceName: service.Name}},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	selector := labels.SelectorFromSet(service.Spec.Selector)
	for _, pod := range all {
		if pod.Namespace != service.Namespace || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		ready := isReady(pod)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Conditions: discoveryv1.EndpointConditions{Ready: &ready},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
		})
	}
	if err := v.stamp(slice); err != nil {
		return err
	}
	if _, err := v.typed.Get(endpointSlices, service.Namespace, service.Name); err != nil {
		return v.typed.Create(endpointSlices, slice, slice.Namespace)
	}
	return v.typed.Update(endpointSlices, slice, slice.Namespace)
}
