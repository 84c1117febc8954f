package command

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// The login of an address is a file of the folder, and nothing outside of it.
func TestTheClientOfAnAddressLogsIn(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "3f2a9c01d4e5b677"),
		[]byte(`{"http_headers":{"X-Api-Key":{"secrets":["k8Ro-2pQz"]}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("X-Api-Key")
	}))
	defer server.Close()
	flags := guardFlags{ownLogins: folder}
	for name, want := range map[string]string{"3f2a9c01d4e5b677": "k8Ro-2pQz", "": ""} {
		client, err := flags.ownClient(name)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if got := <-keys; got != want {
			t.Errorf("login %q sends the key %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"../secret", "/etc/passwd", "..", "a/b"} {
		if _, err := flags.ownClient(name); err == nil {
			t.Errorf("login %q is a file", name)
		}
	}
	if _, err := (&guardFlags{}).ownClient("3f2a9c01d4e5b677"); err == nil {
		t.Error("there is a login without a folder")
	}
}
