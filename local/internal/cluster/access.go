package cluster

import "github.com/vextrus/finance-rollout/local/internal/progress"

// Secret returns a random text that is made once and kept in .local/secrets under the name.
func (c *Cluster) Secret(name string) (string, error) { return c.secret(name) }

// Binary returns the path of a built tool or program.
func (c *Cluster) Binary(name string) string { return c.bin(name) }

// Progress returns what the cluster's work is reported to.
func (c *Cluster) Progress() *progress.Reporter { return c.progress }

// DatabaseUser is the owner of the databases. Its name occurs in no other name, because Pulumi masks the values of secrets
// wherever they occur in what it prints.
const DatabaseUser = "ledgerapp"
