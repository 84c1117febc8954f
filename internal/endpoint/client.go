package endpoint

import (
	"fmt"
	"net/http"
)

// Proxy reaches a port of a Service through the API server. The Client of internal/kube implements it.
type Proxy interface {
	ServiceProxy(namespace, service string, port int) (transport http.RoundTripper, baseURL string)
}

// Way is the way to the cluster's Services: by DNS name from inside a pod, else through the API server.
type Way struct {
	Proxy Proxy
	InPod bool
}

// Client gives an HTTP client and the base address for an endpoint in the form that [Parse] reads. It sends no request.
// The client has no timeout: the context of each request bounds it.
func (w Way) Client(text string) (*http.Client, string, error) {
	at, err := Parse(text)
	if err != nil {
		return nil, "", fmt.Errorf("%q: %w", text, err)
	}
	client, address := w.Reach(at)
	return client, address, nil
}

// Reach is [Way.Client] for a parsed endpoint.
func (w Way) Reach(at Endpoint) (*http.Client, string) {
	switch {
	case at.URL != "":
		return &http.Client{}, at.URL
	case w.InPod:
		return &http.Client{}, fmt.Sprintf("http://%s.%s.svc:%d", at.Service, at.Namespace, at.Port)
	default:
		transport, address := w.Proxy.ServiceProxy(at.Namespace, at.Service, at.Port)
		return &http.Client{Transport: transport}, address
	}
}
