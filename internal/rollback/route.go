package rollback

import (
	"context"
	"fmt"
)

// Router changes the weights of a route of the Gateway API.
type Router interface {
	// SetRouteWeights sets the weights of the route's backends, by their names.
	SetRouteWeights(ctx context.Context, namespace, route string, weights map[string]int) error
	// WaitRoute waits until the Gateway has accepted the route with these weights.
	WaitRoute(ctx context.Context, namespace, route string, weights map[string]int) error
}

// ByWeights diverts the requests by the weights of a route. It is done once the Gateway has accepted them. The returned
// function is idempotent.
func ByWeights(cluster Router, namespace, route string, weights map[string]int) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if err := cluster.SetRouteWeights(ctx, namespace, route, weights); err != nil {
			return "", err
		}
		if err := cluster.WaitRoute(ctx, namespace, route, weights); err != nil {
			return "the route has its weights", err
		}
		return fmt.Sprintf("route %s, accepted by its Gateway", route), nil
	}
}
