package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	applyappsv1 "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/client-go/util/csaupgrade"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
)

// revisionAnnotation numbers the templates that a Deployment has had, as `kubectl rollout history` shows them.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// Revision is one of the templates that a Deployment has had.
type Revision struct {
	Number int
	// Image is that of the service's own container.
	Image   string
	Created time.Time
	// Present tells that it is the one the Deployment has now.
	Present bool

	template corev1.PodTemplateSpec
}

// Revisions lists the templates of a Deployment that are still known, the oldest first. One that does not exist has
// none.
func (c *Client) Revisions(ctx context.Context, namespace, name string) ([]Revision, error) {
	deployment, exists, err := c.Deployment(ctx, namespace, name)
	if err != nil || !exists {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	list, err := c.clientset.AppsV1().ReplicaSets(namespace).List(ctx,
		metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(deployment.Spec.Selector)})
	if err != nil {
		return nil, fmt.Errorf("list the revisions of deployment %s/%s: %w", namespace, name,
			errors.Join(err, lateCause(ctx)))
	}
	var revisions []Revision
	for i := range list.Items {
		set := &list.Items[i]
		number, err := strconv.Atoi(set.Annotations[revisionAnnotation])
		image := podstate.ImageOf(&set.Spec.Template.Spec, set.Spec.Template.Labels[byApp])
		if err != nil || !metav1.IsControlledBy(set, deployment) || image == "" {
			continue
		}
		revision := Revision{Number: number, Image: image, Created: set.CreationTimestamp.Time, template: set.Spec.Template}
		revision.Present = set.Annotations[revisionAnnotation] == deployment.Annotations[revisionAnnotation]
		revisions = append(revisions, revision)
	}
	slices.SortFunc(revisions, func(a, b Revision) int { return a.Number - b.Number })
	return revisions, nil
}

// undoManager owns what an undo brought into a Deployment.
const undoManager = fieldManager + "-undo"

// ForgetUndo takes what an undo brought into a Deployment, and nobody else asks for, out of it again: the provider
// that applies its own template afterwards leaves the fields of others alone, and a variable of the older revision
// would stay for ever.
func (c *Client) ForgetUndo(ctx context.Context, namespace, name string) error {
	deployment, exists, err := c.Deployment(ctx, namespace, name)
	if err != nil || !exists {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	client := c.clientset.AppsV1().Deployments(namespace)
	// The patched fields become the applied ones, so that nothing is applied in their place.
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(deployment, sets.New(undoManager), undoManager)
	if err == nil && patch != nil {
		_, err = client.Patch(ctx, name, types.JSONPatchType, patch, metav1.PatchOptions{})
	}
	if err == nil {
		_, err = client.Apply(ctx, applyappsv1.Deployment(name, namespace),
			metav1.ApplyOptions{FieldManager: undoManager, Force: true})
	}
	if err != nil {
		return fmt.Errorf("forget the undo of deployment %s/%s: %w", namespace, name, errors.Join(err, lateCause(ctx)))
	}
	return nil
}

// UndoTo gives a Deployment the template of a revision, and no pods: it changes both in one step, so that no pod of
// the older template gets requests before somebody lets it.
func (c *Client) UndoTo(ctx context.Context, namespace, name string, revision Revision) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	template := revision.template.DeepCopy()
	delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/spec/template", "value": template},
		{"op": "replace", "path": "/spec/replicas", "value": 0},
	})
	if err != nil {
		return fmt.Errorf("encode revision %d: %w", revision.Number, err)
	}
	_, err = c.clientset.AppsV1().Deployments(namespace).Patch(ctx, name, types.JSONPatchType, patch,
		metav1.PatchOptions{FieldManager: undoManager})
	if err != nil {
		return fmt.Errorf("undo deployment %s/%s to revision %d: %w", namespace, name, revision.Number,
			errors.Join(err, lateCause(ctx)))
	}
	return nil
}
