package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/login"
)

// HTTPConfig is how a client gets into a server: the part of Prometheus' own http_config that a stack may set, spelled
// as there. A credential is a reference to one of the stack's secrets.
type HTTPConfig struct {
	// At most one of Authorization, BasicAuth and OAuth2 is set.
	Authorization Authorization `json:"authorization"`
	BasicAuth     BasicAuth     `json:"basic_auth"`
	OAuth2        OAuth2        `json:"oauth2"`
	TLS           TLS           `json:"tls_config"`
	// Headers are sent with every request, such as the tenant's X-Scope-OrgID.
	Headers  map[string]Header `json:"http_headers"`
	ProxyURL string            `json:"proxy_url"`
}

// Authorization is the header of that name. An empty Type is Bearer.
type Authorization struct {
	Type        string    `json:"type"`
	Credentials SecretRef `json:"credentials"`
}

// BasicAuth is a user's name and password. The name may be a number, as that of a tenant is.
type BasicAuth struct {
	Username scalar    `json:"username"`
	Password SecretRef `json:"password"`
}

// OAuth2 gets a token by client credentials. It has a TLS and a proxy of its own, as in Prometheus.
type OAuth2 struct {
	ClientID       scalar    `json:"client_id"`
	ClientSecret   SecretRef `json:"client_secret"`
	TokenURL       string    `json:"token_url"`
	Scopes         []string  `json:"scopes"`
	EndpointParams Values    `json:"endpoint_params"`
	TLS            TLS       `json:"tls_config"`
	ProxyURL       string    `json:"proxy_url"`
}

// TLS is what a server's certificate is checked by, and the client's own certificate. CA and Cert are PEM.
type TLS struct {
	CA                 string    `json:"ca"`
	Cert               string    `json:"cert"`
	Key                SecretRef `json:"key"`
	ServerName         string    `json:"server_name"`
	InsecureSkipVerify bool      `json:"insecure_skip_verify"`
}

// Header is the values of a header, in the open and secret.
type Header struct {
	Values  []scalar    `json:"values"`
	Secrets []SecretRef `json:"secrets"`
}

// IsSet reports whether a stack configures anything.
func (c HTTPConfig) IsSet() bool { return !reflect.ValueOf(c).IsZero() }

// HasCredentials reports whether the stack's secrets are needed to get in.
func (c HTTPConfig) HasCredentials() bool { return len(c.uses("")) > 0 }

// Login is nil where nothing is configured.
func (c HTTPConfig) Login(document login.Document) endpoint.Login {
	if !c.IsSet() {
		return nil
	}
	return login.New(document)
}

// uses lists the references to secrets with the path of each below the key.
func (c HTTPConfig) uses(key string) []secretUse {
	uses := []secretUse{
		{key + ".authorization.credentials", c.Authorization.Credentials}, {key + ".basic_auth.password",
			c.BasicAuth.Password},
		{key + ".oauth2.client_secret", c.OAuth2.ClientSecret}, {key + ".oauth2.tls_config.key", c.OAuth2.TLS.Key},
		{key + ".tls_config.key", c.TLS.Key},
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		for i, ref := range c.Headers[name].Secrets {
			uses = append(uses, secretUse{fmt.Sprintf("%s.http_headers.%s.secrets[%d]", key, name, i), ref})
		}
	}
	return slices.DeleteFunc(uses, func(use secretUse) bool { return use.ref == SecretRef{} })
}

// PrometheusLogin is the http_config of Prometheus with its credentials. It is a [login.Document].
func (s *Settings) PrometheusLogin(context.Context) (string, error) {
	return s.document(s.PrometheusAuth)
}

// AlertmanagerLogin is the http_config of the guard's Alertmanager with its credentials. It is a [login.Document].
func (s *Settings) AlertmanagerLogin(context.Context) (string, error) {
	return s.document(s.AlertmanagerAuth)
}

// errEncrypted is the error of a login on settings that were read without the stack's secrets.
var errEncrypted = errors.New("the stack's secrets are not decrypted")

func (s *Settings) document(c HTTPConfig) (string, error) {
	for _, use := range c.uses("") {
		if value, _ := s.Secret(use.ref); value.Reveal() == hidden {
			return "", errEncrypted
		}
	}
	text, err := json.Marshal(c.document(func(ref SecretRef) string {
		value, _ := s.Secret(ref)
		return value.Reveal()
	}))
	if err != nil {
		return "", fmt.Errorf("encode the http_config: %w", err)
	}
	return string(text), nil
}

// part is a part of an http_config. What is not set is left out.
type part map[string]any

func (p part) add(name string, value any) part {
	if value != nil && !reflect.ValueOf(value).IsZero() {
		p[name] = value
	}
	return p
}

func (c HTTPConfig) document(reveal func(SecretRef) string) part {
	headers := part{}
	for name, header := range c.Headers {
		var secrets []string
		for _, ref := range header.Secrets {
			secrets = append(secrets, reveal(ref))
		}
		headers.add(name, part{}.add("values", header.Values).add("secrets", secrets))
	}
	all := part{}
	if c.Authorization != (Authorization{}) {
		all["authorization"] = part{}.add("type", c.Authorization.Type).
			add("credentials", reveal(c.Authorization.Credentials))
	}
	if c.BasicAuth != (BasicAuth{}) {
		all["basic_auth"] = part{}.add("username", c.BasicAuth.Username).add("password", reveal(c.BasicAuth.Password))
	}
	if c.OAuth2.IsSet() {
		all["oauth2"] = part{}.add("client_id", c.OAuth2.ClientID).add("client_secret", reveal(c.OAuth2.ClientSecret)).
			add("token_url", c.OAuth2.TokenURL).add("scopes", c.OAuth2.Scopes).
			add("endpoint_params", c.OAuth2.EndpointParams).add("proxy_url", c.OAuth2.ProxyURL).
			add("tls_config", c.OAuth2.TLS.document(reveal))
	}
	if len(headers) > 0 {
		all["http_headers"] = headers
	}
	return all.add("proxy_url", c.ProxyURL).add("tls_config", c.TLS.document(reveal))
}

// IsSet reports whether anything of it is configured.
func (o OAuth2) IsSet() bool { return !reflect.ValueOf(o).IsZero() }

// document is nil for the usual check of certificates.
func (t TLS) document(reveal func(SecretRef) string) any {
	if t == (TLS{}) {
		return nil
	}
	return part{}.add("ca", t.CA).add("cert", t.Cert).add("key", reveal(t.Key)).add("server_name", t.ServerName).
		add("insecure_skip_verify", t.InsecureSkipVerify)
}

// ClusterSecrets are the secrets that become Secrets for the pods: all but those that log in to Prometheus or
// Alertmanager or sign the ledger alone. Those are no business of the pods, and a new one replaces none of them.
func (s *Settings) ClusterSecrets() map[string]map[string]Secret {
	logins, others := map[SecretRef]bool{}, map[SecretRef]bool{}
	servers := slices.Concat(s.PrometheusAuth.uses(""), s.AlertmanagerAuth.uses(""), s.ownUses())
	for _, use := range slices.Concat(servers, s.ledgerUses()) {
		logins[use.ref] = true
	}
	if len(logins) == 0 {
		return s.Secrets
	}
	for _, use := range s.podSecretUses() {
		others[use.ref] = true
	}
	kept := map[string]map[string]Secret{}
	for name, entries := range s.Secrets {
		for key, value := range entries {
			if ref := (SecretRef{name, key}); logins[ref] && !others[ref] {
				continue
			}
			if kept[name] == nil {
				kept[name] = map[string]Secret{}
			}
			kept[name][key] = value
		}
	}
	return kept
}
