package settings

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/config"
	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/login"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// Keys of the two logins.
const (
	prometheusAuth   = "prometheusAuth"
	alertmanagerAuth = "alertmanagerAuth"
)

// server checks the address of a server: example is one in the cluster, auth the key of its login.
func (p *problems) server(key, address, example, auth string) {
	_, err := endpoint.Parse(address)
	switch {
	case err == nil && signedAlone.MatchString(address):
		p.add(key, address, p.change(key, "NAMESPACE/SERVICE:PORT"), "this server takes requests that are signed for AWS "+
			"alone: %s", signsForAWS)
	case err == nil:
	case errors.Is(err, endpoint.ErrCredentials):
		p.add(key, endpoint.Shown(address), p.change(key, endpoint.Shown(address))+" && "+
			p.setPath(auth+".basic_auth.username", "USER")+" && "+p.setSecret("secrets.NAME.KEY")+" && "+
			p.setPath(auth+".basic_auth.password", "NAME/KEY"),
			"%s: it is printed, logged and kept in the state; %s.basic_auth logs in", err, auth)
	default:
		p.add(key, endpoint.Shown(address), p.change(key, example), "%s", err)
	}
}

// signedAlone are the servers of Amazon Managed Service for Prometheus.
var signedAlone = regexp.MustCompile(`(?i)^https://aps-workspaces\.[a-z0-9.-]+\.amazonaws\.com(\.cn)?[:/]?`)

const signsForAWS = "run aws-sigv4-proxy in the cluster and name its Service (docs/metrics.md, Amazon Managed " +
	"Service for Prometheus)"

// foreignLogin reports a field that Prometheus' own configuration has and this one does not, with what does its work.
func (p *problems) foreignLogin(path, name string) bool {
	address := "prometheus"
	if path == alertmanagerAuth {
		address = "guard.alertmanager"
	} else if server, ok := strings.CutSuffix(path, ".auth"); ok {
		address = server + ".url"
	}
	switch at := path + "." + name; name {
	case "sigv4":
		p.add(at, "", p.remove(at)+" && "+p.change(address, "NAMESPACE/SERVICE:PORT"), "no such field: requests are "+
			"not signed for AWS (SigV4) here; %s", signsForAWS)
	case "azuread", "google_iam":
		p.add(at, "", p.remove(at)+" && "+p.change(address, "NAMESPACE/SERVICE:PORT"), "no such field: this login is not "+
			"known here; let a proxy in the cluster log in, and name its Service")
	case "bearer_token":
		p.add(at, "", p.remove(at)+" && "+p.setSecret("secrets.NAME.KEY")+" && "+
			p.setPath(path+".authorization.credentials", "NAME/KEY"), "no such field: a token is a secret of "+
			"the stack, which authorization.credentials refers to")
	default:
		return false
	}
	return true
}

// loginCheck checks one login.
type loginCheck struct {
	*problems
	key    string
	config HTTPConfig
}

func (s *Settings) validateLogins(errs *problems) {
	for _, one := range []struct {
		key, addressKey, address string
		config                   HTTPConfig
	}{
		{prometheusAuth, "prometheus", s.Prometheus, s.PrometheusAuth},
		{alertmanagerAuth, "guard.alertmanager", s.Guard.Alertmanager, s.AlertmanagerAuth},
	} {
		if !one.config.IsSet() {
			continue
		}
		check := loginCheck{errs, one.key, one.config}
		check.check()
		if at, err := endpoint.Parse(one.address); err == nil && at.Service != "" {
			check.service(one.addressKey, one.address)
		}
	}
}

// check checks all but what the server's address decides.
func (c loginCheck) check() {
	c.kinds()
	c.oauth2()
	c.tls(c.key+".tls_config", c.config.TLS)
	c.proxy(c.key+".proxy_url", c.config.ProxyURL)
	c.headers()
	c.references()
}

// kinds allows one kind of login, and only a whole one.
func (c loginCheck) kinds() {
	var given []string
	if c.config.Authorization != (Authorization{}) {
		given = append(given, "authorization")
		c.required("authorization.credentials", c.config.Authorization.Credentials.String())
		if kind := strings.TrimSpace(c.config.Authorization.Type); strings.EqualFold(kind, "basic") {
			c.add(c.key+".authorization.type", kind, c.remove(c.key+".authorization"), "use %s.basic_auth in its place", c.key)
		} else if !httpguts.ValidHeaderFieldName(kind) && kind != "" {
			c.add(c.key+".authorization.type", "", c.setPath(c.key+".authorization.type", "Bearer"),
				"one word is needed, such as Bearer")
		}
	}
	if c.config.BasicAuth != (BasicAuth{}) {
		given = append(given, "basic_auth")
		c.required("basic_auth.username", string(c.config.BasicAuth.Username))
		c.required("basic_auth.password", c.config.BasicAuth.Password.String())
	}
	if c.config.OAuth2.IsSet() {
		given = append(given, "oauth2")
	}
	if len(given) > 1 {
		c.add(c.key, "", c.remove(c.key+"."+given[1]), "%s exclude each other", strings.Join(given, " and "))
	}
}

// required asks for a field that the one beside it cannot do without.
func (c loginCheck) required(field, value string) {
	if value == "" {
		example := "NAME/KEY"
		if !isReference(field) {
			example = "VALUE"
		}
		c.add(c.key+"."+field, "", c.setPath(c.key+"."+field, example), "missing")
	}
}

func isReference(field string) bool {
	return strings.HasSuffix(field, "credentials") || strings.HasSuffix(field, "password") ||
		strings.HasSuffix(field, "secret") || strings.HasSuffix(field, "key")
}

func (c loginCheck) oauth2() {
	if !c.config.OAuth2.IsSet() {
		return
	}
	c.required("oauth2.client_id", string(c.config.OAuth2.ClientID))
	c.required("oauth2.client_secret", c.config.OAuth2.ClientSecret.String())
	c.required("oauth2.token_url", c.config.OAuth2.TokenURL)
	if c.config.OAuth2.TokenURL != "" {
		c.address(c.key+".oauth2.token_url", c.config.OAuth2.TokenURL, "https://login.example.com/oauth2/token")
	}
	c.tls(c.key+".oauth2.tls_config", c.config.OAuth2.TLS)
	c.proxy(c.key+".oauth2.proxy_url", c.config.OAuth2.ProxyURL)
}

// address wants an http(s) address without credentials.
func (c loginCheck) address(key, text, example string) {
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https":
		c.add(key, endpoint.Shown(text), c.setPath(key, example), "allowed is an http(s) address")
	case parsed.User != nil:
		c.add(key, endpoint.Shown(text), c.setPath(key, endpoint.Shown(text)), "%s", endpoint.ErrCredentials)
	}
}

func (c loginCheck) proxy(key, text string) {
	if text != "" {
		c.address(key, text, "http://proxy.example.com:3128")
	}
}

func (c loginCheck) tls(key string, t TLS) {
	for name, text := range map[string]string{"ca": t.CA, "cert": t.Cert} {
		if text != "" && !isCertificate(text) {
			c.add(key+"."+name, "", c.setPath(key+"."+name, "< "+name+".pem"),
				"no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")
		}
	}
	if (t.Cert == "") != (t.Key == SecretRef{}) {
		c.add(key, "", c.setPath(key+".cert", "< cert.pem")+" && "+c.setPath(key+".key", "NAME/KEY"),
			"cert and key go together")
	}
	if t.InsecureSkipVerify && t.CA != "" {
		c.add(key+".insecure_skip_verify", "true", c.remove(key+".insecure_skip_verify"),
			"ca says whom to trust; without the check nobody asks it")
	}
}

// isCertificate reports whether a text is one certificate in PEM or more.
func isCertificate(text string) bool {
	for rest, count := []byte(strings.TrimSpace(text)), 0; ; count++ {
		if len(rest) == 0 {
			return count > 0
		}
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			return false
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return false
		}
	}
}

func (c loginCheck) headers() {
	for _, name := range slices.Sorted(maps.Keys(c.config.Headers)) {
		header, key := c.config.Headers[name], c.key+".http_headers."+name
		if !httpguts.ValidHeaderFieldName(name) {
			c.add(key, "", c.remove(key), "no name of a header")
			continue
		}
		if _, reserved := config.ReservedHeaders[http.CanonicalHeaderKey(name)]; reserved {
			c.add(key, "", c.remove(key), "the client sets this header itself; %s.authorization, basic_auth or oauth2 log in",
				c.key)
			continue
		}
		if len(header.Values)+len(header.Secrets) == 0 {
			c.add(key, "", c.setPath(key+".values[0]", "VALUE"), "it has no value")
		}
		for i, value := range header.Values {
			if !httpguts.ValidHeaderFieldValue(string(value)) {
				c.add(fmt.Sprintf("%s.values[%d]", key, i), "", "", "no value of a header: it holds a control character")
			} else if kind := redact.KindOf(name, string(value)); kind != "" {
				c.add(fmt.Sprintf("%s.values[%d]", key, i), "", c.setSecret("secrets.NAME.KEY")+" && "+
					c.setPath(key+".secrets[0]", "NAME/KEY")+" && "+c.remove(key+".values"),
					"it holds %s, which the stack's file keeps in the open", kind)
			}
		}
	}
}

// references refuses what cannot be the name of a secret and its key, such as the credential itself, and does not show
// it.
func (c loginCheck) references() {
	for _, use := range c.config.uses(c.key) {
		if !isSecretName(use.ref) {
			c.add(use.by, "", c.setSecret("secrets.NAME.KEY")+" && "+c.setPath(use.by, "NAME/KEY"), "%s", errNoReference)
		}
	}
}

func isSecretName(ref SecretRef) bool {
	return len(validation.IsDNS1123Subdomain(ref.Secret)) == 0 && len(validation.IsConfigMapKey(ref.Key)) == 0
}

// service allows headers alone on the way through the API server.
func (c loginCheck) service(addressKey, address string) {
	rest := c.config
	rest.Headers = nil
	if rest.IsSet() {
		c.add(c.key, "", c.change(addressKey, "https://HOST"),
			"only http_headers are allowed where %s is %s: the way leads through the API server, which uses Authorization and "+
				"TLS for itself; give the http(s) address of the server", addressKey, address)
	}
	for _, name := range slices.Sorted(maps.Keys(c.config.Headers)) {
		if login.ForAPIServer(name) {
			c.add(c.key+".http_headers."+name, "", c.remove(c.key+".http_headers."+name),
				"the API server acts on this header, and %s leads through it", addressKey)
		}
	}
}
