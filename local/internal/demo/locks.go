package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/build/progress"
)

// lock is the file that the Pulumi CLI keeps in the file backend while it works on a stack. A killed CLI leaves it
// behind.
type lock struct {
	PID      int    `json:"pid"`
	Hostname string `json:"hostname"`
}

// patience is how long a CLI that an earlier run left behind may go on until its update is done.
const patience = 3 * time.Minute

// unlock waits for a CLI that still works on the stack, and takes the lock away when the one that holds it was
// killed. It leaves a lock of another machine alone: `pulumi up` reports it.
func (d *Demo) unlock(ctx context.Context, stack string) error {
	state := strings.TrimPrefix(d.Backend, "file://")
	if state == "" {
		state = d.Cluster.Dir("state")
	}
	folder := filepath.Join(state, ".pulumi", "locks", "organization", "finance-rollout", stack)
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	holder, err := holderOf(folder, host)
	if err != nil {
		return err
	}
	if holder == running {
		err = d.Progress.Run("wait for the pulumi that works on stack "+stack, func(*progress.Task) error {
			for deadline := time.Now().Add(patience); err == nil && holder == running && time.Now().Before(deadline); holder,
				err = holderOf(folder, host) {
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-time.After(time.Second):
				}
			}
			return err
		})
	}
	if err != nil || holder != killed {
		return err
	}
	fmt.Fprintf(d.Out, "\n$ pulumi cancel --yes --stack %s   # an earlier run was killed\n", stack)
	if _, err := d.pulumi(ctx, "cancel", "--yes", "--stack", stack); err != nil {
		return fmt.Errorf("take away the lock that a killed run left: %w", err)
	}
	return nil
}

// holder is who holds the lock of a stack.
type holder int

const (
	nobody holder = iota
	// killed: CLIs that do not run any more on this machine.
	killed
	// running: at least one CLI of this machine.
	running
	// elsewhere: one of another machine, about which nothing is known.
	elsewhere
)

// holderOf reads the locks in a folder.
func holderOf(folder, host string) (holder, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nobody, err
	}
	holder := nobody
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // released meanwhile
		}
		if err != nil {
			return nobody, fmt.Errorf("read the lock of a stack: %w", err)
		}
		var held lock
		if err := json.Unmarshal(raw, &held); err != nil {
			return nobody, fmt.Errorf("read the lock %s: %w", file, err)
		}
		switch {
		case held.Hostname != host:
			holder = max(holder, elsewhere)
		case isPulumi(held.PID):
			holder = max(holder, running)
		default:
			holder = max(holder, killed)
		}
	}
	return holder, nil
}

// isPulumi reports whether a process is a Pulumi CLI, since the kernel reuses the numbers of dead processes.
func isPulumi(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.TrimSpace(string(name)) == "pulumi"
}
