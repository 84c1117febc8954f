package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// RouteRule is a rule of an HTTPRoute, as the Gateway API has it, without the backends: those are the tracks'. A module
// with the types of the API exists; its requirements would bring a controller's libraries along.
type RouteRule struct {
	Name               string              `json:"name,omitempty"`
	Matches            []RouteMatch        `json:"matches,omitempty"`
	Filters            []RouteFilter       `json:"filters,omitempty"`
	Timeouts           *RouteTimeouts      `json:"timeouts,omitempty"`
	Retry              *RouteRetry         `json:"retry,omitempty"`
	SessionPersistence *SessionPersistence `json:"sessionPersistence,omitempty"`
	// BackendRefs are there to be refused with a reason.
	BackendRefs []any `json:"backendRefs,omitempty"`
}

// RouteMatch is a condition on a request; all of its parts must hold.
type RouteMatch struct {
	Path        *ValueMatch  `json:"path,omitempty"`
	Headers     []ValueMatch `json:"headers,omitempty"`
	QueryParams []ValueMatch `json:"queryParams,omitempty"`
	Method      string       `json:"method,omitempty"`
}

// ValueMatch compares the path, a header or a parameter of the query. A path has no name.
type ValueMatch struct {
	Type  string `json:"type,omitempty"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// RouteFilter changes a request or its answer. Type names the one other field that is set.
type RouteFilter struct {
	Type                   string          `json:"type"`
	RequestHeaderModifier  *HeaderModifier `json:"requestHeaderModifier,omitempty"`
	ResponseHeaderModifier *HeaderModifier `json:"responseHeaderModifier,omitempty"`
	RequestMirror          *Mirror         `json:"requestMirror,omitempty"`
	RequestRedirect        *Redirect       `json:"requestRedirect,omitempty"`
	URLRewrite             *Rewrite        `json:"urlRewrite,omitempty"`
	CORS                   *CORS           `json:"cors,omitempty"`
	ExtensionRef           *LocalObject    `json:"extensionRef,omitempty"`
}

// HeaderModifier sets, adds and removes headers.
type HeaderModifier struct {
	Set    []ValueMatch `json:"set,omitempty"`
	Add    []ValueMatch `json:"add,omitempty"`
	Remove []string     `json:"remove,omitempty"`
}

// Mirror sends a copy of requests to another Service.
type Mirror struct {
	BackendRef MirrorBackend `json:"backendRef"`
	Percent    *int          `json:"percent,omitempty"`
	Fraction   *Fraction     `json:"fraction,omitempty"`
}

// MirrorBackend names the Service that gets the copies.
type MirrorBackend struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Port      *int   `json:"port,omitempty"`
}

// Fraction is a share of requests.
type Fraction struct {
	Numerator   int  `json:"numerator"`
	Denominator *int `json:"denominator,omitempty"`
}

// Redirect answers with another address.
type Redirect struct {
	Scheme     string        `json:"scheme,omitempty"`
	Hostname   string        `json:"hostname,omitempty"`
	Path       *PathModifier `json:"path,omitempty"`
	Port       *int          `json:"port,omitempty"`
	StatusCode *int          `json:"statusCode,omitempty"`
}

// Rewrite changes the host and the path of a request.
type Rewrite struct {
	Hostname string        `json:"hostname,omitempty"`
	Path     *PathModifier `json:"path,omitempty"`
}

// PathModifier replaces a path or the part of it that matched.
type PathModifier struct {
	Type               string  `json:"type"`
	ReplaceFullPath    *string `json:"replaceFullPath,omitempty"`
	ReplacePrefixMatch *string `json:"replacePrefixMatch,omitempty"`
}

// CORS answers the questions of browsers.
type CORS struct {
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	AllowCredentials *bool    `json:"allowCredentials,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	MaxAge           *int     `json:"maxAge,omitempty"`
}

// LocalObject names an object of the gateway's own kinds, in the stack's namespace.
type LocalObject struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
}

// RouteTimeouts bound a request as a whole and its way to a backend.
type RouteTimeouts struct {
	Request        string `json:"request,omitempty"`
	BackendRequest string `json:"backendRequest,omitempty"`
}

// RouteRetry asks a backend again.
type RouteRetry struct {
	Codes    []int  `json:"codes,omitempty"`
	Attempts *int   `json:"attempts,omitempty"`
	Backoff  string `json:"backoff,omitempty"`
}

// SessionPersistence is there to be refused with a reason.
type SessionPersistence struct {
	SessionName     string         `json:"sessionName,omitempty"`
	AbsoluteTimeout string         `json:"absoluteTimeout,omitempty"`
	IdleTimeout     string         `json:"idleTimeout,omitempty"`
	Type            string         `json:"type,omitempty"`
	CookieConfig    map[string]any `json:"cookieConfig,omitempty"`
}

// Redirects reports whether the rule answers all of its requests itself, so that the Gateway API allows it no backends.
func (r *RouteRule) Redirects() bool {
	return slices.ContainsFunc(r.Filters, func(filter RouteFilter) bool { return filter.RequestRedirect != nil })
}

// gatewayDuration is a duration as the Gateway API writes it.
var gatewayDuration = regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)

// mostRules is the most that an HTTPRoute may have of rules.
const mostRules = 16

// validateRules checks what the API server or the gateway would refuse in the middle of an update.
func (s *Settings) validateRules(errs *problems) {
	rules := s.Gateway.Rules
	if len(rules) > mostRules {
		errs.add("gateway.rules", fmt.Sprint(len(rules)), "", "an HTTPRoute has at most %d rules", mostRules)
	}
	if len(rules) > 0 && !slices.ContainsFunc(rules, func(rule RouteRule) bool { return !rule.Redirects() }) {
		errs.add("gateway.rules", "", "", "every rule redirects, so that no request would reach a track")
	}
	for i := range rules {
		rules[i].validate(errs, fmt.Sprintf("gateway.rules[%d]", i))
	}
}

func (r *RouteRule) validate(errs *problems, key string) {
	if len(r.BackendRefs) > 0 {
		errs.add(key+".backendRefs", "", errs.remove(key+".backendRefs"),
			"the backends of every rule are the tracks, with the weights of the rollout; a rule for another service belongs "+
				"into a route of its own")
	}
	if r.SessionPersistence != nil {
		errs.add(key+".sessionPersistence", "", errs.remove(key+".sessionPersistence"),
			"a session that stays at its track takes no part in a change of the weights")
	}
	for j := range r.Matches {
		r.Matches[j].validate(errs, fmt.Sprintf("%s.matches[%d]", key, j))
	}
	for j := range r.Filters {
		r.Filters[j].validate(errs, fmt.Sprintf("%s.filters[%d]", key, j))
	}
	durations := map[string]string{}
	if r.Timeouts != nil {
		durations["timeouts.request"], durations["timeouts.backendRequest"] = r.Timeouts.Request, r.Timeouts.BackendRequest
	}
	if r.Retry != nil {
		durations["retry.backoff"] = r.Retry.Backoff
	}
	for name, value := range durations {
		if value != "" && !gatewayDuration.MatchString(value) {
			errs.add(key+"."+name, value, errs.setPath(key+"."+name, "10s"),
				"the Gateway API writes a duration in h, m, s and ms, such as 10s or 1m30s")
		}
	}
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

func (m *RouteMatch) validate(errs *problems, key string) {
	if m.Method != "" && !slices.Contains(methods, m.Method) {
		errs.add(key+".method", m.Method, errs.setPath(key+".method", "POST"), "allowed are %s", strings.Join(methods,
			", "))
	}
	if m.Path != nil {
		oneOfPath(errs, key+".path.type", m.Path.Type, "PathPrefix", "Exact", "RegularExpression")
		if m.Path.Type != "RegularExpression" && m.Path.Value != "" && !strings.HasPrefix(m.Path.Value, "/") {
			errs.add(key+".path.value", m.Path.Value, errs.setPath(key+".path.value", "/"+m.Path.Value), "must begin with /")
		}
	}
	for name, list := range map[string][]ValueMatch{"headers": m.Headers, "queryParams": m.QueryParams} {
		for i, match := range list {
			at := fmt.Sprintf("%s.%s[%d]", key, name, i)
			oneOfPath(errs, at+".type", match.Type, "Exact", "RegularExpression")
			if match.Name == "" || match.Value == "" {
				errs.add(at, "", "", "a name and a value are needed")
			}
		}
	}
}

// oneOfPath checks a value inside an object; an empty one is the API's default.
func oneOfPath(errs *problems, key, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		errs.add(key, value, errs.setPath(key, likeliest(value, allowed)), "allowed are %s", strings.Join(allowed, ", "))
	}
}

func (f *RouteFilter) validate(errs *problems, key string) {
	fields := map[string]bool{
		"RequestHeaderModifier": f.RequestHeaderModifier != nil, "ResponseHeaderModifier": f.ResponseHeaderModifier != nil,
		"RequestMirror": f.RequestMirror != nil, "RequestRedirect": f.RequestRedirect != nil,
		"URLRewrite": f.URLRewrite != nil, "CORS": f.CORS != nil, "ExtensionRef": f.ExtensionRef != nil,
	}
	set, known := fields[f.Type]
	if !known {
		allowed := []string{"RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect",
			"URLRewrite",
			"CORS", "ExtensionRef"}
		meant := ""
		if guess := nearest(f.Type, allowed); guess != "" {
			meant = "did you mean " + guess + "? "
		}
		errs.add(key+".type", f.Type, "", "%sallowed are %s", meant, strings.Join(allowed, ", "))
		return
	}
	count := 0
	for _, given := range fields {
		if given {
			count++
		}
	}
	if !set || count != 1 {
		errs.add(key, f.Type, "", "a filter has the one field that its type names, and no other")
	}
}
