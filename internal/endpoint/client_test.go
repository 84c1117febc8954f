package endpoint

import (
	"errors"
	"net/http"
	"testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// apiServer is a proxy that records the Service it was asked for.
type apiServer struct {
	namespace, service string
	port               int
	http.RoundTripper
}

func (a *apiServer) ServiceProxy(namespace, service string, port int) (http.RoundTripper, string) {
	a.namespace, a.service, a.port = namespace, service, port
	return a, "https://api/proxy"
}

func TestTheWayToAnEndpoint(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		inPod   bool
		address string
		proxied bool
	}{
		"an address":             {text: "https://prometheus.example/", address: "https://prometheus.example"},
		"an address, from a pod": {text: "http://p:9090", inPod: true, address: "http://p:9090"},
		"a Service, from a pod": {text: "monitoring/p:9090", inPod: true,
			address: "http://p.monitoring.svc:9090"},
		"a Service, from outside the cluster": {text: "monitoring/p:9090", address: "https://api/proxy", proxied: true},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := &apiServer{}
			client, address, err := Way{Proxy: proxy, InPod: tt.inPod}.Client(tt.text)
			if err != nil || address != tt.address {
				t.Fatalf("%s, %v; want %s", address, err, tt.address)
			}
			if client.Timeout != 0 {
				t.Errorf("a timeout of %v besides the context's", client.Timeout)
			}
			if proxied := client.Transport == http.RoundTripper(proxy); proxied != tt.proxied {
				t.Errorf("through the API server: %v", proxied)
			}
			if tt.proxied && (proxy.namespace != "monitoring" || proxy.service != "p" || proxy.port != 9090) {
				t.Errorf("asked for %+v", proxy)
			}
		})
	}
}

func TestNoWayToANonsenseEndpoint(t *testing.T) {
	_, _, err := Way{}.Client("monitoring/p")
	testkit.WantError(t, err, `"monitoring/p"`, "namespace/service:port")
}

// passport is a Login that marks the transports which it gave.
type passport struct{ direct, through *apiServer }

func (p passport) Direct() http.RoundTripper { return p.direct }
func (p passport) Through(next http.RoundTripper) http.RoundTripper {
	p.through.RoundTripper = next
	return p.through
}

func TestALoginIsOnEveryWay(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		inPod   bool
		through bool
	}{
		"an address":                          {text: "https://prometheus.example"},
		"a Service, from a pod":               {text: "monitoring/p:9090", inPod: true},
		"a Service, from outside the cluster": {text: "monitoring/p:9090", through: true},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, login := &apiServer{}, passport{direct: &apiServer{}, through: &apiServer{}}
			client, _, err := Way{Proxy: proxy, InPod: tt.inPod, Login: login}.Client(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			want := http.RoundTripper(login.direct)
			if tt.through {
				want = login.through
			}
			if client.Transport != want || tt.through && login.through.RoundTripper != http.RoundTripper(proxy) {
				t.Errorf("transport %+v", client.Transport)
			}
			if client.CheckRedirect == nil || !errors.Is(client.CheckRedirect(nil, nil), http.ErrUseLastResponse) {
				t.Error("it follows redirects")
			}
		})
	}
}

func TestAnErrorShowsNoPassword(t *testing.T) {
	_, _, err := Way{}.Client("https://ann:s3cr3t@prometheus.example")
	testkit.WantError(t, err, `"https://prometheus.example"`, "a user and a password")
}
