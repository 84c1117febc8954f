package cluster

import (
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var namespaces = corev1.SchemeGroupVersion.WithResource("namespaces")

// namespacedKinds are the kinds that go with their namespace, owners before what they own.
var namespacedKinds = []schema.GroupVersionKind{
	appsv1.SchemeGroupVersion.WithKind("Deployment"),
	appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
	corev1.SchemeGroupVersion.WithKind("Pod"),
	corev1.SchemeGroupVersion.WithKind("Service"),
	corev1.SchemeGroupVersion.WithKind("ConfigMap"),
	corev1.SchemeGroupVersion.WithKind("Secret"),
	corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
	coordinationv1.SchemeGroupVersion.WithKind("Lease"),
	networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
	policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
}

// empty deletes what is in a namespace.
func (v *versioned) empty(namespace string) error {
	for _, kind := range namespacedKinds {
		resource, _ := meta.UnsafeGuessKindToResource(kind)
		objects, err := v.typed.List(resource, kind, namespace)
		if err != nil {
			return err
		}
		items, err := meta.ExtractList(objects)
		if err != nil {
			return err
		}
		for _, item := range items {
			named, err := meta.Accessor(item)
			if err != nil {
				return err
			}
			if err := v.typed.Delete(resource, namespace, named.GetName()); err != nil {
				return err
			}
		}
	}
	return nil
}
