package cluster

import (
	"context"
	"os"
	"time"

	"github.com/vextrus/finance-rollout/build/progress"
)

// Secret returns a random text that is made once and kept in .local/secrets under the name.
func (c *Cluster) Secret(name string) (string, error) { return c.secret(name) }

// StartTraffic starts the demo's customers: requests to 127.0.0.1 that end by themselves. Those that run already are
// left alone; Down ends them.
func (c *Cluster) StartTraffic(ctx context.Context) error {
	spec := c.spec(traffic, c.bin("local"), traffic, "--root", c.root)
	return c.start(ctx, component{spec: spec, ready: func(context.Context) error { return nil }, timeout: time.Minute})
}

// StopTraffic ends the traffic of StartTraffic.
func (c *Cluster) StopTraffic(ctx context.Context) error {
	return c.supervisor().Stop(ctx, traffic, time.Second)
}

const traffic = "traffic"

// Binary returns the path of a built tool or program.
func (c *Cluster) Binary(name string) string { return c.bin(name) }

// Progress returns the cluster's progress reporter.
func (c *Cluster) Progress() *progress.Reporter { return c.progress }

// DatabaseUser is the owner of the databases. Its name occurs in no other name, because Pulumi masks the values of
// secrets wherever they occur in what it prints.
const DatabaseUser = "ledgerapp"

// PrepareTools provides the tools for a rollout to a foreign cluster without starting the local one: the Pulumi tools,
// kubectl and the environment file.
func (c *Cluster) PrepareTools(ctx context.Context) error {
	for _, dir := range []string{"bin", "logs", "state", "secrets"} {
		if err := os.MkdirAll(c.Dir(dir), 0o755); err != nil {
			return err
		}
	}
	if err := c.Builder().Provide(ctx, "pulumi", "pulumi-language-go", "pulumi-resource-kubernetes",
		"kubectl"); err != nil {
		return err
	}
	return c.writeEnv()
}
