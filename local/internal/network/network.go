// Package network adds and removes the local cluster's part of the machine's network: a bridge for the pods, a few
// kernel settings and, through kube-proxy and the kubelet, iptables chains. It drives the ip and iptables commands and
// imports the standard library only.
package network

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Comment marks the iptables rules that this package adds itself.
const Comment = "finance-rollout-local"

// EnsureBridge makes the bridge with that address (with prefix length), if it is not there, and lets its ports talk to
// each other, even where another program has set the machine to forward nothing, but not to other networks.
func EnsureBridge(ctx context.Context, name, address string) error {
	if _, err := os.Stat(filepath.Join("/sys/class/net", name)); errors.Is(err, fs.ErrNotExist) {
		if _, err := run(ctx, nil, "ip", "link", "add", name, "type", "bridge"); err != nil {
			return err
		}
	}
	if _, err := run(ctx, nil, "ip", "address", "replace", address, "dev", name); err != nil {
		return err
	}
	if _, err := run(ctx, nil, "ip", "link", "set", name, "up"); err != nil {
		return err
	}
	// iptables puts the last inserted rule first: pods talk to each other, and to nothing beyond this machine.
	for _, rule := range [][]string{
		{"FORWARD", "-i", name, "!", "-o", name, "-m", "comment", "--comment", Comment, "-j", "REJECT"},
		{"FORWARD", "-i", name, "-o", name, "-m", "comment", "--comment", Comment, "-j", "ACCEPT"},
	} {
		if _, err := run(ctx, nil, "iptables", append([]string{"-w", "-C"}, rule...)...); err == nil {
			continue
		}
		if _, err := run(ctx, nil, "iptables", append([]string{"-w", "-I"}, rule...)...); err != nil {
			return err
		}
	}
	return nil
}

// RemoveBridge deletes the bridge and the pods' cables that are still plugged into it.
func RemoveBridge(ctx context.Context, name string) error {
	ports, err := os.ReadDir(filepath.Join("/sys/class/net", name, "brif"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, port := range ports {
		// A cable may vanish with its pod's namespace while this loop runs.
		if _, err := run(ctx, nil, "ip", "link", "delete", port.Name()); err != nil && exists(port.Name()) {
			return err
		}
	}
	_, err = run(ctx, nil, "ip", "link", "delete", name)
	return err
}

func exists(device string) bool {
	_, err := os.Stat(filepath.Join("/sys/class/net", device))
	return err == nil
}

// settings are the kernel settings that the cluster's parts change, below /proc/sys.
var settings = []string{
	"net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet",
	"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// SetKernel records the kernel settings that the cluster changes in the file, unless they are recorded already, and
// sets those that no part of Kubernetes sets by itself.
func SetKernel(ctx context.Context, file string) error {
	// Built into some kernels, a module of others; without it the check below fails with what is missing.
	_, _ = run(ctx, nil, "modprobe", "-a", "br_netfilter", "overlay")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		before := map[string]string{}
		for _, name := range settings {
			if value, err := os.ReadFile(filepath.Join("/proc/sys", name)); err == nil {
				before[name] = strings.TrimSpace(string(value))
			}
		}
		content, err := json.MarshalIndent(before, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file+".tmp", content, 0o644); err != nil {
			return err
		}
		if err := os.Rename(file+".tmp", file); err != nil {
			return err
		}
	}
	// Without the second, a pod's answer to another pod that asked through a Service skips the Service's translation.
	for _, name := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile(filepath.Join("/proc/sys", name), []byte("1"), 0o644); err != nil {
			return fmt.Errorf("the kernel cannot do what pods need: %w", err)
		}
	}
	return nil
}

// RestoreKernel sets what SetKernel recorded in the file and removes the file.
func RestoreKernel(file string) error {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var before map[string]string
	if err := json.Unmarshal(content, &before); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, value := range before {
		path := filepath.Join("/proc/sys", name)
		current, err := os.ReadFile(path)
		if err == nil && strings.TrimSpace(string(current)) == value {
			continue
		}
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			return fmt.Errorf("restore a kernel setting: %w", err)
		}
	}
	return os.Remove(file)
}

// run runs a command and returns its output; the error holds what it printed.
func run(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
