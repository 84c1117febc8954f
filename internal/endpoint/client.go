package endpoint

import (
	"fmt"
	"net/http"
)

// Proxy reaches a port of a Service through the API server. The Client of internal/kube implements it.
type Proxy interface {
	ServiceProxy(namespace, service string, port int) (transport http.RoundTripper, baseURL string)
}

// Login is what a server wants to know of a client. The Login of internal/login implements it.
type Login interface {
	// Direct is the transport to a server by its own address.
	Direct() http.RoundTripper
	// Through is the transport to a Service behind the API server's proxy. It must not carry credentials in the
	// Authorization header, which is the API server's.
	Through(proxy http.RoundTripper) http.RoundTripper
}

// Way is the way to the cluster's Services: by DNS name from inside a pod, else through the API server.
type Way struct {
	Proxy Proxy
	InPod bool
	// Login is nil for a server that lets everybody in.
	Login Login
}

// Client gives an HTTP client and the base address for an endpoint in the form that [Parse] reads. It sends no request.
// The client has no timeout: the context of each request bounds it.
func (w Way) Client(text string) (*http.Client, string, error) {
	at, err := Parse(text)
	if err != nil {
		return nil, "", fmt.Errorf("%q: %w", Shown(text), err)
	}
	client, address := w.Reach(at)
	return client, address, nil
}

// Reach is [Way.Client] for a parsed endpoint.
func (w Way) Reach(at Endpoint) (*http.Client, string) {
	switch {
	case at.URL != "":
		return w.direct(), at.URL
	case w.InPod:
		return w.direct(), fmt.Sprintf("http://%s.%s.svc:%d", at.Service, at.Namespace, at.Port)
	default:
		transport, address := w.Proxy.ServiceProxy(at.Namespace, at.Service, at.Port)
		if w.Login != nil {
			return loggedIn(w.Login.Through(transport)), address
		}
		return &http.Client{Transport: transport}, address
	}
}

func (w Way) direct() *http.Client {
	if w.Login == nil {
		return &http.Client{}
	}
	return loggedIn(w.Login.Direct())
}

// loggedIn is a client that follows no redirect: what it sends is for the server of the settings alone.
func loggedIn(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}
