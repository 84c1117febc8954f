package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
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

// accountTimeout bounds the question for the account: a write that would carry it does not wait longer.
const accountTimeout = 3 * time.Second

// account is the client's name at the API server, once it is known.
type account struct {
	mutex sync.Mutex
	name  string
}

// Account is the name under which the API server knows the client, such as
// "system:serviceaccount:ci:deployer". It is empty when the server does not tell within three seconds.
func (c *Client) Account(ctx context.Context) string {
	c.account.mutex.Lock()
	defer c.account.mutex.Unlock()
	if c.account.name != "" {
		return c.account.name
	}
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	review, err := c.urgent().AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{},
		metav1.CreateOptions{})
	if err != nil {
		return ""
	}
	c.account.name = review.Status.UserInfo.Username
	return c.account.name
}
