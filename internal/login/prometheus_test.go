package login

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/config"
)

// Prometheus' own reader takes the same documents, and its client sends the same headers.
func TestPrometheusSendsTheSame(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"acc3ss-`+r.FormValue("scope")+`","token_type":"Bearer"}`)
	})
	var got http.Header
	mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for name, given := range map[string]object{
		"nothing": {}, "bearer": {"authorization": object{"credentials": "t0ken-value"}},
		"a scheme": {"authorization": object{"type": " Token ", "credentials": "t0ken-value"}},
		"basic":    {"basic_auth": object{"username": "123456", "password": "p4ss: \"<\\é"}},
		"oauth2": {"oauth2": object{"client_id": "a", "client_secret": "b", "token_url": server.URL + "/token",
			"scopes": []string{"c", "d"}, "endpoint_params": object{"audience": "e"}}},
		"headers": {"http_headers": object{"x-scope-orgid": object{"values": []string{"a", "b"},
			"secrets": []string{"c"}}}, "authorization": object{"credentials": "t0ken-value"}},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(given)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := config.LoadHTTPConfig(string(raw))
			if err != nil {
				t.Fatal(err)
			}
			client, err := config.NewClientFromConfig(*theirs, "test")
			if err != nil {
				t.Fatal(err)
			}
			sent := func(client *http.Client) http.Header {
				answer, err := client.Get(server.URL)
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				got.Del("Accept-Encoding")
				return got
			}
			want := sent(client)
			ours := sent(&http.Client{Transport: New(document(t, given)).Direct()})
			if diff := cmp.Diff(want, ours); diff != "" {
				t.Errorf("(-Prometheus +ours)\n%s", diff)
			}
		})
	}
}
