package images

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// buildProgram compiles a small static program with the given text in it.
func buildProgram(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	source := "package main\nfunc main() { println(" + `"` + text + `"` + ") }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-o", binary, "main.go")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return binary
}

func digest(t *testing.T, image Image) string {
	t.Helper()
	built, err := image.Build()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := built.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return hash.String()
}

func TestBuildIsReproducible(t *testing.T) {
	binary := buildProgram(t, "one")
	first := digest(t, Image{Binary: binary, Path: "/bin/program"})
	if err := os.Chtimes(binary, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if again := digest(t, Image{Binary: binary, Path: "/bin/program"}); again != first {
		t.Errorf("the same binary gave %s and %s", first, again)
	}
	for change, image := range map[string]Image{
		"another binary": {Binary: buildProgram(t, "two"), Path: "/bin/program"},
		"another path":   {Binary: binary, Path: "/bin/other"},
		"an argument":    {Binary: binary, Path: "/bin/program", Args: []string{"x"}},
		"the roots":      {Binary: binary, Path: "/bin/program", Roots: true},
	} {
		if digest(t, image) == first {
			t.Errorf("%s gave the same image", change)
		}
	}
}

func TestImageRunsAsANumberedUserAndHoldsItsFiles(t *testing.T) {
	built, err := Image{Binary: buildProgram(t, "x"), Path: "/usr/bin/program"}.Build()
	if err != nil {
		t.Fatal(err)
	}
	config, err := built.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" {
		t.Errorf("user %q, want a number that is not root", config.Config.User)
	}
	if diff := cmp.Diff([]string{"/usr/bin/program"}, config.Config.Entrypoint); diff != "" {
		t.Errorf("entry point (-want +got):\n%s", diff)
	}
	files := map[string]int64{}
	archive := tar.NewReader(mutate.Extract(built))
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = header.Mode
	}
	want := map[string]int64{
		"etc": 0o755, "usr": 0o755, "usr/bin": 0o755, "tmp": 0o1777, "etc/passwd": 0o644, "usr/bin/program": 0o755,
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A program in the image verifies public servers: without the roots every call by TLS fails.
func TestTheRootsAreWhereAProgramLooksForThem(t *testing.T) {
	built, err := Image{Binary: buildProgram(t, "x"), Path: "/bin/program", Roots: true}.Build()
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(mutate.Extract(built))
	for {
		header, err := archive.Next()
		if err != nil {
			t.Fatalf("the image has no %s: %v", rootsFile, err)
		}
		if "/"+header.Name != rootsFile {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if count := strings.Count(string(text), "BEGIN CERTIFICATE"); count < 50 || header.Mode != 0o644 {
			t.Errorf("%d certificates with mode %o", count, header.Mode)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(text) {
			t.Error("not a file of certificates")
		}
		return
	}
}

func TestBuildRefusesWhatCannotRun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for binary, want := range map[string]string{script: "not a Linux program", "/bin/sh": "linked dynamically",
		"/none": "no such file"} {
		_, err := Image{Binary: binary, Path: "/bin/x"}.Build()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), binary) {
			t.Errorf("%s: error %v, want one that names it and says %q", binary, err, want)
		}
	}
}
