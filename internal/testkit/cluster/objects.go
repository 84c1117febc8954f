package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// versioned is a tracker that counts resource versions and refuses an update of an older one, as etcd does. After
// every change it lets the controllers work.
type versioned struct {
	mu sync.Mutex
	// typed holds the kinds of client-go's scheme, untyped those of extensions, such as HTTPRoutes.
	typed, untyped clienttesting.ObjectTracker
	// lists holds the lists of untyped, each known from its first use on.
	lists   *runtime.Scheme
	version int
	// unready holds the Deployments, by "namespace/name", whose new pods are not ready.
	unready map[string]bool
}

func newVersioned() *versioned {
	lists := runtime.NewScheme()
	return &versioned{
		lists: lists,
		typed: clienttesting.NewFieldManagedObjectTracker(scheme.Scheme, scheme.Codecs.UniversalDecoder(),
			applyconfigurations.NewTypeConverter(scheme.Scheme)),
		untyped: clienttesting.NewObjectTracker(lists, unstructured.UnstructuredJSONScheme),
		unready: map[string]bool{},
	}
}

func (v *versioned) of(resource schema.GroupVersionResource) clienttesting.ObjectTracker {
	if scheme.Scheme.IsGroupRegistered(resource.Group) {
		return v.typed
	}
	return v.untyped
}

// stamp gives an object its next version and, when it has none, a name and a UID.
func (v *versioned) stamp(object runtime.Object) error {
	named, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	v.version++
	named.SetResourceVersion(strconv.Itoa(v.version))
	if named.GetName() == "" {
		named.SetName(named.GetGenerateName() + strconv.Itoa(v.version))
	}
	if named.GetUID() == "" {
		named.SetUID(types.UID("uid-" + strconv.Itoa(v.version)))
	}
	return nil
}

// Add puts an object in, of a kind that is guessed from it.
func (v *versioned) Add(object runtime.Object) error {
	kinds := []schema.GroupVersionKind{object.GetObjectKind().GroupVersionKind()}
	if kinds[0].Empty() {
		var err error
		if kinds, _, err = scheme.Scheme.ObjectKinds(object); err != nil {
			return err
		}
	}
	named, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	resource, _ := meta.UnsafeGuessKindToResource(kinds[0])
	return v.Create(resource, object.DeepCopyObject(), named.GetNamespace())
}

// Create implements ObjectTracker.
func (v *versioned) Create(resource schema.GroupVersionResource, object runtime.Object, namespace string,
	options ...metav1.CreateOptions) error {
	return v.change(func() error {
		if err := v.stamp(object); err != nil {
			return err
		}
		return v.of(resource).Create(resource, object, namespace, options...)
	})
}

// Update implements ObjectTracker. An object without a version overwrites any.
func (v *versioned) Update(resource schema.GroupVersionResource, object runtime.Object, namespace string,
	options ...metav1.UpdateOptions) error {
	return v.change(func() error {
		if err := v.succeed(resource, object, namespace); err != nil {
			return err
		}
		return v.of(resource).Update(resource, object, namespace, options...)
	})
}

// Patch implements ObjectTracker.
func (v *versioned) Patch(resource schema.GroupVersionResource, object runtime.Object, namespace string,
	options ...metav1.PatchOptions) error {
	return v.change(func() error {
		if err := v.succeed(resource, object, namespace); err != nil {
			return err
		}
		return v.of(resource).Patch(resource, object, namespace, options...)
	})
}

// succeed makes an object the next version of the one that is stored.
func (v *versioned) succeed(resource schema.GroupVersionResource, object runtime.Object, namespace string) error {
	next, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	stored, err := v.of(resource).Get(resource, namespace, next.GetName())
	if err != nil {
		return err
	}
	current, err := meta.Accessor(stored)
	if err != nil {
		return err
	}
	if given := next.GetResourceVersion(); given != "" && given != current.GetResourceVersion() {
		return apierrors.NewConflict(resource.GroupResource(), next.GetName(),
			fmt.Errorf("version %s is not %s", given, current.GetResourceVersion()))
	}
	next.SetUID(current.GetUID())
	return v.stamp(object)
}

// Apply implements ObjectTracker.
func (v *versioned) Apply(resource schema.GroupVersionResource, object runtime.Object, namespace string,
	options ...metav1.PatchOptions) error {
	return v.change(func() error {
		if err := v.of(resource).Apply(resource, object, namespace, options...); err != nil {
			return err
		}
		named, err := meta.Accessor(object)
		if err != nil {
			return err
		}
		applied, err := v.of(resource).Get(resource, namespace, named.GetName())
		if err != nil {
			return err
		}
		if err := v.stamp(applied); err != nil {
			return err
		}
		return v.of(resource).Patch(resource, applied, namespace, options...)
	})
}

// Delete implements ObjectTracker.
func (v *versioned) Delete(resource schema.GroupVersionResource, namespace, name string,
	options ...metav1.DeleteOptions) error {
	return v.change(func() error {
		if resource == namespaces {
			if err := v.empty(name); err != nil {
				return err
			}
		}
		if resource == deployments {
			orphan := slices.ContainsFunc(options, func(o metav1.DeleteOptions) bool {
				return o.PropagationPolicy != nil && *o.PropagationPolicy == metav1.DeletePropagationOrphan
			})
			if err := v.collect(namespace, name, orphan); err != nil {
				return err
			}
		}
		return v.of(resource).Delete(resource, namespace, name, options...)
	})
}

// Get implements ObjectTracker.
func (v *versioned) Get(resource schema.GroupVersionResource, namespace, name string,
	options ...metav1.GetOptions) (runtime.Object, error) {
	return v.of(resource).Get(resource, namespace, name, options...)
}

// List implements ObjectTracker.
func (v *versioned) List(resource schema.GroupVersionResource, kind schema.GroupVersionKind, namespace string,
	options ...metav1.ListOptions) (runtime.Object, error) {
	if !scheme.Scheme.IsGroupRegistered(resource.Group) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if list := kind.GroupVersion().WithKind(kind.Kind + "List"); !v.lists.Recognizes(list) {
			v.lists.AddKnownTypeWithName(list, &unstructured.UnstructuredList{})
		}
	}
	return v.of(resource).List(resource, kind, namespace, options...)
}

// Watch implements ObjectTracker.
func (v *versioned) Watch(resource schema.GroupVersionResource, namespace string,
	options ...metav1.ListOptions) (watch.Interface, error) {
	return v.of(resource).Watch(resource, namespace, options...)
}

// change makes one change, alone, and lets the controllers work after it.
func (v *versioned) change(do func() error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	return v.settle()
}
