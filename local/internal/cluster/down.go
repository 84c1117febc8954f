package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/build/progress"
	"github.com/vextrus/finance-rollout/local/internal/network"
)

// Keep selects what Down leaves in .local.
type Keep int

const (
	// KeepAll leaves everything: the next Up continues where this cluster ended, as after a reboot.
	KeepAll Keep = iota
	// KeepTools leaves the built tools, the secrets and the certificates, but no data of the cluster, its database or
	// the local Pulumi stacks.
	KeepTools
	// KeepNothing removes .local.
	KeepNothing
)

// Down ends everything that Up started on this machine and removes its mounts, interfaces, rules and cgroups.
func (c *Cluster) Down(ctx context.Context, keep Keep) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.refuseOther(); err != nil {
		return err
	}
	err = c.progress.Run("end the cluster", func(*progress.Task) error { return c.teardown(ctx) })
	if err != nil {
		return err
	}
	return c.discard(keep)
}

// discard removes everything else in .local.
func (c *Cluster) discard(keep Keep) error {
	var paths []string
	switch keep {
	case KeepTools:
		paths = []string{c.Dir("data"), c.Dir("state"), c.Dir("logs")}
	case KeepNothing:
		paths = []string{c.Dir()}
	}
	for _, path := range paths {
		// A mount that is still there would have its content deleted.
		if mounts, err := mountsBelow(path); err != nil || len(mounts) > 0 {
			return errors.Join(err, fmt.Errorf("not removing %s: mounted below it: %s", path, strings.Join(mounts, ", ")))
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// teardown ends whatever cluster is on the machine. Every step is tried, even after one has failed, and finding
// nothing to do is success.
func (c *Cluster) teardown(ctx context.Context) error {
	supervisor := c.supervisor()
	var failures []error
	note := func(step string, err error) {
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", step, err))
		}
	}
	// The kubelet early, so that nothing restarts pods; the store last, so that everything else can still write.
	order := []string{
		traefik, "kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager", "containerd", "kube-apiserver", "etcd",
		"registry", "postgres",
	}
	names, err := supervisor.Names()
	note("list processes", err)
	for _, name := range append(order, names...) {
		if slices.Contains(names, name) {
			note("end "+name, supervisor.Stop(ctx, name, grace(name)))
		}
	}
	sockets, err := shimSockets()
	note("list sockets", err)
	note("end what is left", c.cgroups().Remove(ctx))
	note("unmount", unmountBelow(runDir()))
	note("remove rules", network.RemoveRules(ctx))
	note("remove bridge", network.RemoveBridge(ctx, bridge))
	note("restore kernel settings", network.RestoreKernel(runDir("kernel.json")))
	note("remove leftovers", removeLeftovers(sockets))
	note("remove empty directories", removeDirs(runDir("absent-dirs.json")))
	if err := errors.Join(failures...); err != nil {
		return err
	}
	// The data is mounted below the directory and must not be deleted through a leftover mount.
	if mounts, err := mountsBelow(runDir()); err != nil || len(mounts) > 0 {
		return errors.Join(err, fmt.Errorf("still mounted: %s", strings.Join(mounts, ", ")))
	}
	return os.RemoveAll(runDir())
}

// grace returns how long a process may take to end by itself.
func grace(name string) time.Duration {
	switch name {
	case "postgres", "etcd":
		return 20 * time.Second
	case "kube-apiserver":
		// It waits for its watchers, which are gone; nothing depends on an orderly end.
		return 2 * time.Second
	default:
		return 5 * time.Second
	}
}
