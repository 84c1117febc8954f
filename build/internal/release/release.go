// Package release builds a release: the rollout command for each platform, its image, a bill of materials for each, and
// their checksums. Everything is built twice, the second time from a copy of the commit and with an empty cache, and
// written only if both builds are the same to the byte. So anyone can build the commit again and compare.
package release

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/vextrus/finance-rollout/build/images"
)

// Platform is an operating system and an architecture.
type Platform struct{ OS, Architecture string }

// Platforms are those of a release.
var Platforms = []Platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}

func (p Platform) String() string { return p.OS + "-" + p.Architecture }

// MostBytes limits the unpacked size of an image.
const MostBytes = 60 << 20

// Options describe a release.
type Options struct {
	// Root is the checkout, Out the folder to write; it is emptied first.
	Root, Out string
	// Package is the main package, Name the name of its program.
	Package, Name string
	// ImagePackage is the main package of the program in the image, which is called Name there and ImageName among the
	// files.
	ImagePackage, ImageName string
	Platforms               []Platform
	// VersionPackage has the variables version and revision, which the linker sets; Source is the repository's address.
	VersionPackage, Source string
	// Materials writes the bill of materials of a binary to a file.
	Materials func(ctx context.Context, binary, file string) error
	// Cache is the build cache of the second build; by default a new one, which is removed again.
	Cache string
	// Say reports progress.
	Say func(text string)

	stamp Stamp
}

// Make builds a release. If it fails, it leaves nothing in Out.
func Make(ctx context.Context, options Options) error {
	if err := options.clean(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(options.Out); err != nil {
		return fmt.Errorf("empty %s: %w", options.Out, err)
	}
	if err := os.MkdirAll(options.Out, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", options.Out, err)
	}
	var err error
	if options.stamp, err = StampOf(ctx, options.Root); err != nil {
		return err
	}
	options.Say("release " + options.stamp.String())
	if err := options.make(ctx); err != nil {
		return errors.Join(err, os.RemoveAll(options.Out))
	}
	return nil
}

func (o Options) make(ctx context.Context) error {
	again, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(again) }()
	copied, second := filepath.Join(again, "source"), filepath.Join(again, "out")
	if err := o.export(ctx, copied); err != nil {
		return err
	}
	copyOf := elsewhere{source: copied, cache: cmp.Or(o.Cache, filepath.Join(again, "cache")), out: second}
	index := v1.ImageIndex(empty.Index)
	for _, platform := range o.Platforms {
		if _, _, err := o.twice(ctx, copyOf, o.Package, o.Name, platform); err != nil {
			return err
		}
		if platform.OS != "linux" {
			continue
		}
		first, repeated, err := o.twice(ctx, copyOf, o.ImagePackage, o.ImageName, platform)
		if err != nil {
			return err
		}
		if index, err = o.addImage(index, platform, first, repeated); err != nil {
			return err
		}
	}
	if err := o.writeIndex(index); err != nil {
		return err
	}
	return o.writeSums()
}

// elsewhere is the place of the second build.
type elsewhere struct{ source, cache, out string }

// twice builds a program for a platform here and elsewhere, requires both to be the same and lists their materials.
func (o Options) twice(ctx context.Context, copyOf elsewhere, pkg, name string, platform Platform) (first,
	repeated string, err error) {
	first = filepath.Join(o.Out, name+"-"+platform.String())
	repeated = filepath.Join(copyOf.out, filepath.Base(first))
	if err := o.build(ctx, o.Root, pkg, first, platform, nil); err != nil {
		return "", "", err
	}
	if err := o.build(ctx, copyOf.source, pkg, repeated, platform, []string{"GOCACHE=" + copyOf.cache}); err != nil {
		return "", "", err
	}
	sum, err := sameFile(first, repeated)
	if err != nil {
		return "", "", err
	}
	info, err := os.Stat(first)
	if err != nil {
		return "", "", err
	}
	o.Say(fmt.Sprintf("%s: built twice, %.1f MiB, sha256:%s", filepath.Base(first), mebibytes(info.Size()), sum))
	return first, repeated, o.list(ctx, first, repeated)
}

// list writes the bill of materials of both binaries, which must be the same too: its checksum is handed out.
func (o Options) list(ctx context.Context, binaries ...string) error {
	var bills []string
	for _, binary := range binaries {
		bill := binary + ".cdx.json"
		if err := o.Materials(ctx, binary, bill); err != nil {
			return fmt.Errorf("list the materials of %s: %w", filepath.Base(binary), err)
		}
		bills = append(bills, bill)
	}
	_, err := sameFile(bills[0], bills[1])
	return err
}

func mebibytes(size int64) float64 { return float64(size) / (1 << 20) }

// clean refuses a checkout with uncommitted changes, since nobody else could build that.
func (o Options) clean(ctx context.Context) error {
	status, err := output(ctx, o.Root, nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if strings.TrimSpace(status) != "" {
		return fmt.Errorf("the checkout has uncommitted changes; commit or remove them first:\n%s",
			status)
	}
	return nil
}

// export writes the commit to another folder.
func (o Options) export(ctx context.Context, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	archive := filepath.Join(filepath.Dir(folder), "source.tar")
	if _, err := output(ctx, o.Root, nil, "git", "archive", "--format=tar", "--output", archive, "HEAD"); err != nil {
		return err
	}
	_, err := output(ctx, folder, nil, "tar", "-xf", archive)
	return err
}

func (o Options) build(ctx context.Context, folder, pkg, binary string, platform Platform, env []string) error {
	o.Say(fmt.Sprintf("build %s in %s", filepath.Base(binary), folder))
	env = append(env, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOOS="+platform.OS, "GOARCH="+platform.Architecture,
		"GOAMD64=v1", "GOARM64=v8.0")
	flags := fmt.Sprintf("-s -w -buildid= -X %[1]s.version=%[2]s -X %[1]s.revision=%[3]s", o.VersionPackage,
		o.stamp.Version, o.stamp.Revision)
	_, err := output(ctx, folder, env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", binary, pkg)
	return err
}

// sameFile returns the checksum of two files, which must be equal.
func sameFile(first, second string) (string, error) {
	one, err := checksum(first)
	if err != nil {
		return "", err
	}
	another, err := checksum(second)
	if err != nil {
		return "", err
	}
	if one != another {
		return "", fmt.Errorf("%s differs from build to build: sha256:%s and sha256:%s; it depends on the "+
			"machine, the path or the time",
			filepath.Base(first), one, another)
	}
	return one, nil
}

func checksum(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}

// addImage makes the image of a platform from both builds and adds it to the index.
func (o Options) addImage(index v1.ImageIndex, platform Platform, binaries ...string) (v1.ImageIndex, error) {
	var image v1.Image
	var digests []string
	for _, binary := range binaries {
		built, err := images.Image{
			Binary: binary, Path: "/bin/" + o.Name, Architecture: platform.Architecture, Roots: true,
			Labels: o.stamp.Labels(o.Name, o.Source),
		}.Build()
		if err != nil {
			return nil, err
		}
		digest, err := built.Digest()
		if err != nil {
			return nil, err
		}
		image, digests = built, append(digests, digest.String())
	}
	if digests[0] != digests[1] {
		return nil, fmt.Errorf("the image for %s differs from build to build: %s and %s", platform, digests[0], digests[1])
	}
	size, err := checkImage(image, platform)
	if err != nil {
		return nil, err
	}
	o.Say(fmt.Sprintf("image for %s: built twice, %.1f MiB unpacked, %s", platform, mebibytes(size), digests[0]))
	return mutate.AppendManifests(index, mutate.IndexAddendum{
		Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: platform.OS, Architecture: platform.Architecture}},
	}), nil
}

// checkImage refuses an image that runs as root or is too large, and returns its size in bytes.
func checkImage(image v1.Image, platform Platform) (size int64, err error) {
	config, err := image.ConfigFile()
	if err != nil {
		return 0, err
	}
	if user, _, _ := strings.Cut(config.Config.User, ":"); user == "" || user == "0" || user == "root" {
		return 0, fmt.Errorf("the image for %s runs as root", platform)
	}
	layers, err := image.Layers()
	if err != nil {
		return 0, err
	}
	for _, layer := range layers {
		unpacked, err := layer.Uncompressed()
		if err != nil {
			return 0, err
		}
		unpackedSize, err := io.Copy(io.Discard, unpacked)
		if err := errors.Join(err, unpacked.Close()); err != nil {
			return 0, err
		}
		size += unpackedSize
	}
	if size > MostBytes {
		return 0, fmt.Errorf("the image for %s has %d bytes, and may have %d", platform, size, MostBytes)
	}
	return size, nil
}

// writeIndex writes the images as an OCI layout, which any tool can push.
func (o Options) writeIndex(index v1.ImageIndex) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) == 0 {
		return nil
	}
	if _, err := layout.Write(filepath.Join(o.Out, o.Name+"-image"), index); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	o.Say("image: " + digest.String())
	return nil
}

// writeSums lists the checksums of the files in the form of sha256sum.
func (o Options) writeSums() error {
	files, err := os.ReadDir(o.Out)
	if err != nil {
		return err
	}
	var lines []string
	for _, file := range files {
		if file.IsDir() {
			continue
		}
		sum, err := checksum(filepath.Join(o.Out, file.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, sum+"  "+file.Name()+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	return os.WriteFile(filepath.Join(o.Out, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}

// output runs a command and returns its output.
func output(ctx context.Context, folder string, env []string, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env = folder, append(os.Environ(), env...)
	var out, problem bytes.Buffer
	command.Stdout, command.Stderr = &out, &problem
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, problem.String())
	}
	return out.String(), nil
}
