package registry

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/vextrus/finance-rollout/build/images"
)

// serve starts a registry over dir and returns its address.
func serve(t *testing.T, dir string) (address string, stop func()) {
	t.Helper()
	handler, err := New(dir, log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	return strings.TrimPrefix(server.URL, "http://"), server.Close
}

func TestRegistryKeepsImagesAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	image, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	address, stop := serve(t, dir)
	reference, err := Push(t.Context(), image, address, "vextrus/finance", "week1")
	if err != nil {
		t.Fatal(err)
	}
	stop()

	restarted, stop := serve(t, dir)
	defer stop()
	for _, reference := range []string{strings.Replace(reference, address, restarted, 1), restarted +
		"/vextrus/finance:week1"} {
		if !Exists(t.Context(), reference) {
			t.Errorf("%s is gone after a restart", reference)
		}
		ref, err := name.ParseReference(reference, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		pulled, err := remote.Image(ref)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := pulled.Layers()
		if err != nil {
			t.Fatal(err)
		}
		content, err := layers[0].Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			t.Errorf("%s: the layer cannot be read: %v", reference, err)
		}
	}
	if Exists(t.Context(), restarted+"/vextrus/finance:week2") {
		t.Error("a tag that was never pushed exists")
	}
}

func TestCachePushesAgainWhatTheRegistryLost(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "pause")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "../../pause")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build a static program: %v\n%s", err, output)
	}
	image := images.Image{Binary: binary, Path: "/bin/pause"}
	cache := OpenCache(filepath.Join(t.TempDir(), "images.json"))
	address, stop := serve(t, t.TempDir())
	defer stop()
	var references []string
	for range 2 {
		reference, err := cache.Push(t.Context(), image, address, "local/x", "current")
		if err != nil {
			t.Fatal(err)
		}
		references = append(references, reference)
	}
	if references[0] != references[1] || !strings.Contains(references[0], "@sha256:") {
		t.Errorf("references %v", references)
	}
	empty, stopEmpty := serve(t, t.TempDir())
	defer stopEmpty()
	moved, err := cache.Push(t.Context(), image, empty, "local/x", "current")
	if err != nil {
		t.Fatal(err)
	}
	if !Exists(t.Context(), moved) || !strings.HasPrefix(moved, empty) {
		t.Errorf("%s was not pushed to the empty registry", moved)
	}
}
