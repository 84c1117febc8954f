package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
)

// probeTimeout bounds how long a tool may take to print its version.
const probeTimeout = 20 * time.Second

var versionPattern = regexp.MustCompile(`v?\d+\.\d+\.\d+[0-9A-Za-z.+-]*`)

// parseVersion returns the first version in a tool's output.
func parseVersion(output string) (*version.Version, error) {
	number := versionPattern.FindString(output)
	if number == "" {
		return nil, fmt.Errorf("no version in %q", strings.TrimSpace(output))
	}
	return version.ParseGeneric(number)
}

// fits reports whether the version is one that the tool accepts, by its numbers alone.
func (t Tool) fits(v *version.Version) bool {
	return v.AtLeast(version.MustParseGeneric(t.Min)) && v.LessThan(version.MustParseGeneric(t.Below))
}

// find returns the path of a fitting copy of the tool on the machine, outside of dir, or an empty string.
func (t Tool) find(ctx context.Context, dir string) string {
	switch {
	case t.Plugin != "":
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		return executable(filepath.Join(home, ".pulumi", "plugins", t.Plugin, t.Name))
	case t.Beside != "":
		// Only a copy that we linked shows where the other one lives.
		target, err := os.Readlink(filepath.Join(dir, t.Beside))
		if err != nil {
			return ""
		}
		return executable(filepath.Join(filepath.Dir(target), t.Name))
	case t.Min == "":
		return ""
	}
	for _, candidate := range candidates(t.Name, dir) {
		if t.probe(ctx, candidate) == nil {
			return candidate
		}
	}
	return ""
}

// candidates returns the copies of a program on PATH, outside of dir.
func candidates(name, dir string) []string {
	var paths []string
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(folder) || filepath.Clean(folder) == filepath.Clean(dir) {
			continue
		}
		if path := executable(filepath.Join(folder, name)); path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// probe runs the candidate and returns an error unless its version fits.
func (t Tool) probe(ctx context.Context, candidate string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, candidate, t.Probe...)
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s %s: %w", candidate, strings.Join(t.Probe, " "), err)
	}
	v, err := parseVersion(string(output))
	if err != nil {
		return fmt.Errorf("%s: %w", candidate, err)
	}
	if !t.fits(v) {
		return fmt.Errorf("%s is version %s, not from %s to below %s", candidate, v, t.Min, t.Below)
	}
	return nil
}

// executable returns the path if a program is there, else an empty string.
func executable(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return ""
	}
	return path
}

// link makes path a symbolic link to target in one step.
func link(target, path string) error {
	if current, err := os.Readlink(path); err == nil && current == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp := path + ".tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, temp); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
