package settings

import (
	"strings"
	"testing"
)

const ownHTTP = `{"url":"https://api.example/v1/query?from=$start&to=$end","field":".series[0].pointlist[-1][1]",` +
	`"auth":{"http_headers":{"DD-API-KEY":{"secrets":["datadog/api-key"]}}}}`

func TestAValueFromAnAddressMayBeACriterion(t *testing.T) {
	s, err := Load("production", production("criteria", `{"own":[{"name":"checkout","http":`+ownHTTP+
		`,"limit":0.01,"direction":"below"}]}`, "secrets", `{"datadog":{"api-key":"k8Ro-2pQz-77"}}`,
		"secretEnv", "{}", "smoke", `{"tokenFrom":"","originFrom":""}`))
	if err != nil {
		t.Fatal(err)
	}
	own := s.Criteria.Own[0].HTTP
	if own.Verb() != "GET" || len(own.LoginName()) != 16 {
		t.Errorf("%s by the login %q", own.Verb(), own.LoginName())
	}
	document, err := s.OwnLogin(own.LoginName())(t.Context())
	if err != nil || !strings.Contains(document, "k8Ro-2pQz-77") {
		t.Errorf("the login is %s, %v", document, err)
	}
	// It is no business of the pods.
	if s.ClusterSecrets()["datadog"] != nil {
		t.Error("the pods get the key")
	}
	if _, err := s.OwnLogin("0000000000000000")(t.Context()); err == nil {
		t.Error("a login of nobody")
	}
}

func TestAddressesOfCriteriaAreRefused(t *testing.T) {
	const secret = "ghp_8Ro2pQz77aB3cD4eF5gH6iJ7kL8mN9oP0qR"
	for name, tt := range map[string]struct {
		http  string
		words []string
	}{
		"no address": {`{"field":".v"}`, []string{"criteria.own[0].http.url", "http or https address"}},
		"no field":   {`{"url":"https://api.example"}`, []string{"criteria.own[0].http.field", "JSONPath of the value"}},
		"no path":    {`{"url":"https://api.example","field":".["}`, []string{"criteria.own[0].http.field", "no JSONPath"}},
		"a method":   {`{"url":"https://api.example","field":".v","method":"PUT"}`, []string{"PUT", "GET, POST"}},
		"a variable in the host": {`{"url":"https://$release.example","field":".v"}`,
			[]string{"its host holds no variable"}},
		"a password in the address": {`{"url":"https://ann:` + secret + `@api.example","field":".v"}`,
			[]string{"must not hold a user and a password"}},
		"a key in the address": {`{"url":"https://api.example?api_key=` + secret + `","field":".v"}`,
			[]string{"holds a credential", "http_headers"}},
		"a key in the body": {`{"url":"https://api.example","field":".v","body":"{\"token\":\"` + secret + `\"}"}`,
			[]string{"criteria.own[0].http.body", "holds a credential"}},
		"a key in place of its reference": {`{"url":"https://api.example","field":".v","auth":{"authorization":{"credentials":"` +
			secret + `"}}}`, []string{"criteria.own[0].http.auth.authorization.credentials", "no secret reference"}},
		"a secret that is missing": {`{"url":"https://api.example","field":".v","auth":{"authorization":{"credentials":"datadog/key"}}}`,
			[]string{"secrets.datadog.key", "criteria.own[0].http.auth.authorization.credentials needs it"}},
		"a typo": {`{"url":"https://api.example","feild":".v"}`, []string{"criteria.own[0].http.feild", "did you mean field?"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("production", production("criteria", `{"own":[{"name":"checkout","http":`+tt.http+
				`,"limit":1,"direction":"below"}]}`))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, word := range tt.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("no %q in %v", word, err)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the credential: %v", err)
			}
		})
	}
	for own, word := range map[string]string{
		`{"name":"a","query":"up","http":` + ownHTTP + `,"direction":"below"}`: "query and http exclude each other",
		`{"name":"a","direction":"below"}`:                                     "query or http is required",
		`{"query":"up","direction":"below"}`:                                   "criteria.own[0].name",
	} {
		if _, err := Load("production", production("criteria", `{"own":[`+own+`]}`)); err == nil ||
			!strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", own, err)
		}
	}
}
