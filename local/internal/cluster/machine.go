package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vextrus/finance-rollout/build/progress"
)

// requirement is a program or plugin that comes from the system's packages.
type requirement struct {
	pkg, file string
}

// requirements returns the programs that the system must provide. A file without a slash is looked up on PATH; one
// with a star may be in any place that matches.
func requirements() []requirement {
	return []requirement{
		{"containerd", "containerd"}, {"containerd", "ctr"}, {"runc", "runc"},
		{"containernetworking-plugins", filepath.Join(cniPlugins, "bridge")},
		{"iptables", "iptables-save"}, {"conntrack", "conntrack"}, {"iproute2", "ip"},
		{"postgresql", postgresPrograms + "/initdb"},
	}
}

// testRequirements returns the programs that only tests need.
func testRequirements() []requirement {
	// A test looks at the HTML report as a browser shows it, actionlint has shellcheck read the scripts of the workflows,
	// and a test builds images by a Docker daemon of its own.
	return []requirement{{"chromium", "chromium"}, {"shellcheck", "shellcheck"}, {"docker.io", "dockerd"}}
}

const (
	cniPlugins       = "/usr/lib/cni"
	postgresPrograms = "/usr/lib/postgresql/*/bin"
)

// missingPackages returns the Debian packages that are needed and not installed.
func missingPackages(needed []requirement) []string {
	var missing []string
	for _, need := range needed {
		var installed bool
		if strings.Contains(need.file, "/") {
			matches, err := filepath.Glob(need.file)
			installed = err == nil && len(matches) > 0
		} else {
			_, err := exec.LookPath(need.file)
			installed = err == nil
		}
		if !installed && !slices.Contains(missing, need.pkg) {
			missing = append(missing, need.pkg)
		}
	}
	return missing
}

// installPackages installs the missing packages.
func (c *Cluster) installPackages(ctx context.Context, needed []requirement) error {
	missing := missingPackages(needed)
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this machine lacks %s and has no apt-get: install them, or use a cluster of your own with "+
			"KUBECONFIG=FILE", list)
	}
	return c.progress.Run("install "+list, func(task *progress.Task) error {
		logPath := c.Dir("logs", "apt.log")
		log, err := os.Create(logPath)
		if err != nil {
			return err
		}
		defer log.Close()
		install := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
		for _, args := range [][]string{{"update"}, install} {
			task.Detail("apt-get " + args[0])
			cmd := exec.CommandContext(ctx, "apt-get", args...)
			// The packages' services must not start: the cluster runs these programs with its own files and addresses.
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
			cmd.Stdout, cmd.Stderr = log, log
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("apt-get %s: %w; see %s", strings.Join(args, " "), err, logPath)
			}
		}
		if still := missingPackages(needed); len(still) > 0 {
			return fmt.Errorf("still missing after apt-get: %s", strings.Join(still, " "))
		}
		return nil
	})
}

// mountData makes .local/data available at its place below /run.
func (c *Cluster) mountData() error {
	source, target := c.Dir("data"), dataDir()
	for _, dir := range []string{source, target} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
	}
	mounts, err := mountsBelow(target)
	if err != nil || slices.Contains(mounts, target) {
		return err
	}
	if err := syscall.Mount(source, target, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s at %s: %w", source, target, err)
	}
	// Else each mount of a pod would appear a second time below the source.
	if err := syscall.Mount("", target, "", syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make %s private: %w", target, err)
	}
	return nil
}

// mountsBelow returns the mount points at and below a directory, the deepest last.
func mountsBelow(dir string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var points []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 5 {
			continue
		}
		point := unescape(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, scanner.Err()
}

// unescape undoes the octal escapes of /proc/self/mountinfo.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}

// unmountBelow unmounts everything at and below a directory.
func unmountBelow(dir string) error {
	points, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	slices.Reverse(points)
	for _, point := range points {
		if err := syscall.Unmount(point, 0); err != nil && !errors.Is(err, syscall.EINVAL) {
			if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil {
				return fmt.Errorf("unmount %s: %w", point, err)
			}
		}
	}
	return nil
}
