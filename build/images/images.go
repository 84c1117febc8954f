// Package images makes container images from static binaries, without a container engine. The same binary always gives
// the same digest.
package images

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// User is the uid that every image runs as, as a number: Kubernetes cannot tell whether a name is root.
const User = 65532

// Image describes an image.
type Image struct {
	// Binary is the file of a statically linked program.
	Binary string
	// Path is the program's place in the image, /bin/<name> for example; it is the entry point too.
	Path string
	// Args follow the entry point, unless the pod sets its own.
	Args []string
	// Architecture is that of the program, in Go's words; empty for this machine's.
	Architecture string
	// Labels describe the image, by the names of OCI's annotations.
	Labels map[string]string
	// Roots adds the certificates of public authorities, for a program that calls servers by TLS.
	Roots bool
}

// Build returns the image: one layer with the program, a passwd entry for its user, and the roots.
func (i Image) Build() (v1.Image, error) {
	if err := checkStatic(i.Binary); err != nil {
		return nil, err
	}
	content, err := i.layer()
	if err != nil {
		return nil, fmt.Errorf("build image from %s: %w", i.Binary, err)
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	// Speed counts here, size does not: the image travels within one machine.
	layer, err := tarball.LayerFromOpener(opener, tarball.WithCompressionLevel(gzip.BestSpeed),
		tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", cmp.Or(i.Architecture, runtime.GOARCH)
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", User, User),
		Entrypoint: []string{i.Path},
		Cmd:        i.Args,
		WorkingDir: "/",
		Env:        []string{"PATH=/bin"},
		Labels:     i.Labels,
	}
	return mutate.ConfigFile(image, config)
}

// layer returns the image's files as a tar archive that depends on nothing but their content.
func (i Image) layer() ([]byte, error) {
	program, err := os.ReadFile(i.Binary)
	if err != nil {
		return nil, err
	}
	passwd := fmt.Sprintf("root:x:0:0:root:/:/none\nnonroot:x:%d:%d:nonroot:/:/none\n", User, User)

	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	add := func(header tar.Header, content []byte) error {
		header.ModTime, header.Format, header.Size = time.Unix(0, 0), tar.FormatUSTAR, int64(len(content))
		if err := writer.WriteHeader(&header); err != nil {
			return err
		}
		_, err := writer.Write(content)
		return err
	}
	files := []string{"/etc/passwd", i.Path, "/tmp/-"}
	if i.Roots {
		files = append(files, rootsFile)
	}
	for _, dir := range parents(files...) {
		mode := int64(0o755)
		if dir == "tmp/" {
			mode = 0o1777
		}
		if err := add(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: mode}, nil); err != nil {
			return nil, err
		}
	}
	if err := add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte(passwd)); err != nil {
		return nil, err
	}
	if i.Roots {
		certificates, err := roots()
		if err != nil {
			return nil, err
		}
		if err := add(tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(rootsFile, "/"), Mode: 0o644},
			certificates); err != nil {
			return nil, err
		}
	}
	if err := add(tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(i.Path, "/"), Mode: 0o755},
		program); err != nil {
		return nil, err
	}
	return archive.Bytes(), writer.Close()
}

// parents returns the directories above the files, each once and after its own parent.
func parents(files ...string) []string {
	var dirs []string
	seen := map[string]bool{}
	for _, file := range files {
		var above []string
		for dir := path.Dir(path.Clean(file)); dir != "/" && dir != "."; dir = path.Dir(dir) {
			above = append([]string{strings.TrimPrefix(dir, "/") + "/"}, above...)
		}
		for _, dir := range above {
			if !seen[dir] {
				seen[dir] = true
				dirs = append(dirs, dir)
			}
		}
	}
	return dirs
}

// checkStatic refuses a program that would look for shared libraries, which the image does not have.
func checkStatic(binary string) error {
	file, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("%s is not a Linux program: %w", binary, err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically; build it with CGO_ENABLED=0", binary)
		}
	}
	return nil
}
