package image

import (
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestCheckAsksForDigestsToo(t *testing.T) {
	host := newRegistry(t, open)
	built := image(t, "one", v1.Platform{OS: "linux", Architecture: "amd64"})
	push(t, host+"/team/app:1", built)
	want := digestOf(t, built)
	for _, reference := range []string{host + "/team/app:1", host + "/team/app@" + want, host + "/team/app:whatever@" +
		want} {
		if got, err := Check(t.Context(), reference, Options{}); err != nil || got != want {
			t.Errorf("%s: %s, %v", reference, got, err)
		}
	}
	for reference, word := range map[string]string{
		host + "/team/app@" + someDigest: "does not have",
		host + "/team/app:2":             "does not have",
		host + "/team/app":               "neither tag nor digest",
		"127.0.0.1:1/x@" + someDigest:    "check that it can be reached",
	} {
		if _, err := Check(t.Context(), reference, Options{}); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v; want %q", reference, err, word)
		}
	}
	refusing := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	if _, err := Check(t.Context(), refusing+"/team/app@"+want, Options{}); err == nil ||
		!strings.Contains(err.Error(), "refuses access") {
		t.Errorf("%v", err)
	}
}
