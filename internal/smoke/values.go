package smoke

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// foreignOrigin is an origin that no service is configured with: .invalid never resolves (RFC 2606).
	foreignOrigin = "https://foreign-origin.invalid"

	// unsignedToken is a JSON Web Token with algorithm "none", subject smoke-suite and an expiry in the year 2100. It
	// needs no key, so it is a constant, and no secret.
	unsignedToken = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJzbW9rZS1zdWl0ZSIsImV4cCI6NDEwMjQ0NDgwMH0." //nolint:gosec // no secret, see above
)

// Values are what a suite's templates stand for in one run. They hold live tokens and print as redacted.
type Values struct {
	// Environment chooses among the expectations of a step: staging, production. It is {{environment}}.
	Environment string
	// AllowedOrigin is an origin that the service's CORS configuration allows. Of a comma-separated list, the first is
	// used. It is {{allowedOrigin}}.
	AllowedOrigin string
	// Token is {{token}}, ForgedToken {{forgedToken}}, ExpiredToken {{expiredToken}}; see [NewTokens].
	Token, ForgedToken, ExpiredToken string
}

// Format keeps the tokens out of whatever prints the values.
func (v Values) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "smoke.Values{Environment:%q AllowedOrigin:%q tokens:[redacted]}", v.Environment,
		v.AllowedOrigin)
}

// MarshalText keeps the tokens out of JSON and structured logs.
func (v Values) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", v), nil }

// template is one templated value: where it comes from, and what to set if there is none.
type template struct {
	value  func(Values) string
	remedy string
}

// templates returns the templated values by name.
func templates() map[string]template {
	const signIn = "set STAGING_JWT_TOKEN (staging) or PROD_JWT_TOKEN (production), or the stack's jwt-secret"
	return map[string]template{
		"environment":   {func(v Values) string { return v.Environment }, "name the environment of the run"},
		"foreignOrigin": {func(Values) string { return foreignOrigin }, ""},
		"unsignedToken": {func(Values) string { return unsignedToken }, ""},
		"allowedOrigin": {firstOrigin, "set the stack's allowed CORS origin"},
		"token":         {func(v Values) string { return v.Token }, signIn},
		"forgedToken":   {func(v Values) string { return v.ForgedToken }, signIn},
		"expiredToken": {func(v Values) string { return v.ExpiredToken },
			"set the stack's jwt-secret, to sign an expired token with"},
	}
}

func firstOrigin(v Values) string {
	first, _, _ := strings.Cut(v.AllowedOrigin, ",")
	return strings.TrimSpace(first)
}

// templateNames lists the names that a suite may use, sorted.
func templateNames() []string {
	var names []string
	for name := range templates() {
		names = append(names, "{{"+name+"}}")
	}
	slices.Sort(names)
	return names
}

// placeholder matches a templated value. GraphQL writes "{{" only with something other than a closing "}}" after a bare
// word, so queries need no escaping.
var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z][A-Za-z0-9]*)\s*\}\}`)

// checkTemplates refuses names that no value stands for.
func checkTemplates(text string) error {
	known := templates()
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		if _, ok := known[match[1]]; !ok {
			return fmt.Errorf("unknown template %q; allowed: %s", match[0], strings.Join(templateNames(), ", "))
		}
	}
	return nil
}

// expand replaces the templates in text. The error says what to set if a value is missing.
func (v Values) expand(text string) (string, error) {
	var missing error
	known := templates()
	expanded := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name := placeholder.FindStringSubmatch(match)[1]
		value := ""
		if t, ok := known[name]; ok {
			value = t.value(v)
		}
		if value == "" && missing == nil {
			missing = fmt.Errorf("no value for {{%s}}: %s", name, known[name].remedy)
		}
		return value
	})
	return expanded, missing
}

// expandJSON replaces the templates in every string of a decoded JSON value.
func (v Values) expandJSON(value any) (any, error) {
	switch value := value.(type) {
	case string:
		return v.expand(value)
	case []any:
		out := make([]any, len(value))
		for i := range value {
			var err error
			if out[i], err = v.expandJSON(value[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(value))
		for key := range value {
			var err error
			if out[key], err = v.expandJSON(value[key]); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return value, nil
	}
}
