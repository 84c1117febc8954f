package prometheus

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/login"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestConnect(t *testing.T) {
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"scalar","result":[1772442000,"1"]}}`)
	}))
	t.Cleanup(server.Close)
	client, err := Connect(endpoint.Way{}, server.URL+"/prefix")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Ask(t.Context(), "1", t0); err != nil || asked != "/prefix/api/v1/query" {
		t.Errorf("asked %s, %v", asked, err)
	}
}

// The bound of an answer holds for every client, with its own transport or the default one.
func TestConnectedClientsAreBounded(t *testing.T) {
	endless := roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(io.LimitReader(zeros{}, mostAnswer+1))}, nil
	})
	client, err := NewClient(&http.Client{Transport: endless}, "http://prometheus")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Ask(t.Context(), "1", t0)
	testkit.WantError(t, err, "longer than 32 MiB", "metrics.selector")
}

// A server that wants another login says so, and one that redirects to a page for it is an error.
func TestALoginThatIsNotAccepted(t *testing.T) {
	for status, want := range map[int][]string{
		http.StatusUnauthorized: {"client_error", "no credentials", "prometheusAuth"},
		http.StatusFound:        {"bad_response"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer t0ken-value" {
				t.Error("without the token")
			}
			w.Header().Set("Location", "/login")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "no credentials")
		}))
		t.Cleanup(server.Close)
		client, err := Connect(endpoint.Way{Login: login.New(func(context.Context) (string, error) {
			return `{"authorization":{"credentials":"t0ken-value"}}`, nil
		})}, server.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Ask(t.Context(), "1", t0)
		testkit.WantError(t, err, want...)
	}
}

func TestConnectRefuses(t *testing.T) {
	_, err := Connect(endpoint.Way{}, "monitoring/prometheus")
	testkit.WantError(t, err, "prometheus", "monitoring/prometheus", "namespace/service:port")
	_, err = NewClient(&http.Client{}, "http://a b")
	testkit.WantError(t, err, "http://a b")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	return strings.NewReader(strings.Repeat("0", len(p))).Read(p)
}
