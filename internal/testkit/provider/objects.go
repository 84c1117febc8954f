package provider

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// fieldManager is the name under which the objects are applied.
const fieldManager = "pulumi-kubernetes"

// objects are those of the cluster that a kubeconfig and a context name; empty for kubectl's rules.
type objects struct{ kubeconfig, context string }

// of is the client for the kind of an object. It connects when it is asked, as the real provider does: a plan needs no
// cluster.
func (o *objects) of(object map[string]any) (dynamic.ResourceInterface, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: o.context}).ClientConfig()
	if err != nil {
		return nil, "", fmt.Errorf("configured Kubernetes cluster is unreachable: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, "", err
	}
	version, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	resource, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(version, kind))
	namespace, name := keyOf(object)
	if name == "" {
		return nil, "", fmt.Errorf("the %s has no name: this provider gives none", kind)
	}
	if namespace == "" {
		return client.Resource(resource), name, nil
	}
	return client.Resource(resource).Namespace(namespace), name, nil
}

// apply applies an object by server-side apply, and takes fields of other managers over where it asks for that.
func (o *objects) apply(ctx context.Context, object map[string]any) (map[string]any, error) {
	client, name, err := o.of(object)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(stored(object))
	if err != nil {
		return nil, err
	}
	annotations, _, err := unstructured.NestedStringMap(object, "metadata", "annotations")
	if err != nil {
		return nil, err
	}
	force := annotations["pulumi.com/patchForce"] == "true"
	live, err := client.Patch(ctx, name, types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	if err != nil {
		return nil, fmt.Errorf("apply %v %s: %w", object["kind"], name, err)
	}
	return without(live.Object, "managedFields"), nil
}

// get gives the live object; nil when there is none.
func (o *objects) get(ctx context.Context, object map[string]any) (map[string]any, error) {
	client, name, err := o.of(object)
	if err != nil {
		return nil, err
	}
	live, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get %v %s: %w", object["kind"], name, err)
	}
	return without(live.Object, "managedFields"), nil
}

// delete deletes an object; one that is gone already is deleted.
func (o *objects) delete(ctx context.Context, object map[string]any) error {
	client, name, err := o.of(object)
	if err != nil {
		return err
	}
	if err := client.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %v %s: %w", object["kind"], name, err)
	}
	return nil
}
