package settings

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func withTesters(t *testing.T, testers, rules string) (*Settings, error) {
	t.Helper()
	return Load("production", throughGateway("gateway",
		`{"namespace":"infra","name":"public","testers":`+testers+`,"rules":`+rules+`}`))
}

// Every condition of a rule is there once for each mark, beside its own headers.
func TestTheTestersRuleIsTheRuleWithTheirMarks(t *testing.T) {
	s, err := withTesters(t, `{"header":{"name":"x-canary","value":"always"},"cookie":{"name":"canary","value":"1"}}`,
		`[{"name":"api","matches":[{"path":{"value":"/api"},"headers":[{"name":"x-tenant","value":"a"}]}],"timeouts":{"request":"5s"}}]`)
	if err != nil {
		t.Fatal(err)
	}
	tenant := ValueMatch{Name: "x-tenant", Value: "a"}
	path := &ValueMatch{Value: "/api"}
	want := RouteRule{
		Matches: []RouteMatch{
			{Path: path, Headers: []ValueMatch{tenant, {Type: "Exact", Name: "x-canary", Value: "always"}}},
			{Path: path, Headers: []ValueMatch{tenant, {Type: "RegularExpression", Name: "cookie",
				Value: "^(.*; *)?canary=1(;.*)?$"}}},
		},
		Timeouts: &RouteTimeouts{Request: "5s"},
	}
	if diff := cmp.Diff(want, s.Gateway.Testers.Rule(s.Gateway.Rules[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACookieIsFoundAmongOthers(t *testing.T) {
	marks := (&Testers{Cookie: Mark{Name: "canary", Value: "a.b"}}).Matches()
	cookie := regexp.MustCompile(marks[0].Value)
	for header, want := range map[string]bool{
		"canary=a.b": true, "lang=en; canary=a.b": true, "canary=a.b; lang=en": true, "x=1;canary=a.b;y=2": true,
		"canary=aXb": false, "nocanary=a.b": false, "canary=a.bc": false, "": false, "canary=": false,
	} {
		if cookie.MatchString(header) != want {
			t.Errorf("%q: %v", header, !want)
		}
	}
}

func TestTestersAreRefused(t *testing.T) {
	header := `{"header":{"name":"x-canary","value":"always"}}`
	for name, tt := range map[string]struct {
		gateway string
		words   []string
	}{
		"nothing": {`"testers":{}`, []string{"gateway.testers", "a header or a cookie is needed",
			"pulumi config set --path gateway.testers.header.name x-canary -s production"}},
		"half":    {`"testers":{"header":{"name":"x-canary"}}`, []string{"gateway.testers.header", "a name and a value"}},
		"a name":  {`"testers":{"header":{"name":"x canary","value":"1"}}`, []string{"gateway.testers.header.name", `"x canary"`}},
		"a value": {`"testers":{"cookie":{"name":"c","value":"a b"}}`, []string{"gateway.testers.cookie.value", `"a b"`}},
		"a typo":  {`"testers":{"headr":{"name":"c","value":"a"}}`, []string{"gateway.testers.headr", "did you mean header?"}},
		"its own header": {`"testers":` + header + `,"rules":[{"matches":[{"headers":[{"name":"X-Canary","value":"no"}]}]}]`,
			[]string{"a condition on the header x-canary already"}},
		"too many conditions": {`"testers":` + header + `,"rules":[{"matches":[` + strings.Repeat("{},", 8) + `{}]}]`,
			[]string{"gateway.rules", "at most 8 matches"}},
		"too many rules": {`"testers":` + header + `,"rules":[` + strings.Repeat("{},", 8) + `{}]`,
			[]string{"gateway.rules", "at most 16"}},
		"a cookie of gRPC": {`"kind":"GRPCRoute","testers":{"cookie":{"name":"c","value":"a"}}`,
			[]string{"gateway.testers.cookie", "gRPC have no cookies"}},
		"rules of gRPC": {`"kind":"GRPCRoute","rules":[{}]`, []string{"gateway.rules", "name it with gateway.route"}},
		"another kind":  {`"kind":"TCPRoute"`, []string{"gateway.kind", `"TCPRoute"`, "HTTPRoute, GRPCRoute"}},
		"another's route": {`"route":"shop"`, []string{"gateway.name", "gateway.namespace", "the route shop is somebody else's",
			"pulumi config rm --path gateway.name -s production"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("production", throughGateway("gateway", `{"namespace":"infra","name":"public",`+tt.gateway+`}`))
			for _, word := range tt.words {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not say %q: %v", word, err)
				}
			}
		})
	}
}

func TestTheRouteIsNamedAsKubectlDoes(t *testing.T) {
	for gateway, want := range map[string]string{
		`{"namespace":"infra","name":"public"}`:                    "finance-service",
		`{"namespace":"infra","name":"public","kind":"GRPCRoute"}`: "grpcroute/finance-service",
		`{"route":"shop"}`:                    "shop",
		`{"route":"shop","kind":"GRPCRoute"}`: "grpcroute/shop",
		`{"route":"shop","kind":"HTTPRoute"}`: "shop",
		`{"namespace":"infra","name":"public","testers":{"header":{"name":"x-canary","value":"1"}}}`: "finance-service",
	} {
		s, err := Load("production", throughGateway("gateway", gateway))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.RouteName(); got != want {
			t.Errorf("%s: %s, want %s", gateway, got, want)
		}
	}
}

// At 0 % there is no canary to test, which a preview says instead of leaving the testers with stable's answers.
func TestTestersWithoutAShare(t *testing.T) {
	const testers = `{"namespace":"infra","name":"public","testers":{"header":{"name":"x-canary","value":"1"}}}`
	for name, tt := range map[string]struct {
		changes []string
		warned  bool
	}{
		"a release at 0 %": {[]string{"gateway", testers, "canaryWeight", "0"}, true},
		"the least share":  {[]string{"gateway", testers, "canaryWeight", "1"}, false},
		"the week's share": {[]string{"gateway", testers}, false},
		"after a finish": {[]string{"gateway", testers, "canaryWeight", "0", "image", "vextrus/finance:v1",
			"stableImage", "vextrus/finance:v1"}, false},
		"no testers": {[]string{"gateway", `{"namespace":"infra","name":"public"}`, "canaryWeight", "0"}, false},
	} {
		s, err := Load("production", throughGateway(tt.changes...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		warnings := strings.Join(s.Warnings(), "\n")
		if warned := strings.Contains(warnings, "gateway.testers"); warned != tt.warned {
			t.Errorf("%s: %s", name, warnings)
		}
		if tt.warned && !strings.Contains(warnings, "pulumi config set canaryWeight 1 -s production") {
			t.Errorf("%s: the warning has no command: %s", name, warnings)
		}
	}
}

// The least share of a stack with testers is one pod, and one request in a hundred of those without the mark.
func TestTheLeastShareBesideTesters(t *testing.T) {
	s, err := Load("production", throughGateway("gateway",
		`{"namespace":"infra","name":"public","testers":{"header":{"name":"x-canary","value":"1"}}}`, "canaryWeight", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Position(); got.Canary != 1 || got.Weight != 1 || got.Stable != 10 {
		t.Errorf("position %+v", got)
	}
}
