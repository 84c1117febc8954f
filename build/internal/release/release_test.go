package release

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// checkout is a repository with one small program.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, "go.mod", "module example.com/hello\n\ngo 1.26\n")
	write(t, root, "cmd/hello/main.go", "package main\n\nimport \"example.com/hello/version\"\n\n"+
		"func main() { println(\"hello\", version.String()) }\n")
	write(t, root, "version/version.go", "package version\n\nvar version, revision string\n\n"+
		"// String is both.\nfunc String() string { return version + \" \" + revision }\n")
	write(t, root, "cmd/small/main.go", "package main\n\nfunc main() { println(\"small\") }\n")
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet",
			"--message", "hello"}, {"tag", "v1.2.3"},
	} {
		command := exec.CommandContext(t.Context(), "git", args...)
		command.Dir = root
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, output)
		}
	}
	return root
}

func head(t *testing.T, root string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD")
	command.Dir = root
	revision, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(revision))
}

// A commit without a tag is a version of its own, and one with the tag of another kind as well.
func TestStampOf(t *testing.T) {
	root := checkout(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "v1.2.3"},
		{[]string{"tag", "v1.3.0-rc.1"}, "v1.3.0-rc.1"},
		{[]string{"tag", "latest"}, "v1.3.0-rc.1"},
		{[]string{"tag", "v1.3.0"}, "v1.3.0"},
		{[]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--allow-empty", "--message",
			"x"}, "v0.0.0-"},
	} {
		if tt.args != nil {
			command := exec.CommandContext(t.Context(), "git", tt.args...)
			command.Dir = root
			if output, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
		}
		stamp, err := StampOf(t.Context(), root)
		if err != nil || !strings.HasPrefix(stamp.Version, tt.want) || stamp.Revision != head(t, root) {
			t.Errorf("after %q: %s, %v, want %s", tt.args, stamp, err, tt.want)
		}
	}
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func options(t *testing.T, root string) Options {
	return Options{
		Root: root, Out: filepath.Join(t.TempDir(), "out"), Package: "./cmd/hello", Name: "hello",
		ImagePackage: "./cmd/small", ImageName: "hello-small", Platforms: []Platform{{"linux", runtime.GOARCH}},
		VersionPackage: "example.com/hello/version", Source: "https://example.com/hello",
		Materials: func(_ context.Context, _, file string) error { return os.WriteFile(file, []byte("{}"), 0o600) },
		Say:       func(text string) { t.Log(text) },
	}
}

func TestARelease(t *testing.T) {
	o := options(t, checkout(t))
	if err := Make(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(o.Out, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	binary := "hello-linux-" + runtime.GOARCH
	small := "hello-small-linux-" + runtime.GOARCH
	for _, name := range []string{binary, binary + ".cdx.json", small, small + ".cdx.json"} {
		sum, err := checksum(filepath.Join(o.Out, name))
		if err != nil || !strings.Contains(string(sums), sum+"  "+name+"\n") {
			t.Errorf("SHA256SUMS does not hold %s (%v):\n%s", name, err, sums)
		}
	}
	said, err := exec.CommandContext(t.Context(), filepath.Join(o.Out, binary)).CombinedOutput()
	revision := head(t, o.Root)
	if err != nil || string(said) != "hello v1.2.3 "+revision+"\n" {
		t.Errorf("the program says %q, want the tag and %s: %v", said, revision, err)
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(o.Out, "hello-image"))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Platform.Architecture != runtime.GOARCH {
		t.Fatalf("index %v, %v", manifest, err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil || config.Config.User != "65532:65532" || config.Architecture != runtime.GOARCH ||
		config.Config.Entrypoint[0] != "/bin/hello" {
		t.Errorf("config %+v, %v", config, err)
	}
	for label, want := range map[string]string{"version": "v1.2.3", "revision": revision, "title": "hello",
		"source": "https://example.com/hello"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("the label %s is %q, want %q", label, got, want)
		}
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	held := map[string][]byte{}
	for files := tar.NewReader(content); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if held[header.Name], err = io.ReadAll(files); err != nil {
			t.Fatal(err)
		}
	}
	// The image holds its own program, under the other's name.
	if want, err := os.ReadFile(filepath.Join(o.Out, small)); err != nil || !bytes.Equal(held["bin/hello"], want) {
		t.Errorf("bin/hello has %d bytes, %s %d: %v", len(held["bin/hello"]), small, len(want), err)
	}
}

// withMachineCache spares a test the compilation of the standard library, where an empty cache is not its subject.
func withMachineCache(t *testing.T, o Options) Options {
	t.Helper()
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	o.Cache = strings.TrimSpace(string(cache))
	return o
}

func TestADirtyCheckoutIsRefused(t *testing.T) {
	o := options(t, checkout(t))
	write(t, o.Root, "cmd/hello/more.go", "package main\n")
	if err := Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "more.go") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("something was written")
	}
}

func TestWhatDiffersIsNotHandedOut(t *testing.T) {
	o := withMachineCache(t, options(t, checkout(t)))
	// An ignored file is in the checkout and not in the commit.
	write(t, o.Root, ".git/info/exclude", "cmd/hello/stamp.go\n")
	write(t, o.Root, "cmd/hello/stamp.go", "package main\n\nfunc init() { println(\"another\") }\n")
	if err := Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), "differs from build to build") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("something was handed out")
	}
}

func TestABillThatDiffersIsNotHandedOut(t *testing.T) {
	o := withMachineCache(t, options(t, checkout(t)))
	bills := 0
	o.Materials = func(_ context.Context, _, file string) error {
		bills++
		return os.WriteFile(file, fmt.Appendf(nil, `{"timestamp":%d}`, bills), 0o600)
	}
	if err := Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), ".cdx.json differs from build to build") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("something was handed out")
	}
}

func TestImagesOfRootOrTooLargeAreRefused(t *testing.T) {
	platform := Platform{"linux", "amd64"}
	for user, ok := range map[string]bool{"65532:65532": true, "": false, "0": false, "root:root": false} {
		if _, err := checkImage(running(user, 0), platform); (err == nil) != ok {
			t.Errorf("user %q: %v", user, err)
		}
	}
	if _, err := checkImage(running("65532", MostBytes+1), platform); err == nil ||
		!strings.Contains(err.Error(), "may have") {
		t.Errorf("a large image: %v", err)
	}
}
