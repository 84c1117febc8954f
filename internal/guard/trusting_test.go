package guard

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// securePod serves a page with a certificate of the authority, and gives its address.
func securePod(t *testing.T, authority *testkit.Authority) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	server.TLS = authority.Server(t, false)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// A certificate counts when the file's authority has issued it, and a changed file counts at the next scrape.
func TestPodsOfAPrivateAuthorityAreScraped(t *testing.T) {
	first, second := testkit.NewAuthority(t), testkit.NewAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	written := time.Now().Add(-time.Hour)
	write := func(text string) {
		t.Helper()
		written = written.Add(time.Minute)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, written, written); err != nil {
			t.Fatal(err)
		}
	}
	client := newScrapeClient(&ScrapeTLS{CAFile: file})
	address := securePod(t, first)
	ask := func() error {
		answer, err := client.Get(address)
		if err == nil {
			answer.Body.Close()
		}
		client.CloseIdleConnections()
		return err
	}
	if err := ask(); err == nil || !strings.Contains(err.Error(), "metrics.tls.ca") {
		t.Errorf("without a file: %v", err)
	}
	write("no certificate")
	if err := ask(); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("with an empty file: %v", err)
	}
	write(first.PEM)
	if err := ask(); err != nil {
		t.Errorf("its own authority: %v", err)
	}
	write(second.PEM)
	if err := ask(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another authority: %v", err)
	}
	write(second.PEM + first.PEM)
	if err := ask(); err != nil {
		t.Errorf("both authorities: %v", err)
	}
}
