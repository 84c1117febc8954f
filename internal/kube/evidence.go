package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	labelPurpose    = "finance-rollout/purpose"
	purposeEvidence = "evidence"
	purposeLedger   = "ledger"
	evidenceKey     = "evidence.json.gz"
)

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
