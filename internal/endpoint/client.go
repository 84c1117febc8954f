package endpoint

import (
	"fmt"
	"net/http"
)

// Proxy reaches a port of a Service through the API server; internal/kube's Client does.
type Proxy interface {
	ServiceProxy(namespace, service string, port int) (transport http.RoundTripper, baseURL string)
}

// Way is how Services of the cluster are reached: by their names from a pod, or else through the API server.
type Way struct {
	Proxy Proxy
	InPod bool
}

// Client gives an HTTP client and the base address for an endpoint in the form that [Parse] reads. Nothing is asked
// yet. The client has no timeout: the context of a request bounds it.
func (w Way) Client(text string) (*http.Client, string, error) {
	at, err := Parse(text)
	if err != nil {
		return nil, "", fmt.Errorf("%q: %w", text, err)
	}
	client, address := w.Reach(at)
	return client, address, nil
}

// Reach is [Way.Client] for an endpoint that is parsed already.
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
