// Package login lets an HTTP client into a Prometheus, a Thanos, a Mimir or an Alertmanager: by bearer token, basic
// authentication, OAuth 2, client certificate, private CA, headers or a proxy. It takes the credentials from a document
// in the form of Prometheus' own http_config; the tests compare it with Prometheus' own client. That client cannot be
// used here: it brings html/template along, which makes the guard half as large again.
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

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// Document gives an http_config with its credentials, as JSON. It is read before every request, so that a changed
// credential counts at once.
type Document func(ctx context.Context) (string, error)

// Login gives transports that log in.
type Login struct {
	read   Document
	direct *transport
}

var _ endpoint.Login = (*Login)(nil)

// New makes a Login of a document.
func New(read Document) *Login {
	return &Login{read, &transport{read: read, build: httpConfig.transport}}
}

// Direct implements [endpoint.Login]. It is one transport, so that its connections and tokens are used again.
func (l *Login) Direct() http.RoundTripper { return l.direct }

// errOnlyHeaders is the error of a login that the API server would take for its own, or never pass on.
var errOnlyHeaders = errors.New("only http_headers reach a Service through the API server, which uses " +
	"Authorization and TLS for itself: give the server's http(s) address in place of namespace/service:port")

// Through implements [endpoint.Login]. It sends headers, and refuses everything else.
func (l *Login) Through(proxy http.RoundTripper) http.RoundTripper {
	return &transport{read: l.read, build: func(c httpConfig) (http.RoundTripper, error) {
		if c.Authorization != nil || c.BasicAuth != nil || c.OAuth2 != nil || c.ProxyURL != "" || c.TLS != (tlsConfig{}) {
			return nil, errOnlyHeaders
		}
		for name := range c.Headers {
			if ForAPIServer(name) {
				return nil, fmt.Errorf("header %s is for the API server itself: %w", name, errOnlyHeaders)
			}
		}
		return sender{next: proxy, headers: c.headers()}, nil
	}}
}

// ForAPIServer reports whether the API server acts on a header in place of passing it on.
func ForAPIServer(header string) bool {
	name := textproto.CanonicalMIMEHeaderKey(header)
	return name == "Authorization" || strings.HasPrefix(name, "Impersonate-") || strings.HasPrefix(name, "X-Remote-")
}
