// Package cgroup keeps one cgroup tree for everything that the local cluster runs, so that all of it can be found and
// ended, including what a killed parent left behind. It works with cgroup v1 and v2 and imports the standard library
// only.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Tree is a cgroup of the same name in each of the machine's hierarchies.
type Tree struct {
	mount string
	name  string
}

// New returns the tree of that name (without slashes) below the cgroup file system at mount, /sys/fs/cgroup.
func New(mount, name string) Tree {
	return Tree{mount: mount, name: name}
}

// hierarchies returns the root of each hierarchy that has controllers: the mount itself with v2, one directory a
// controller with v1.
func (t Tree) hierarchies() ([]string, error) {
	if t.unified() {
		return []string{t.mount}, nil
	}
	entries, err := os.ReadDir(t.mount)
	if err != nil {
		return nil, fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	var roots []string
	for _, entry := range entries {
		root := filepath.Join(t.mount, entry.Name())
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil && entry.IsDir() {
			roots = append(roots, root)
		}
	}
	return roots, nil
}

func (t Tree) unified() bool {
	_, err := os.Stat(filepath.Join(t.mount, "cgroup.controllers"))
	return err == nil
}

// Create makes the tree in every hierarchy; the kubelet asks for all of them. It is fine when they exist.
func (t Tree) Create() error {
	roots, err := t.hierarchies()
	if err != nil {
		return err
	}
	if t.unified() {
		t.enableControllers()
	}
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, t.name), 0o755); err != nil {
			return fmt.Errorf("create cgroup: %w", err)
		}
	}
	if err := t.inheritCPUSet(); err != nil {
		return err
	}
	if err := t.prefer(); err != nil {
		return err
	}
	for _, procs := range t.System() {
		if err := os.MkdirAll(filepath.Dir(procs), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// System returns the cgroup.procs files of the branch for processes that are not pods. With v1 these are pids, where
// they can be found again, and cpu, for their share of the processors.
func (t Tree) System() []string {
	if t.unified() {
		return []string{filepath.Join(t.mount, t.name, "system", "cgroup.procs")}
	}
	files := []string{filepath.Join(t.mount, "pids", t.name, "system", "cgroup.procs")}
	if cpu := filepath.Join(t.mount, "cpu"); exists(cpu) {
		files = append(files, filepath.Join(cpu, t.name, "system", "cgroup.procs"))
	}
	return files
}

// prefer gives the tree four times the share of another session when the processors are busy: without it all pods
// together would get as much as a single compiler, and healthy pods would answer too late for their probes and gates.
func (t Tree) prefer() error {
	file, weight := filepath.Join(t.mount, t.name, "cpu.weight"), "400"
	if !t.unified() {
		file, weight = filepath.Join(t.mount, "cpu", t.name, "cpu.shares"), "4096"
	}
	if !exists(file) {
		return nil // the machine does not distribute its processors by cgroups
	}
	if err := os.WriteFile(file, []byte(weight), 0o644); err != nil {
		return fmt.Errorf("give the cluster its share of the processors: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// enableControllers lets the tree use what the machine offers. A controller that cannot be enabled is left out: the
// kubelet names the one that it misses.
func (t Tree) enableControllers() {
	available, err := os.ReadFile(filepath.Join(t.mount, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, controller := range strings.Fields(string(available)) {
		_ = os.WriteFile(filepath.Join(t.mount, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

// inheritCPUSet gives a v1 cpuset its parent's processors and memory nodes: a new one has none and accepts no process.
func (t Tree) inheritCPUSet() error {
	root := filepath.Join(t.mount, "cpuset")
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		parent, err := os.ReadFile(filepath.Join(root, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, t.name, file), parent, 0o644); err != nil {
			return fmt.Errorf("set up cpuset: %w", err)
		}
	}
	return nil
}

// Remove kills every process in the tree and removes the tree. A tree that does not exist is no error.
func (t Tree) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		left, err := t.sweep()
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cgroups that cannot be removed: %s", strings.Join(left, ", "))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// sweep kills what is in the tree, removes the directories that are empty, and returns those that are left.
func (t Tree) sweep() (left []string, err error) {
	roots, err := t.hierarchies()
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		dirs, err := directories(filepath.Join(root, t.name))
		if err != nil {
			return nil, err
		}
		for i := len(dirs) - 1; i >= 0; i-- { // children come after their parents
			if err := kill(dirs[i]); err != nil {
				return nil, err
			}
			if err := syscall.Rmdir(dirs[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
				left = append(left, dirs[i])
			}
		}
	}
	return left, nil
}

func directories(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs, err
}

// kill sends SIGKILL to the processes of one cgroup. A process that left in between is found by the next sweep.
func kill(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, line := range strings.Fields(string(content)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if pid <= 1 || pid == os.Getpid() {
			return fmt.Errorf("%s holds process %d, which is not to be killed", dir, pid)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %d: %w", pid, err)
		}
	}
	return nil
}
