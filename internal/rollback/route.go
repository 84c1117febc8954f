package rollback

import (
	"context"
	"fmt"
)

// Router changes the weights of a route of the Gateway API, which is named as kubectl does: NAME for an HTTPRoute, or
// KIND/NAME.
type Router interface {
	// RouteWeights gives the weights of the route's backends; nil when there is no such route.
	RouteWeights(ctx context.Context, namespace, route string) (map[string]int, error)
	// SetRouteWeights sets the weights of the route's backends, by their names.
	SetRouteWeights(ctx context.Context, namespace, route string, weights map[string]int) error
	// WaitRoute waits until the Gateway has accepted the route with these weights.
	WaitRoute(ctx context.Context, namespace, route string, weights map[string]int) error
}

// ByWeights diverts the requests by the weights of a route. It is done once the Gateway has accepted them. A route of
// somebody else that has not led to any of the backends yet stays as it is. The returned function is idempotent.
func ByWeights(cluster Router, namespace, route string, weights map[string]int) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		live, err := cluster.RouteWeights(ctx, namespace, route)
		if err == nil && live != nil && !leads(live, weights) {
			return fmt.Sprintf("route %s has not led to the tracks yet", route), nil
		}
		// An error says nothing about the weights: they are written all the same.
		if err := cluster.SetRouteWeights(ctx, namespace, route, weights); err != nil {
			return "", err
		}
		if err := cluster.WaitRoute(ctx, namespace, route, weights); err != nil {
			return "the route has its weights", err
		}
		return fmt.Sprintf("route %s, accepted by its Gateway", route), nil
	}
}

// leads reports whether a route has all of the backends.
func leads(live, weights map[string]int) bool {
	for service := range weights {
		if _, has := live[service]; !has {
			return false
		}
	}
	return true
}
