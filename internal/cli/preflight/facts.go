package preflight

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Facts are what was found. Each part has an error where it could not be looked at.
type Facts struct {
	Now time.Time
	// Stack is the stack's name; Owner is what its namespace must be marked with.
	Stack, Owner string

	Cluster     Cluster
	Permissions []Permission
	Namespace   Namespace
	// Secrets are those that the stack's pods and gates need, by their name in the cluster.
	Secrets map[string]Secret
	// Image and StableImage are those of the settings.
	Image, StableImage Image
	Prometheus         Prometheus
	// Alertmanager, Grafana and OTLP are what is reached over HTTP.
	Alertmanager, Grafana, OTLP Reached
	Staging                     Staging
	Ledger                      Ledger
	Capacity                    Capacity
	// DatabaseBackup and EventStoreBackup are the jobs that the settings name.
	DatabaseBackup, EventStoreBackup Job
}

// Cluster is the API server.
type Cluster struct {
	// Origin says which one, Version is its version, such as v1.34.4.
	Origin, Version string
	Err             error
}

// Permission is a right that was asked for.
type Permission struct {
	Access
	Allowed bool
	Err     error
}

// Namespace is the stack's.
type Namespace struct {
	Exists bool
	// Owner is whom it is marked to belong to; empty for nobody.
	Owner string
	Err   error
}

// Secret is a Secret of the cluster without its values.
type Secret struct {
	Exists bool
	// Keys says of each key whether it is filled in: set, empty or placeholder.
	Keys map[string]string
	Err  error
}

// States of a key.
const (
	KeySet         = "set"
	KeyEmpty       = "empty"
	KeyPlaceholder = "placeholder"
)

// Image is an image as the registry has it.
type Image struct {
	Digest string
	Err    error
}

// Prometheus is what the gates will ask.
type Prometheus struct {
	Err error
	// Up and Down are the pods of the app that are scraped and those whose scraping fails, by track.
	Up, Down   map[string]int
	TargetsErr error
	// Groups are the names of the rule groups that are loaded; Broken says what is wrong with rules among them.
	Groups, Broken []string
	RulesErr       error
	// Statuses are the values of the status label on the request counter, Bounds those of the buckets of the durations.
	Statuses, Bounds []string
	MetricsErr       error
	// Alertmanagers are those that it sends alerts to.
	Alertmanagers    []string
	AlertmanagersErr error
}

// Reached is an address that was asked.
type Reached struct {
	// Address is what was asked; empty where nothing is configured.
	Address string
	// Status is the HTTP status of the answer.
	Status int
	Err    error
}

// Staging is what the stack that verifies images says.
type Staging struct {
	// Verified is the digest that it recorded.
	Verified string
	Err      error
}

// Ledger is the rollout's history.
type Ledger struct {
	History *ledger.Ledger
	Err     error
}

// Capacity is the room on the nodes.
type Capacity struct {
	Nodes []Node
	// Canary is how many pods the canary has now.
	Canary int
	Err    error
}

// Node is the room on a node: what pods may still ask for.
type Node struct {
	Name string
	// CPU is in thousandths, Memory in bytes.
	CPU, Memory int64
	Pods        int
}

// Job is a backup's last success.
type Job struct {
	Exists bool
	// Succeeded is zero when it never did.
	Succeeded time.Time
	Err       error
}
