package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// foreignDirs are places outside of our own directories that containerd, the CNI library and the kubelet write to
// without an option to change it, deepest first.
var foreignDirs = []string{
	"/run/containerd/s", "/run/containerd",
	cniResults, filepath.Dir(cniResults),
	containerLogs,
	filepath.Dir(kubeletSocket), filepath.Dir(filepath.Dir(kubeletSocket)),
}

const (
	cniResults    = "/var/lib/cni/results"
	containerLogs = "/var/log/containers"
	// kubeletSocket is where the kubelet awaits device plugins, whatever its root directory is.
	kubeletSocket = "/var/lib/kubelet/device-plugins/kubelet.sock"
)

// noteDirs records which of the foreign directories are not there yet, unless that is recorded already.
func noteDirs(file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	absent := []string{}
	for _, dir := range foreignDirs {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			absent = append(absent, dir)
		}
	}
	content, err := json.Marshal(absent)
	if err != nil {
		return err
	}
	return replaceFile(file, string(content), 0o644)
}

// removeDirs removes the directories that the file says were not there, as far as they are empty.
func removeDirs(file string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var created []string
	if err := json.Unmarshal(content, &created); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, dir := range created {
		err := os.Remove(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return nil
}

// shimSockets returns the sockets of containerd's shims, whose place is fixed, as their bundles record them.
func shimSockets() ([]string, error) {
	files, err := filepath.Glob(runDir("containerd", "io.containerd.runtime.v2.task", "*", "*", "address"))
	if err != nil {
		return nil, err
	}
	var sockets []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, strings.TrimPrefix(strings.TrimSpace(string(content)), "unix://"))
	}
	return sockets, nil
}

// removeLeftovers removes the files that others' programs put into fixed places for us, and no one else's.
func removeLeftovers(sockets []string) error {
	results, err := cniLeftovers(cniResults)
	if err != nil {
		return err
	}
	logs, err := linksInto(containerLogs, dataDir())
	if err != nil {
		return err
	}
	for _, files := range [][]string{sockets, results, logs, {kubeletSocket}} {
		for _, file := range files {
			if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// cniLeftovers returns the cached results of our network. Each pod has one of the loopback network too, which is
// known to be ours by the pod's ID only.
func cniLeftovers(dir string) ([]string, error) {
	results, err := filepath.Glob(filepath.Join(dir, Name+"-*"))
	if err != nil {
		return nil, err
	}
	paths := results
	for _, result := range results {
		pod, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(result), Name+"-"), "-")
		paths = append(paths, filepath.Join(dir, "cni-loopback-"+pod+"-lo"))
	}
	return paths, nil
}

// linksInto returns the symbolic links in dir whose targets lie below target.
func linksInto(dir, target string) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	var links []string
	for _, link := range all {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, target+"/") {
			links = append(links, link)
		}
	}
	return links, nil
}
