package settings

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Kinds of routes whose rules have backends with weights.
const (
	RouteHTTP = "HTTPRoute"
	RouteGRPC = "GRPCRoute"
)

// Testers are requests that reach the canary at any weight above 0, by a header or by a cookie.
type Testers struct {
	// Header and Cookie mark the requests; one of them is enough.
	Header Mark `json:"header,omitzero"`
	Cookie Mark `json:"cookie,omitzero"`
}

// Mark is a header or a cookie with its value.
type Mark struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// RouteKind is the kind of the route that splits the requests.
func (s *Settings) RouteKind() string {
	if s.Gateway.Kind == "" {
		return RouteHTTP
	}
	return s.Gateway.Kind
}

// RouteName names the route that splits the requests as kubectl does: NAME for an HTTPRoute, or KIND/NAME.
func (s *Settings) RouteName() string {
	name := s.Gateway.Route
	if name == "" {
		name = s.ServiceName
	}
	if s.RouteKind() == RouteHTTP {
		return name
	}
	return strings.ToLower(s.RouteKind()) + "/" + name
}

// Matches are the headers of which a tester's request has one. A cookie is a part of its header.
func (t *Testers) Matches() []ValueMatch {
	if t == nil {
		return nil
	}
	var matches []ValueMatch
	if t.Header.Name != "" {
		matches = append(matches, ValueMatch{Type: "Exact", Name: t.Header.Name, Value: t.Header.Value})
	}
	if t.Cookie.Name != "" {
		matches = append(matches, ValueMatch{Type: "RegularExpression", Name: "cookie",
			Value: "^(.*; *)?" + regexp.QuoteMeta(t.Cookie.Name+"="+t.Cookie.Value) + "(;.*)?$"})
	}
	return matches
}

// Rule is the rule that leads the testers among the requests of another one: each of its conditions, and each mark.
func (t *Testers) Rule(of RouteRule) RouteRule {
	conditions := of.Matches
	if len(conditions) == 0 {
		conditions = []RouteMatch{{}}
	}
	of.Matches, of.Name = nil, ""
	for _, condition := range conditions {
		for _, mark := range t.Matches() {
			further := condition
			further.Headers = append(slices.Clone(condition.Headers), mark)
			of.Matches = append(of.Matches, further)
		}
	}
	return of
}

// mostMatches is the most that a rule may have of conditions in the oldest Gateway API that is in use.
const mostMatches = 8

// markPart is what a header's value and the parts of a cookie may be here, so that each means itself in a route.
var markPart = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~:@/-]{1,256}$`)

// validateTesters checks the marks, and that each rule has room for them.
func (s *Settings) validateTesters(errs *problems) {
	testers := s.Gateway.Testers
	if testers == nil {
		return
	}
	const key = "gateway.testers"
	marks := []struct {
		name string
		mark Mark
	}{{"header", testers.Header}, {"cookie", testers.Cookie}}
	for _, m := range marks {
		at := key + "." + m.name
		switch {
		case m.mark == Mark{}:
		case m.mark.Name == "" || m.mark.Value == "":
			errs.add(at, "", errs.setPath(at+".name", "x-canary")+" && "+errs.setPath(at+".value", "always"),
				"a name and a value are needed")
		case len(validation.IsHTTPHeaderName(m.mark.Name)) > 0:
			errs.add(at+".name", m.mark.Name, errs.setPath(at+".name", "x-canary"), "letters, digits, - and _ are allowed")
		case !markPart.MatchString(m.mark.Value):
			errs.add(at+".value", m.mark.Value, errs.setPath(at+".value", "always"),
				"at most 256 letters, digits and signs without a space are allowed")
		}
	}
	count := len(testers.Matches())
	switch {
	case count == 0:
		errs.add(key, "", errs.setPath(key+".header.name", "x-canary")+" && "+
			errs.setPath(key+".header.value", "always"), "a header or a cookie is needed")
	case s.RouteKind() == RouteGRPC && testers.Cookie != Mark{}:
		errs.add(key+".cookie", "", errs.remove(key+".cookie"), "requests of gRPC have no cookies: use a header")
	}
	s.validateTesterRules(errs, testers)
}

// validateTesterRules bounds what the testers' rules add, and keeps their header apart from the rules' own.
func (s *Settings) validateTesterRules(errs *problems, testers *Testers) {
	const key = "gateway.rules"
	splitting := 0
	for _, rule := range s.Gateway.Rules {
		if rule.Redirects() {
			continue
		}
		splitting++
		if len(rule.Matches)*len(testers.Matches()) > mostMatches {
			errs.add(key, "", "", "with gateway.testers, a rule has at most %d matches: each is there once more for each mark",
				mostMatches/max(1, len(testers.Matches())))
		}
		for _, match := range rule.Matches {
			for _, mark := range testers.Matches() {
				if slices.ContainsFunc(match.Headers, func(own ValueMatch) bool { return strings.EqualFold(own.Name, mark.Name) }) {
					errs.add("gateway.testers", mark.Name, "", "a rule has a condition on the header %s already, and a match may "+
						"name a header once: choose another header", mark.Name)
				}
			}
		}
	}
	if len(s.Gateway.Rules)+splitting > mostRules {
		errs.add(key, "", "", "with gateway.testers, each rule is there twice, and an HTTPRoute has at most %d", mostRules)
	}
}

func (s *Settings) validateRouteKind(errs *problems) {
	if kind := s.Gateway.Kind; kind != "" {
		oneOfPath(errs, "gateway.kind", kind, RouteHTTP, RouteGRPC)
	}
	if s.RouteKind() == RouteGRPC && len(s.Gateway.Rules) > 0 {
		errs.add("gateway.rules", "", errs.remove("gateway.rules"), "the rules are those of an HTTPRoute; a GRPCRoute of "+
			"the "+
			"rollout's own has one for all requests. Write one with rules yourself, and name it with gateway.route")
	}
}

// validateForeignRoute refuses what only a route of the rollout's own could have.
func (s *Settings) validateForeignRoute(errs *problems) {
	g := s.Gateway
	if messages := validation.IsDNS1123Subdomain(g.Route); len(messages) > 0 {
		errs.add("gateway.route", g.Route, errs.setPath("gateway.route", suggestedName(g.Route)), "%s", messages[0])
	}
	for _, own := range []struct {
		field string
		set   bool
	}{
		{"namespace", g.Namespace != ""}, {"name", g.Name != ""}, {"sectionName", g.SectionName != ""},
		{"hostnames", len(g.Hostnames) > 0}, {"rules", len(g.Rules) > 0}, {"testers", g.Testers != nil},
	} {
		if own.set {
			errs.add("gateway."+own.field, "", errs.remove("gateway."+own.field), "the route %s is somebody else's and has its "+
				"own; only the weights of its backends are the rollout's", g.Route)
		}
	}
}
