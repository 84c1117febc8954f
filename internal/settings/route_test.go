package settings

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rules loads a stack behind a Gateway with these rules.
func rules(t *testing.T, text string) ([]RouteRule, error) {
	t.Helper()
	s, err := Load("production", throughGateway("gateway", `{"namespace":"infra","name":"public","rules":`+text+`}`))
	return s.Gateway.Rules, err
}

// What the Gateway API has of a rule is taken as it is, word for word.
func TestRulesAreTakenAsTheyAre(t *testing.T) {
	for name, text := range map[string]string{
		"matches": `[{"matches":[{"headers":[{"name":"x-tenant","type":"Exact","value":"a"}],"method":"POST",` +
			`"path":{"type":"PathPrefix","value":"/graphql"},"queryParams":[{"name":"v","value":"2"}]}]},{}]`,
		"timeouts and retry": `[{"retry":{"attempts":2,"backoff":"100ms","codes":[502,503]},"timeouts":{"backendRequest":"5s","request":"1m30s"}}]`,
		"filters": `[{"filters":[{"requestHeaderModifier":{"add":[{"name":"x-a","value":"1"}],"remove":["x-b"]},"type":"RequestHeaderModifier"},` +
			`{"type":"URLRewrite","urlRewrite":{"path":{"replacePrefixMatch":"","type":"ReplacePrefixMatch"}}},` +
			`{"requestRedirect":{"scheme":"https","statusCode":301},"type":"RequestRedirect"},` +
			`{"requestMirror":{"backendRef":{"name":"shadow","port":80},"percent":0},"type":"RequestMirror"},` +
			`{"extensionRef":{"group":"traefik.io","kind":"Middleware","name":"limit"},"type":"ExtensionRef"}]},{}]`,
	} {
		t.Run(name, func(t *testing.T) {
			read, err := rules(t, text)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(read)
			if err != nil {
				t.Fatal(err)
			}
			var want, got any
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(encoded, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRulesThatNoGatewayWouldTakeAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		words []string
	}{
		"a typo":          {`[{"mathces":[]}]`, []string{"gateway.rules[0].mathces", "did you mean matches?"}},
		"a typo deep":     {`[{"matches":[{"path":{"typ":"Exact"}}]}]`, []string{"gateway.rules[0].matches[0].path.typ", "did you mean type?"}},
		"own backends":    {`[{"backendRefs":[{"name":"finance"}]}]`, []string{"gateway.rules[0].backendRefs", "the backends of every rule are the tracks"}},
		"sessions":        {`[{"sessionPersistence":{"type":"Cookie"}}]`, []string{"sessionPersistence", "takes no part"}},
		"a path":          {`[{"matches":[{"path":{"value":"graphql"}}]}]`, []string{"gateway.rules[0].matches[0].path.value", "must begin with /", "-s production"}},
		"a kind of path":  {`[{"matches":[{"path":{"type":"Prefix","value":"/"}}]}]`, []string{"path.type", "PathPrefix, Exact, RegularExpression"}},
		"a method":        {`[{"matches":[{"method":"post"}]}]`, []string{"method", "POST"}},
		"an empty header": {`[{"matches":[{"headers":[{"name":"x"}]}]}]`, []string{"headers[0]", "a name and a value"}},
		"a duration":      {`[{"timeouts":{"request":"10"}}]`, []string{"timeouts.request", `"10"`, "such as 10s"}},
		"a filter":        {`[{"filters":[{"type":"HeaderModifier"}]}]`, []string{"filters[0].type", "allowed are RequestHeaderModifier"}},
		"a filter's typo": {`[{"filters":[{"type":"UrlRewrites"}]}]`, []string{"filters[0].type", "did you mean URLRewrite?"}},
		"only redirects": {`[{"filters":[{"type":"RequestRedirect","requestRedirect":{"scheme":"https"}}]}]`,
			[]string{"gateway.rules", "every rule redirects"}},
		"a filter's field": {`[{"filters":[{"type":"URLRewrite","cors":{}}]}]`, []string{"filters[0]", "the one field that its type names"}},
		"too many":         {"[" + strings.Repeat("{},", 16) + "{}]", []string{"at most 16 rules"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rules(t, tt.text)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, word := range tt.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not say %q: %v", word, err)
				}
			}
		})
	}
}
