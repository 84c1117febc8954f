package preflight

import (
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// Facts are the inputs of the checks. A part that could not be read has an error.
type Facts struct {
	Now time.Time
	// Stack is the stack's name, Owner the owner annotation that its namespace must have.
	Stack, Owner string

	Cluster     Cluster
	Permissions []Permission
	Namespace   Namespace
	// Secrets are the Secrets that the stack's pods and gates need, by their name in the cluster.
	Secrets map[string]Secret
	// Image and StableImage are the configured images.
	Image, StableImage Image
	Prometheus         Prometheus
	// Past is the stack's own past, rehearsed.
	Past Past
	// Alertmanager, Grafana and OTLP are the responses of these HTTP endpoints.
	Alertmanager, Grafana, OTLP Reached
	Staging                     Staging
	Ledger                      Ledger
	Capacity                    Capacity
	// Routes are read where a route splits the requests.
	Routes Routes
	// DatabaseBackup and EventStoreBackup are the configured backup jobs.
	DatabaseBackup, EventStoreBackup Job
}

// Cluster is the API server.
type Cluster struct {
	// Origin identifies the API server; Version is for example v1.34.4.
	Origin, Version string
	Err             error
}

// Permission is a permission and whether it is granted.
type Permission struct {
	Access
	Allowed bool
	Err     error
}

// Namespace is the stack's namespace.
type Namespace struct {
	Exists bool
	// Owner is its owner annotation, empty for none.
	Owner string
	Err   error
}

// Secret is a Secret without its values.
type Secret struct {
	Exists bool
	// Keys maps each key to its state: set, empty or placeholder.
	Keys map[string]string
	Err  error
}

// States of a key.
const (
	KeySet         = "set"
	KeyEmpty       = "empty"
	KeyPlaceholder = "placeholder"
)

// Image is an image in the registry.
type Image struct {
	Digest string
	Err    error
}

// Prometheus is the state of the server that the gates query.
type Prometheus struct {
	Err error
	// Up and Down count the app's pods by track: those that are scraped, and those whose scrapes fail.
	Up, Down   map[string]int
	TargetsErr error
	// Groups are the names of the loaded rule groups; Broken lists failing rules with their errors.
	Groups, Broken []string
	RulesErr       error
	// Statuses are the values of the request counter's status label, Bounds the upper bounds of the duration buckets.
	Statuses, Bounds []string
	// Native are the counted metrics that the server keeps as native histograms alone.
	Native     []string
	MetricsErr error
	// Requests are those of the last day that match metrics.selector, Customers those of them that metrics.exclude does
	// not leave out as probes and scrapes. Both are 0 if they are unknown.
	Requests, Customers float64
	// Alertmanagers are the active Alertmanagers of the server.
	Alertmanagers    []string
	AlertmanagersErr error
}

// Past is what the limits make of the stack's own past, in which each stable pod plays the canary.
type Past struct {
	// Soaks is the number of soaks that were played, RolledBack that of those which were rolled back, falsely. Upper is
	// the upper bound of their share at 95 % confidence.
	Soaks, RolledBack int
	Upper             float64
	// Dispersion is the variance of a pod's failures in a minute as a multiple of that of independent errors; 0 where
	// nothing is known. Bursty is whether they plainly come in bursts.
	Dispersion float64
	Bursty     bool
	Err        error
}

// Reached is the response of an address.
type Reached struct {
	// Address is empty when none is configured.
	Address string
	// Status is the HTTP status.
	Status int
	Err    error
}

// Staging is the result of the stack that verifies images.
type Staging struct {
	// Verified is the digest that it verified last.
	Verified string
	Err      error
}

// Ledger is the rollout's ledger.
type Ledger struct {
	History *ledger.Ledger
	Err     error
}

// Capacity is the free capacity of the nodes.
type Capacity struct {
	Nodes []Node
	// Canary is the number of the canary's pods now.
	Canary int
	Err    error
}

// Node is the free capacity of a node: what further pods can request.
type Node struct {
	Name string
	// CPU is in millicores, Memory in bytes.
	CPU, Memory int64
	Pods        int
}

// Job is the last success of a backup job.
type Job struct {
	Exists bool
	// Succeeded is zero when the job never succeeded.
	Succeeded time.Time
	Err       error
}
