package cluster

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Root returns the checkout that the cluster belongs to.
func (c *Cluster) Root() string {
	return c.root
}

// parts are the names of the cluster's processes.
var parts = []string{
	"registry", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "containerd", "kubelet",
	"kube-proxy", "postgres",
}

// Status lists the running parts and their addresses. It fails if a part of the cluster does not run.
func (c *Cluster) Status(_ context.Context, out io.Writer) error {
	current, err := readOwner()
	if err != nil {
		return err
	}
	if current.Root == "" {
		return fmt.Errorf("no local cluster runs on this machine: `make cluster` starts one")
	}
	if current.Root != c.root {
		return fmt.Errorf("the local cluster on this machine belongs to %s", current.Root)
	}
	supervisor := c.supervisor()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PART\tPID\tLOG")
	known, err := supervisor.Names()
	if err != nil {
		return err
	}
	all := slices.Clone(parts)
	if slices.Contains(known, traefik) {
		all = append(all, traefik)
	}
	dead := 0
	for _, name := range all {
		pid := "not running"
		if id := supervisor.PID(name); id > 0 {
			pid = fmt.Sprint(id)
		} else {
			dead++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", name, pid, supervisor.LogPath(name))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nkubeconfig  %s\nPrometheus  %s\nregistry    %s\nPostgreSQL  %s:%d\n",
		c.Kubeconfig(), url("http", "127.0.0.1", prometheusNodePort), Registry, nodeIP, postgresPort)
	if gateway := c.gatewayURL(); gateway != "" {
		fmt.Fprintf(out, "Gateway     %s\n", gateway)
	}
	if dead > 0 {
		return fmt.Errorf("%d of %d parts do not run: `make cluster` starts them again (with GATEWAY=1 for traefik)", dead,
			len(all))
	}
	return nil
}
