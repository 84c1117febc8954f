package preflight

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestOtherRoutesOfTheGateway(t *testing.T) {
	edge := []RouteParent{{Namespace: "edge", Name: "web"}}
	route := func(change func(*Route)) Route {
		older := Route{Namespace: "legacy", Name: "finance", Created: now.Add(-48 * time.Hour), Parents: edge,
			Hostnames: []string{"finance.example"}, Paths: []string{AllPaths}}
		change(&older)
		return older
	}
	ours := Route{Namespace: "vextrus-production", Name: "finance-service", Created: now, Parents: edge}
	for name, tt := range map[string]struct {
		rules string
		all   []Route
		err   error
		state State
		words string
	}{
		"none":          {state: OK, words: "no other route is for the same host"},
		"its own alone": {all: []Route{ours}, state: OK, words: "no other route"},
		"an older one": {all: []Route{ours, route(func(*Route) {})}, state: Failed,
			words: "older routes for the same host keep the requests: legacy/finance (PathPrefix /, since 2026-02-28)"},
		"any one before the first update": {all: []Route{route(func(r *Route) { r.Created = now.Add(time.Hour) })},
			state: Failed, words: "legacy/finance"},
		"a newer one": {all: []Route{ours, route(func(r *Route) { r.Created = now.Add(time.Hour) })}, state: OK,
			words: "further routes for the same host take other requests: legacy/finance"},
		"another host": {all: []Route{route(func(r *Route) { r.Hostnames = []string{"shop.example"} })},
			state: OK},
		"all hosts": {all: []Route{route(func(r *Route) { r.Hostnames = nil })}, state: Failed},
		"a wildcard": {all: []Route{route(func(r *Route) { r.Hostnames = []string{"*.example"} })},
			state: Failed},
		"a wildcard of other": {all: []Route{route(func(r *Route) { r.Hostnames = []string{"*.other"} })}, state: OK},
		"a longer path": {all: []Route{route(func(r *Route) { r.Paths = []string{"PathPrefix /old"} })},
			state: OK, words: "other requests"},
		"a path of a rule of its": {rules: `,"rules":[{"matches":[{"path":{"value":"/old"}}]}]`, all: []Route{route(func(r *Route) { r.Paths = []string{"PathPrefix /old"} })}, state: Failed, words: "PathPrefix /old"},
		"another Gateway": {all: []Route{route(func(r *Route) {
			r.Parents = []RouteParent{{Namespace: "edge",
				Name: "internal"}}
		})}, state: OK, words: "no other route"},
		"not seen": {err: errors.New("forbidden: you may not"), state: Unknown, words: "you may not"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack(t, map[string]string{"traffic": "gateway",
				"gateway": `{"name":"web","namespace":"edge","hostnames":["finance.example"]` + tt.rules + `}`})
			f := inOrder(t, s)
			f.Routes = Routes{All: tt.all, Err: tt.err}
			for _, row := range Check(s, f).Rows {
				if row.Name == "route" {
					if row.State != tt.state || !strings.Contains(row.Found, tt.words) {
						t.Errorf("%+v", row)
					}
					return
				}
			}
			t.Error("there is no row")
		})
	}
}

// Where the route is somebody else's, its hosts, paths and Gateways are those that it has.
func TestOtherRoutesBesideARouteThatExists(t *testing.T) {
	edge := []RouteParent{{Namespace: "edge", Name: "web"}}
	own := Route{Namespace: "vextrus-production", Name: "shop", Created: now, Parents: edge,
		Hostnames: []string{"shop.example"}, Paths: []string{"PathPrefix /api"}}
	other := func(host, path string) Route {
		return Route{Namespace: "legacy", Name: "shop", Created: now.Add(-time.Hour), Parents: edge,
			Hostnames: []string{host},
			Paths:     []string{path}}
	}
	for name, tt := range map[string]struct {
		all   []Route
		state State
		words string
	}{
		"alone":     {[]Route{own}, OK, "of gateway edge/web, no other route"},
		"an older":  {[]Route{own, other("shop.example", "PathPrefix /api")}, Failed, "legacy/shop (PathPrefix /api"},
		"elsewhere": {[]Route{own, other("finance.example", "PathPrefix /api")}, OK, "no other route"},
		"gone":      {nil, Failed, "there is no httproute vextrus-production/shop, which gateway.route names"},
	} {
		t.Run(name, func(t *testing.T) {
			s := stack(t, map[string]string{"traffic": "gateway", "gateway": `{"route":"shop"}`})
			f := inOrder(t, s)
			f.Routes = Routes{All: tt.all}
			for _, row := range Check(s, f).Rows {
				if row.Name == "route" && (row.State != tt.state || !strings.Contains(row.Found, tt.words)) {
					t.Errorf("%+v", row)
				}
			}
		})
	}
}
