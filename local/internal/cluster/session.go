package cluster

import (
	"context"
	"errors"
	"os"
	"time"
)

// downTimeout bounds the end of a session's cluster.
const downTimeout = 5 * time.Minute

// While runs do with the cluster. It ends a cluster that it has started, even when the context is
// done by then, and deletes the data of this session if do succeeded. It leaves a cluster that ran
// before.
func (c *Cluster) While(ctx context.Context, options Options, do func(context.Context) error) error {
	before, err := c.running()
	if err != nil {
		return err
	}
	_, err = os.Stat(c.Dir("data"))
	fresh := errors.Is(err, os.ErrNotExist)

	err = c.Up(ctx, options)
	if err == nil {
		err = do(ctx)
	}
	if len(before) > 0 {
		return err
	}
	return errors.Join(err, c.endSession(ctx, fresh && err == nil))
}

// endSession ends the cluster if it belongs to this checkout.
func (c *Cluster) endSession(ctx context.Context, reset bool) error {
	current, err := readOwner()
	if err != nil || current.Root != c.root {
		return err
	}
	keep := KeepAll
	if reset {
		keep = KeepTools
	} else {
		c.progress.Say("data and logs stay in %s; `make down ARGS=--reset` deletes them", c.Dir())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
	defer cancel()
	return c.Down(ctx, keep)
}

// InstallPackages installs the missing system packages of the cluster and the tests.
func (c *Cluster) InstallPackages(ctx context.Context) error {
	if err := os.MkdirAll(c.Dir("logs"), 0o755); err != nil {
		return err
	}
	return c.installPackages(ctx, append(requirements(), testRequirements()...))
}
