package rollout

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// nearWebhooks reaches webhooks that are Services of the cluster through the API server, as Prometheus is reached: an
// update runs on a machine that does not know the cluster's names. All others are reached directly.
type nearWebhooks struct{ proxy endpoint.Proxy }

var inCluster = regexp.MustCompile(`^([a-z0-9-]+)\.([a-z0-9-]+)\.svc(\.cluster\.local)?$`)

// RoundTrip implements http.RoundTripper.
func (n nearWebhooks) RoundTrip(request *http.Request) (*http.Response, error) {
	names := inCluster.FindStringSubmatch(request.URL.Hostname())
	if names == nil || request.URL.Scheme != "http" {
		return http.DefaultTransport.RoundTrip(request)
	}
	port := 80
	if text := request.URL.Port(); text != "" {
		var err error
		if port, err = strconv.Atoi(text); err != nil {
			return nil, err
		}
	}
	transport, address := n.proxy.ServiceProxy(names[2], names[1], port)
	base, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	proxied := request.Clone(request.Context())
	proxied.URL = base.JoinPath(request.URL.EscapedPath())
	proxied.URL.RawQuery, proxied.Host = request.URL.RawQuery, base.Host
	return transport.RoundTrip(proxied)
}

// webhookTransport is the way to the webhooks.
func (r *Rollout) webhookTransport() http.RoundTripper {
	if proxy, ok := r.Cluster.(endpoint.Proxy); ok {
		return nearWebhooks{proxy}
	}
	return http.DefaultTransport
}
