package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// Routes are the HTTPRoutes of the cluster, as far as the operator may see them.
type Routes struct {
	All []Route
	Err error
}

// Route is an HTTPRoute, as far as it may take requests from the rollout's.
type Route struct {
	Namespace, Name string
	Created         time.Time
	Hostnames       []string
	// Parents are the Gateways that it is attached to.
	Parents []RouteParent
	// Paths are those that it takes, such as "PathPrefix /". A rule with further conditions is left out: it takes only the
	// requests that it names.
	Paths []string
}

// RouteParent is a Gateway, or one listener of it.
type RouteParent struct{ Namespace, Name, Section string }

// AllPaths is the path of a rule without a match.
const AllPaths = "PathPrefix /"

// route checks whether another route of the same Gateway keeps requests that the rollout's should get. Of two routes
// for the same host and path the older one gets them, and both report that they are accepted.
func (c checker) route() Row {
	r, answers := c.within(row("route", "%s", "take the host or the path out of that route, or delete it: kubectl get "+
		strings.ToLower(c.s.RouteKind())+"s -A"))
	if !answers {
		return r
	}
	if c.f.Routes.Err != nil {
		return r.unseen(c.f.Routes.Err)
	}
	ours, exists := c.ownRoute()
	if !exists {
		return r.is(Failed, "there is no %s %s/%s, which gateway.route names", strings.ToLower(c.s.RouteKind()),
			ours.Namespace,
			ours.Name)
	}
	var taking, beside []string
	for _, further := range c.f.Routes.All {
		if further.Namespace == ours.Namespace && further.Name == ours.Name || !sharesListener(ours, further) ||
			!sharesHost(ours.Hostnames, further.Hostnames) {
			continue
		}
		name := further.Namespace + "/" + further.Name
		if path := sharedPath(ours, further); path != "" && (ours.Created.IsZero() || !further.Created.After(ours.Created)) {
			taking = append(taking, fmt.Sprintf("%s (%s, since %s)", name, path, further.Created.UTC().Format(time.DateOnly)))
			continue
		}
		beside = append(beside, name)
	}
	gateway := gatewaysOf(ours)
	switch {
	case len(taking) > 0:
		return r.is(Failed, "of gateway %s, older routes for the same host keep the requests: %s", gateway, some(taking))
	case len(beside) > 0:
		return r.is(OK, "of gateway %s, further routes for the same host take other requests: %s", gateway, some(beside))
	default:
		return r.is(OK, "of gateway %s, no other route is for the same host", gateway)
	}
}

// ownRoute is the stack's route: as the settings have it, or as it is where somebody else makes it. The second result
// is false when that one does not exist.
func (c checker) ownRoute() (Route, bool) {
	g := c.s.Gateway
	ours := Route{Namespace: c.s.Namespace, Name: cmp.Or(g.Route, c.s.ServiceName), Hostnames: g.Hostnames,
		Paths: ownPaths(c.s), Parents: []RouteParent{{g.Namespace, g.Name, g.SectionName}}}
	for _, further := range c.f.Routes.All {
		if further.Namespace != ours.Namespace || further.Name != ours.Name {
			continue
		}
		if g.Route != "" {
			return further, true
		}
		ours.Created = further.Created
	}
	return ours, g.Route == ""
}

// gatewaysOf names the Gateways of a route.
func gatewaysOf(route Route) string {
	var named []string
	for _, parent := range route.Parents {
		if name := parent.Namespace + "/" + parent.Name; !slices.Contains(named, name) {
			named = append(named, name)
		}
	}
	return strings.Join(named, " and ")
}

// ownPaths are the paths of the stack's route.
func ownPaths(s *settings.Settings) []string {
	var paths []string
	for _, rule := range s.Gateway.Rules {
		if len(rule.Matches) == 0 {
			paths = append(paths, AllPaths)
		}
		for _, match := range rule.Matches {
			if match.Method != "" || len(match.Headers) > 0 || len(match.QueryParams) > 0 {
				continue
			}
			kind, value := "", ""
			if match.Path != nil {
				kind, value = match.Path.Type, match.Path.Value
			}
			paths = append(paths, PathOf(kind, value))
		}
	}
	if len(s.Gateway.Rules) == 0 {
		paths = []string{AllPaths}
	}
	return paths
}

// PathOf puts the path of a match as it is compared. What is empty has the Gateway API's default.
func PathOf(kind, value string) string {
	if kind == "" {
		kind = "PathPrefix"
	}
	if value == "" {
		value = "/"
	}
	return kind + " " + value
}

func sharesListener(a, b Route) bool {
	for _, one := range a.Parents {
		for _, further := range b.Parents {
			if one.Namespace == further.Namespace && one.Name == further.Name &&
				(one.Section == further.Section || one.Section == "" || further.Section == "") {
				return true
			}
		}
	}
	return false
}

// sharesHost reports whether a request can be for a host of both. No hosts are all of the listener's.
func sharesHost(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	for _, one := range a {
		for _, further := range b {
			if covers(one, further) || covers(further, one) {
				return true
			}
		}
	}
	return false
}

// covers reports whether a host, which may begin with "*.", stands for another one.
func covers(host, further string) bool {
	suffix, wild := strings.CutPrefix(host, "*")
	return host == further || wild && strings.HasSuffix(strings.TrimPrefix(further, "*"), suffix)
}

func sharedPath(a, b Route) string {
	for _, path := range a.Paths {
		if slices.Contains(b.Paths, path) {
			return path
		}
	}
	return ""
}
