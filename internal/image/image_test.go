package image

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// newRegistry starts a registry behind a filter, which may answer in its place, and gives its host.
func newRegistry(t *testing.T, filter func(w http.ResponseWriter, r *http.Request) (answered bool)) string {
	t.Helper()
	// No credentials of the machine may reach a test.
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	serve := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !filter(w, r) {
			serve.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func open(http.ResponseWriter, *http.Request) bool { return false }

// image makes an image that differs by its label.
func image(t *testing.T, label string, platform v1.Platform) v1.Image {
	t.Helper()
	built, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Architecture, Config: v1.Config{Labels: map[string]string{"label": label}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func digestOf(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	hash, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

func push(t *testing.T, reference string, what v1.Image) {
	t.Helper()
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, what); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	host := newRegistry(t, open)
	reference := host + "/team/finance:1.2.3"
	first, second := image(t, "first", v1.Platform{}), image(t, "second", v1.Platform{})
	for _, pushed := range []v1.Image{first, second} {
		push(t, reference, pushed)
		got, err := Resolve(t.Context(), reference, Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := Ref{Name: host + "/team/finance", Tag: "1.2.3", Digest: digestOf(t, pushed)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if text := reference + "@" + want.Digest; got.String() != text {
			t.Errorf("reference is %s, want %s", got, text)
		}
	}
	if digestOf(t, first) == digestOf(t, second) {
		t.Error("both images have the same digest: the test shows nothing")
	}
}

func TestResolvePinned(t *testing.T) {
	for reference, want := range map[string]Ref{
		"unreachable.invalid/a/b@" + someDigest: {Name: "unreachable.invalid/a/b", Digest: someDigest},
		"unreachable.invalid:5000/a/b:1.2@" + someDigest: {Name: "unreachable.invalid:5000/a/b", Tag: "1.2",
			Digest: someDigest},
		"vextrus/finance@" + someDigest: {Name: "vextrus/finance", Digest: someDigest},
	} {
		got, err := Resolve(t.Context(), reference, Options{Transport: noNetwork{t}})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", reference, err, diff)
		}
		if got.String() != reference {
			t.Errorf("%s is written as %s", reference, got)
		}
	}
}

type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(request *http.Request) (*http.Response, error) {
	n.t.Errorf("asked for %s", request.URL)
	return nil, errors.New("no network here")
}

func TestResolveRefuses(t *testing.T) {
	tests := []struct {
		reference string
		options   Options
		want      []string
	}{
		{"", Options{}, []string{"is empty", "registry.example/team/app:1.2.3"}},
		{"UPPER/Case:1", Options{}, []string{`"UPPER/Case:1" is malformed`, "name:tag"}},
		{"a/b:", Options{}, []string{`"a/b:"`}},
		{"a/b@sha256:12", Options{}, []string{`"a/b@sha256:12" is malformed`}},
		// A digest in another spelling is no other image: the latch of the one would not keep the other out.
		{"a/b@" + strings.ToUpper(someDigest), Options{}, []string{"is malformed"}},
		{"a/b@sha256:" + strings.ToUpper(strings.TrimPrefix(someDigest, "sha256:")), Options{}, []string{"is malformed"}},
		{"a/b@sha512:" + strings.Repeat("ab", 64), Options{}, []string{"is malformed"}},
		{"a/b@" + someDigest + "@" + someDigest, Options{}, []string{"is malformed"}},
		{"a/b@" + someDigest + " ", Options{}, []string{"is malformed"}},
		{"a/b@" + someDigest + "00", Options{}, []string{"is malformed"}},
		{"a b:1", Options{}, []string{`"a b:1" is malformed`}},
		{"vextrus/finance", Options{}, []string{"neither tag nor digest", "vextrus/finance:1.2.3", "not even latest"}},
		{"localhost:5000/finance", Options{}, []string{"neither tag nor digest"}},
		{"localhost:5000/finance:1", Options{Username: "me"}, []string{"incomplete", "both username and password"}},
		{"localhost:5000/finance:1", Options{Platform: "linux"}, []string{`platform "linux"`, "linux/amd64"}},
	}
	for _, test := range tests {
		test.options.Transport = noNetwork{t}
		_, err := Resolve(t.Context(), test.reference, test.options)
		testkit.WantError(t, err, test.want...)
	}
}

func TestResolveNotFound(t *testing.T) {
	host := newRegistry(t, open)
	push(t, host+"/team/finance:1", image(t, "x", v1.Platform{}))
	for _, reference := range []string{host + "/team/finance:2", host + "/team/other:1"} {
		_, err := Resolve(t.Context(), reference, Options{})
		testkit.WantError(t, err, reference, "registry "+host+" does not have", "push it, or correct the reference")
	}
}

func TestResolveCredentials(t *testing.T) {
	host := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, ok := r.BasicAuth(); ok && user == "me" && password == "s3cret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	reference := host + "/team/finance:1"
	for _, options := range []Options{{}, {Username: "me", Password: "wrong-s3cret"}} {
		_, err := Resolve(t.Context(), reference, options)
		testkit.WantError(t, err, reference, "refuses access to team/finance (status 401)", "give credentials")
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("error shows the password: %v", err)
		}
	}
	_, err := Resolve(t.Context(), reference, Options{Username: "me", Password: "s3cret"})
	testkit.WantError(t, err, "does not have team/finance:1")
}

// Some registries and proxies refuse HEAD, or answer it without a digest.
func TestResolveWithoutHead(t *testing.T) {
	var refuse atomic.Bool
	host := newRegistry(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !refuse.Load() || r.Method != http.MethodHead || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
		return true
	})
	pushed := image(t, "x", v1.Platform{})
	tag := host + "/team/finance:1"
	push(t, tag, pushed)
	refuse.Store(true)
	got, err := Resolve(t.Context(), tag, Options{})
	if err != nil || got.Digest != digestOf(t, pushed) {
		t.Errorf("got %s, %v; want %s", got, err, digestOf(t, pushed))
	}
}

func TestResolvePlatform(t *testing.T) {
	host := newRegistry(t, open)
	amd, arm := v1.Platform{OS: "linux", Architecture: "amd64"}, v1.Platform{OS: "linux", Architecture: "arm64"}
	images := map[string]v1.Image{"linux/amd64": image(t, "amd", amd), "linux/arm64": image(t, "arm", arm)}
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: images["linux/amd64"], Descriptor: v1.Descriptor{Platform: &amd}},
		mutate.IndexAddendum{Add: images["linux/arm64"], Descriptor: v1.Descriptor{Platform: &arm}})
	reference := host + "/team/finance:1"
	tag, err := name.NewTag(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	for platform, want := range map[string]string{
		"": digestOf(t, index), "linux/amd64": digestOf(t, images["linux/amd64"]),
		"linux/arm64": digestOf(t, images["linux/arm64"]),
	} {
		got, err := Resolve(t.Context(), reference, Options{Platform: platform})
		if err != nil || got.Digest != want {
			t.Errorf("platform %q: %s, %v; want %s", platform, got.Digest, err, want)
		}
	}
	_, err = Resolve(t.Context(), reference, Options{Platform: "linux/s390x"})
	testkit.WantError(t, err, reference, "s390x")
}

func TestResolveUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	reference := strings.TrimPrefix(gone.URL, "http://") + "/team/finance:1"
	_, err := Resolve(t.Context(), reference, Options{})
	testkit.WantError(t, err, reference, "connection refused", "check that it can be reached")
}

func TestResolveGivesUp(t *testing.T) {
	release := make(chan struct{})
	host := newRegistry(t, func(http.ResponseWriter, *http.Request) bool {
		<-release
		return true
	})
	t.Cleanup(func() { close(release) })
	_, err := Resolve(t.Context(), host+"/team/finance:1", Options{Timeout: 50 * time.Millisecond})
	testkit.WantError(t, err, "registry "+host, "no answer within 50ms")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	_, err = Resolve(ctx, host+"/team/finance:1", Options{})
	testkit.WantError(t, err, "interrupted")
}

func TestResolveServerError(t *testing.T) {
	host := newRegistry(t, func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusTeapot)
		return true
	})
	_, err := Resolve(t.Context(), host+"/team/finance:1", Options{})
	testkit.WantError(t, err, "answered with status 418", "try again later")
}
