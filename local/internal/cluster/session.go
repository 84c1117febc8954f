package cluster

import (
	"context"
	"errors"
	"os"
	"time"
)

// downTimeout bounds the end of a session's cluster.
const downTimeout = 5 * time.Minute

// While makes the cluster run while do is at work. A cluster that it started it also ends, even when the context is
// done by then, and when do succeeded and the data is of this session alone, it deletes that too. A cluster that ran
// before stays.
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

// endSession ends the cluster if it is the one of this checkout.
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

// InstallPackages installs the system packages that the cluster and the tests need, and nothing when nothing is
// missing.
func (c *Cluster) InstallPackages(ctx context.Context) error {
	if err := os.MkdirAll(c.Dir("logs"), 0o755); err != nil {
		return err
	}
	return c.installPackages(ctx, append(requirements(), testRequirements()...))
}
