package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vextrus/finance-rollout/local/internal/network"
)

// owner says which checkout the cluster of this machine belongs to. Ports, bridge and iptables chains exist once, so
// there can be one cluster at a time.
type owner struct {
	Root string `json:"root"`
}

func ownerFile() string {
	return runDir("owner.json")
}

func readOwner() (owner, error) {
	content, err := os.ReadFile(ownerFile())
	if errors.Is(err, os.ErrNotExist) {
		return owner{}, nil
	}
	if err != nil {
		return owner{}, err
	}
	var current owner
	if err := json.Unmarshal(content, &current); err != nil {
		return owner{}, fmt.Errorf("%s: %w", ownerFile(), err)
	}
	return current, nil
}

// lock keeps two commands that change the cluster apart, across all checkouts. It ends with the process.
func (c *Cluster) lock() (unlock func(), err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("the local cluster needs root: it makes network namespaces, cgroups and mounts; " +
			"run it as root, or use a cluster of your own with KUBECONFIG=FILE")
	}
	if err := os.MkdirAll(runDir("processes"), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join("/run", Name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		c.progress.Say("waiting for another command that starts or ends the local cluster")
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
			file.Close()
			return nil, err
		}
	}
	return func() { file.Close() }, nil
}

// refuseOther fails while the cluster of another checkout runs.
func (c *Cluster) refuseOther() error {
	current, err := readOwner()
	if err != nil || current.Root == "" || current.Root == c.root {
		return err
	}
	running, err := c.running()
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return fmt.Errorf("the local cluster of %s runs on this machine (%s); there can be one at a time: run `make down` "+
			"there",
			current.Root, strings.Join(running, ", "))
	}
	return nil
}

// claim makes this checkout the owner of the machine's cluster. It fails while another one's cluster runs, cleans up
// the leftovers of a dead one, and refuses a machine that runs another Kubernetes.
func (c *Cluster) claim(ctx context.Context) error {
	if err := c.refuseOther(); err != nil {
		return err
	}
	current, err := readOwner()
	if err != nil {
		return err
	}
	switch {
	case current.Root == c.root:
		return nil
	case current.Root != "":
		c.progress.Say("cleaning up after the dead cluster of %s", current.Root)
		if err := c.teardown(ctx); err != nil {
			return err
		}
	default:
		chains, err := network.KubernetesChains(ctx)
		if err != nil {
			return err
		}
		if len(chains) > 0 {
			return fmt.Errorf("another Kubernetes runs on this machine (iptables chain %s, %d in all): end it, or use it "+
				"with KUBECONFIG=FILE",
				chains[0], len(chains))
		}
	}
	if err := os.MkdirAll(runDir("processes"), 0o755); err != nil {
		return err
	}
	content, err := json.Marshal(owner{Root: c.root})
	if err != nil {
		return err
	}
	temp := ownerFile() + ".tmp"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, ownerFile())
}

// running returns the names of the cluster's processes that run, whichever checkout they belong to.
func (c *Cluster) running() ([]string, error) {
	supervisor := c.supervisor()
	all, err := supervisor.Names()
	if err != nil {
		return nil, err
	}
	var running []string
	for _, name := range all {
		if supervisor.Alive(name) {
			running = append(running, name)
		}
	}
	return running, nil
}
