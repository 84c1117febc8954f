package prometheus

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
)

// An answer with a million series is not read to its end, and says what to do; one just within the bound is.
func TestAnAnswerWithoutEndIsAnError(t *testing.T) {
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[`)
		for sent = range 1_000_000 {
			_, err := fmt.Fprintf(w,
				`{"metric":{"__name__":"http_requests_total","user":"somebody %d"},"values":[[1767600000,"1"],[1767600015,"2"]]},`,
				sent)
			if err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, `{}]}}`)
	}))
	defer server.Close()
	client, err := api.NewClient(api.Config{Address: server.URL, RoundTripper: Bounded(api.DefaultRoundTripper)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(client).Samples(t.Context(), "http_requests_total", t0, t0.Add(time.Minute))
	if err == nil || !strings.Contains(err.Error(), "longer than 32 MiB") ||
		!strings.Contains(err.Error(), "metrics.selector") {
		t.Errorf("error %v", err)
	}
	if sent > 900_000 {
		t.Errorf("%d series were read", sent)
	}
}

func TestBoundsAreExact(t *testing.T) {
	for length, ok := range map[int]bool{0: true, 9: true, 10: true, 11: false, 4000: false} {
		body := &boundedBody{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", length))), left: 10, most: 10}
		if got, err := io.ReadAll(body); (err == nil) != ok || ok && len(got) != length || len(got) > 10 {
			t.Errorf("%d bytes: %d are read, %v", length, len(got), err)
		}
	}
}
