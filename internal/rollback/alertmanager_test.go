package rollback

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestPush(t *testing.T) {
	tests := []struct {
		name     string
		statuses []int // of the answers, the last one for all that follow
		tries    int
		want     string // of the error; empty for none
	}{
		{"taken", []int{200}, 1, ""},
		{"taken at the second try", []int{503, 200}, 2, ""},
		{"refused", []int{400}, 1, "status 400"},
		{"ill", []int{500}, pushTries, "status 500"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []Notice
			tries := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/v2/alerts" || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s with %s", r.URL.Path, r.Header.Get("Content-Type"))
				}
				got = nil
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
					t.Error(err)
				}
				w.WriteHeader(tt.statuses[min(tries, len(tt.statuses)-1)])
				tries++
			}))
			defer server.Close()
			notice := Notice{Labels: map[string]string{"alertname": "CanaryRolledBack"}, StartsAt: time.Unix(1, 0).UTC(),
				EndsAt: time.Unix(2, 0).UTC()}
			err := Alertmanager{Client: server.Client(), Address: server.URL + "/"}.Push(t.Context(), notice)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if tries != tt.tries || len(got) != 1 || got[0].Labels["alertname"] != "CanaryRolledBack" ||
				!got[0].StartsAt.Equal(notice.StartsAt) {
				t.Errorf("%d tries, %+v", tries, got)
			}
		})
	}
}

func TestPushToNobody(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if err := (Alertmanager{Client: http.DefaultClient, Address: server.URL}).Push(t.Context(), Notice{}); err == nil ||
		!strings.Contains(err.Error(), "send the alert to alertmanager ") {
		t.Errorf("error %v", err)
	}
}
