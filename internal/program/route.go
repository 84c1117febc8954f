package program

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// checkRoute is an error when the rollout cannot move the weights of a route that somebody else makes.
func checkRoute(ctx context.Context, s *settings.Settings, cluster Cluster) error {
	rules, exists, err := cluster.RouteBackends(ctx, s.Namespace, s.RouteName())
	if err != nil {
		return err
	}
	resource := strings.ToLower(s.RouteKind())
	if !exists {
		return fmt.Errorf("there is no %[1]s %[2]s in namespace %[3]s: look with `kubectl get %[1]ss -n %[3]s`, and name one "+
			"with `pulumi config set --path gateway.route NAME -s %[4]s`; without gateway.route the rollout makes its own",
			resource, s.Gateway.Route, s.Namespace, s.StackName())
	}
	if problem := unsplittable(rules, s.ServiceName, int(s.Service.Port)); problem != "" {
		return fmt.Errorf("%s %s/%s cannot be split between the tracks: %s; change it with `kubectl edit %s %s -n %s`",
			resource, s.Namespace, s.Gateway.Route, problem, resource, s.Gateway.Route, s.Namespace)
	}
	return nil
}

// unsplittable says why the rules of a route give the canary no share in percent; empty when they do. A rule splits
// when it leads to the Service, which the rollout replaces by the tracks', or to both of the tracks' Services. A rule
// that leads to one of them alone is left alone.
func unsplittable(rules [][]kube.Backend, service string, port int) string {
	stable, canary := names.TrackService(service, names.Stable), names.TrackService(service, names.Canary)
	splits := false
	for i, rule := range rules {
		var led []string
		for _, backend := range rule {
			if !slices.Contains([]string{service, stable, canary}, backend.Name) {
				continue
			}
			if backend.Port != 0 && backend.Port != port {
				return fmt.Sprintf("rule %d leads to port %d of service %s, and service.port is %d", i+1, backend.Port,
					backend.Name, port)
			}
			led = append(led, backend.Name)
		}
		slices.Sort(led)
		whole := slices.Equal(led, []string{service})
		both := slices.Equal(led, []string{canary, stable})
		switch {
		case len(rule) > len(led) && len(led) > 0:
			return fmt.Sprintf("rule %d leads to further Services beside %s, so that the weights are no percentages", i+1,
				strings.Join(led, " and "))
		case len(led) > 1 && !both:
			return fmt.Sprintf("rule %d leads to %s: either %s alone, or %s and %s", i+1, strings.Join(led, " and "), service,
				stable, canary)
		}
		splits = splits || whole || both
	}
	if !splits {
		return fmt.Sprintf("no rule leads to service %s, or to %s and %s", service, stable, canary)
	}
	return ""
}

// checkLeft is an error when a route of somebody else still leads to the tracks' Services on a stack that makes none.
func checkLeft(ctx context.Context, s *settings.Settings, cluster Cluster) error {
	rules, exists, err := cluster.RouteBackends(ctx, s.Namespace, s.RouteName())
	if err != nil || !exists {
		return err
	}
	resource := strings.ToLower(s.RouteKind())
	for _, rule := range rules {
		for _, backend := range rule {
			if backend.Name != names.TrackService(s.ServiceName, names.Stable) &&
				backend.Name != names.TrackService(s.ServiceName, names.Canary) {
				continue
			}
			return fmt.Errorf("%[1]s %[2]s/%[3]s still leads to service %[4]s, which traffic %[5]s does not have: first lead "+
				"it to "+
				"service %[6]s with `kubectl edit %[1]s %[3]s -n %[2]s`, at 0 %% for the canary; or go back by `pulumi config set "+
				"traffic %[7]s -s %[8]s`", resource, s.Namespace, s.Gateway.Route, backend.Name, settings.TrafficReplicas,
				s.ServiceName, settings.TrafficGateway, s.StackName())
		}
	}
	return nil
}
