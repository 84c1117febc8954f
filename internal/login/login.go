// Package login lets an HTTP client into a Prometheus, a Thanos, a Mimir or an Alertmanager: by bearer token, basic
// authentication, OAuth 2, client certificate, private CA, headers or a proxy. It takes the credentials from a document
// in the form of Prometheus' own http_config, and the client is Prometheus' own.
//
// No credential is in an error or in the answer of a server that refuses a request: both are printed, logged and kept
// in the ledger.
package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/prometheus/common/config"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// Document gives an http_config with its credentials, as YAML or JSON. It is read before every request, so that a
// changed credential counts at once.
type Document func(ctx context.Context) (string, error)

// Login gives transports that log in.
type Login struct {
	read   Document
	direct *transport
}

var _ endpoint.Login = (*Login)(nil)

// New makes a Login of a document.
func New(read Document) *Login {
	return &Login{read, &transport{read: read, build: func(c *config.HTTPClientConfig) (http.RoundTripper, error) {
		return config.NewRoundTripperFromConfig(*c, "finance-rollout")
	}}}
}

// Direct implements [endpoint.Login]. It is one transport, so that its connections and tokens are used again.
func (l *Login) Direct() http.RoundTripper { return l.direct }

// errOnlyHeaders is the error of a login that the API server would take for its own, or never pass on.
var errOnlyHeaders = errors.New("only http_headers reach a Service through the API server, which uses Authorization and " +
	"TLS for itself: give the server's http(s) address in place of namespace/service:port")

// Through implements [endpoint.Login]. It sends headers, and refuses everything else.
func (l *Login) Through(proxy http.RoundTripper) http.RoundTripper {
	return &transport{read: l.read, build: func(c *config.HTTPClientConfig) (http.RoundTripper, error) {
		if c.BasicAuth != nil || c.Authorization != nil || c.OAuth2 != nil || c.ProxyURL.URL != nil ||
			c.TLSConfig != (config.TLSConfig{}) {
			return nil, errOnlyHeaders
		}
		if c.HTTPHeaders == nil {
			return proxy, nil
		}
		for name := range c.HTTPHeaders.Headers {
			if ForAPIServer(name) {
				return nil, fmt.Errorf("header %s is for the API server itself: %w", name, errOnlyHeaders)
			}
		}
		return config.NewHeadersRoundTripper(c.HTTPHeaders, proxy), nil
	}}
}

// ForAPIServer reports whether the API server acts on a header in place of passing it on.
func ForAPIServer(header string) bool {
	name := textproto.CanonicalMIMEHeaderKey(header)
	return name == "Authorization" || strings.HasPrefix(name, "Impersonate-") || strings.HasPrefix(name, "X-Remote-")
}

// parse reads a document. The error does not quote it: it holds credentials.
func parse(document string) (*config.HTTPClientConfig, error) {
	if strings.TrimSpace(document) == "" {
		parsed := config.DefaultHTTPClientConfig
		return &parsed, nil
	}
	parsed, err := config.LoadHTTPConfig(document)
	if err != nil {
		return nil, errors.New("it is not an http_config as Prometheus reads it")
	}
	parsed.FollowRedirects = false
	return parsed, nil
}

// credentials lists what must not be shown of a document.
func credentials(c *config.HTTPClientConfig) []string {
	list := []string{string(c.TLSConfig.Key)}
	if c.Authorization != nil {
		list = append(list, string(c.Authorization.Credentials))
	}
	if c.BasicAuth != nil {
		list = append(list, string(c.BasicAuth.Password), c.BasicAuth.Username+":"+string(c.BasicAuth.Password))
	}
	if c.OAuth2 != nil {
		list = append(list, string(c.OAuth2.ClientSecret), string(c.OAuth2.TLSConfig.Key))
	}
	if c.HTTPHeaders != nil {
		for _, header := range c.HTTPHeaders.Headers {
			for _, secret := range header.Secrets {
				list = append(list, string(secret))
			}
		}
	}
	return list
}
