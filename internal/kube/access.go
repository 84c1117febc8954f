package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Allowed reports whether the client may do something. The resource may have a subresource, as in pods/log.
func (c *Client) Allowed(ctx context.Context, verb, group, resource, namespace, name string) (bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	resource, subresource, _ := strings.Cut(resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: name,
		},
	}}
	answer, err := c.clientset.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask whether %s %s is allowed: %w", verb, resource, errors.Join(err, lateCause(ctx)))
	}
	return answer.Status.Allowed, nil
}
