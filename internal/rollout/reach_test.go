package rollout

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// apiServer is a cluster whose Services are reached through a server that records its requests.
type apiServer struct {
	ledgerOnly
	address, service string
}

func (a *apiServer) ServiceProxy(namespace, service string, _ int) (transport http.RoundTripper, baseURL string) {
	a.service = namespace + "/" + service
	return http.DefaultTransport, a.address + "/api/proxy"
}

func TestAServiceOfTheClusterIsReachedThroughTheAPIServer(t *testing.T) {
	var asked, signature string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		asked, signature = request.URL.RequestURI(), request.Header.Get("X-Rollout-Signature")
	}))
	defer server.Close()
	for address, want := range map[string]string{
		"http://relay.monitoring.svc:8080/events?a=b":                        "/api/proxy/events?a=b",
		"http://relay.monitoring.svc.cluster.local/":                         "/api/proxy/",
		strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/direct": "/direct",
	} {
		cluster := &apiServer{address: server.URL}
		r := &Rollout{Cluster: cluster}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Rollout-Signature", "sha256=1")
		answer, err := r.webhookTransport().RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if asked != want || signature != "sha256=1" || want != "/direct" && cluster.service != "monitoring/relay" {
			t.Errorf("%s: asked %s of %q, signature %q", address, asked, cluster.service, signature)
		}
	}
	if (&Rollout{Cluster: &ledgerOnly{}}).webhookTransport() != http.DefaultTransport {
		t.Error("a cluster without a proxy is not reached directly")
	}
}
