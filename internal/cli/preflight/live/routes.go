package live

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// httpRoute is what the checklist reads of an HTTPRoute.
type httpRoute struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Hostnames  []string `json:"hostnames"`
		ParentRefs []struct {
			Namespace   string `json:"namespace"`
			Name        string `json:"name"`
			SectionName string `json:"sectionName"`
		} `json:"parentRefs"`
		Rules []struct {
			Matches []struct {
				Path struct {
					Type  string `json:"type"`
					Value string `json:"value"`
				} `json:"path"`
				Headers     []any `json:"headers"`
				QueryParams []any `json:"queryParams"`
				// Method is a text, and an object in a GRPCRoute.
				Method any `json:"method"`
			} `json:"matches"`
		} `json:"rules"`
	} `json:"spec"`
}

// routes reads the routes of all namespaces: the one that keeps the requests may be anybody's.
func (r *reader) routes(ctx context.Context) {
	kind := kube.HTTPRoutes
	if r.Settings.RouteKind() == settings.RouteGRPC {
		kind = kube.GRPCRoutes
	}
	live, err := r.cluster.Objects(ctx, kind, "")
	r.facts.Routes.Err = err
	for i := range live {
		var read httpRoute
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live[i].Object, &read); err != nil {
			r.facts.Routes.Err = fmt.Errorf("read route %s/%s: %w", live[i].GetNamespace(), live[i].GetName(), err)
			return
		}
		r.facts.Routes.All = append(r.facts.Routes.All, routeOf(&read))
	}
}

func routeOf(read *httpRoute) preflight.Route {
	route := preflight.Route{Namespace: read.Metadata.Namespace, Name: read.Metadata.Name,
		Created: read.Metadata.CreationTimestamp.Time, Hostnames: read.Spec.Hostnames}
	for _, parent := range read.Spec.ParentRefs {
		if parent.Namespace == "" {
			parent.Namespace = read.Metadata.Namespace
		}
		route.Parents = append(route.Parents, preflight.RouteParent{Namespace: parent.Namespace, Name: parent.Name,
			Section: parent.SectionName})
	}
	for _, rule := range read.Spec.Rules {
		if len(rule.Matches) == 0 {
			route.Paths = append(route.Paths, preflight.AllPaths)
		}
		for _, match := range rule.Matches {
			if match.Method == nil && len(match.Headers)+len(match.QueryParams) == 0 {
				route.Paths = append(route.Paths, preflight.PathOf(match.Path.Type, match.Path.Value))
			}
		}
	}
	return route
}
