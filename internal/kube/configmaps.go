package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
)

// ErrConflict says that an object was written by somebody else since it was read.
var ErrConflict = errors.New("written by somebody else meanwhile")

// ConfigMap gives the data of a ConfigMap and its resource version; both are empty when it does not exist.
func (c *Client) ConfigMap(ctx context.Context, namespace, name string) (data map[string]string, version string,
	err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	config, err := c.clientset.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("get configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return config.Data, config.ResourceVersion, nil
}

// ConfigMapAnnotation gives an annotation of a ConfigMap; empty when it or the ConfigMap does not exist.
func (c *Client) ConfigMapAnnotation(ctx context.Context, namespace, name, key string) (string, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	config, err := c.clientset.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("get configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return config.Annotations[key], nil
}

// AnnotateConfigMap sets an annotation of a ConfigMap that exists; without one it does nothing.
func (c *Client) AnnotateConfigMap(ctx context.Context, namespace, name, key, value string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{key: value}}})
	if err != nil {
		return fmt.Errorf("encode annotation %s: %w", key, err)
	}
	_, err = c.clientset.CoreV1().ConfigMaps(namespace).Patch(ctx, name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("annotate configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// DeleteConfigMap deletes a ConfigMap; what does not exist is deleted.
func (c *Client) DeleteConfigMap(ctx context.Context, namespace, name string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	err := c.clientset.CoreV1().ConfigMaps(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// SwapConfigMap writes the data of a ledger's ConfigMap if its resource version is still the given one; with an empty
// version the ConfigMap must not exist yet. Otherwise the error is ErrConflict.
func (c *Client) SwapConfigMap(ctx context.Context, namespace, name string, data map[string]string,
	version string) error {
	// By its purpose the guard finds it.
	return c.swap(ctx, purposeLedger, namespace, name, data, version)
}

// SwapCursors is [Client.SwapConfigMap] for the ConfigMap that holds how far each webhook was told of a ledger.
func (c *Client) SwapCursors(ctx context.Context, namespace, name string, data map[string]string,
	version string) error {
	return c.swap(ctx, purposeCursors, namespace, name, data, version)
}

func (c *Client) swap(ctx context.Context, purpose, namespace, name string, data map[string]string,
	version string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	config := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace, ResourceVersion: version,
			Labels: map[string]string{"app.kubernetes.io/managed-by": fieldManager, labelPurpose: purpose},
		},
		Data: maps.Clone(data),
	}
	client := c.clientset.CoreV1().ConfigMaps(namespace)
	var err error
	if version == "" {
		_, err = client.Create(ctx, config, metav1.CreateOptions{FieldManager: fieldManager})
	} else {
		_, err = client.Update(ctx, config, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	switch {
	case err == nil:
		return nil
	// A ConfigMap deleted in the meantime is a conflict as well: the data may rest on what is gone.
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), version != "" && apierrors.IsNotFound(err):
		return fmt.Errorf("configmap %s/%s: %w", namespace, name, ErrConflict)
	default:
		return fmt.Errorf("write configmap %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
}

const (
	labelPurpose    = "finance-rollout/purpose"
	purposeEvidence = "evidence"
	purposeLedger   = "ledger"
	purposeCursors  = "notified"
	evidenceKey     = "evidence.json.gz"
)

// ConfigMapKeys gives the names of the keys of a ConfigMap, sorted; the second result is false when it does not exist.
func (c *Client) ConfigMapKeys(ctx context.Context, namespace, name string) ([]string, bool, error) {
	data, version, err := c.ConfigMap(ctx, namespace, name)
	return slices.Sorted(maps.Keys(data)), version != "", err
}

// Record writes a ConfigMap of that content, replacing what this program wrote to it before.
func (c *Client) Record(ctx context.Context, namespace, name string, data map[string]string) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	config := applycorev1.ConfigMap(name, namespace).
		WithLabels(map[string]string{"app.kubernetes.io/managed-by": fieldManager}).
		WithData(maps.Clone(data))
	_, err := c.clientset.CoreV1().ConfigMaps(namespace).Apply(ctx, config,
		metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("write configmap %s/%s: %w", namespace, name, err)
	}
	return nil
}

// SaveEvidence keeps an archive in a ConfigMap and removes the oldest ones of the app beyond keep. Saving under a
// name that exists is done: a rollback that is repeated collects no second time.
func (c *Client) SaveEvidence(ctx context.Context, namespace, name, app string, archive []byte, keep int) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	set := map[string]string{"app": app, labelPurpose: purposeEvidence, "app.kubernetes.io/managed-by": fieldManager}
	client := c.clientset.CoreV1().ConfigMaps(namespace)
	_, err := client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: set},
		BinaryData: map[string][]byte{evidenceKey: archive},
	}, metav1.CreateOptions{FieldManager: fieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("keep evidence %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	list, err := client.List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(set).String()})
	if err != nil {
		return fmt.Errorf("list the evidence in %s: %w", namespace, errors.Join(err, lateCause(ctx)))
	}
	// The names end in their time.
	slices.SortFunc(list.Items, func(a, b corev1.ConfigMap) int { return strings.Compare(b.Name, a.Name) })
	for i := keep; i < len(list.Items); i++ {
		if err := client.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove old evidence %s/%s: %w", namespace, list.Items[i].Name, errors.Join(err, lateCause(ctx)))
		}
	}
	return nil
}

// Archive is a piece of evidence as it is kept.
type Archive struct {
	Name    string
	Archive []byte
}

// Evidence lists what is kept of an app, the newest first.
func (c *Client) Evidence(ctx context.Context, namespace, app string) ([]Archive, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	set := labels.Set{"app": app, labelPurpose: purposeEvidence}
	list, err := c.clientset.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: set.String()})
	if err != nil {
		return nil, fmt.Errorf("list the evidence in %s: %w", namespace, errors.Join(err, lateCause(ctx)))
	}
	var archives []Archive
	for i := range list.Items {
		archives = append(archives, Archive{Name: list.Items[i].Name, Archive: list.Items[i].BinaryData[evidenceKey]})
	}
	// The names end in their time.
	slices.SortFunc(archives, func(a, b Archive) int { return strings.Compare(b.Name, a.Name) })
	return archives, nil
}
