// Package names is the one list of the names and labels of a rollout: its Deployments, ConfigMaps, Services and
// Leases, the labels of its pods and the annotations that mark what it owns. It holds names alone and imports nothing
// of the module.
package names

// Label keys.
const (
	App         = "app"
	Environment = "environment"
	Track       = "track"
	Version     = "version"
	// Traffic decides whether a ready pod gets requests. The Service selects by it and no ReplicaSet does, so that a pod
	// loses its traffic, and nothing else, when the label is changed.
	Traffic = "traffic"
	// Scraped marks the Services whose pods Prometheus scrapes. Every pod has one such Service: scraped by two, it would
	// count twice.
	Scraped = "finance-rollout/scraped"
	// Leader marks the guard's pod that acts; the webhook's Service selects it.
	Leader = "finance-rollout/leader"
	// ManagedBy marks the objects that the program makes.
	ManagedBy = "app.kubernetes.io/managed-by"
)

// Label values.
const (
	Stable  = "stable"
	Canary  = "canary"
	Enabled = "enabled"
	// Isolated is the value of a pod that was taken out of traffic and kept for inspection.
	Isolated = "isolated"
	// Program is the value of ManagedBy.
	Program = "finance-rollout"
)

// Port is the name of the port that the service's container serves requests at, and of its Service's.
const Port = "http"

// Annotations.
const (
	// Prefix begins the names of the annotations and labels that are the program's alone.
	Prefix = "finance-rollout/"

	// Owner names the stack that a namespace belongs to, as project/stack.
	Owner = "finance-rollout/stack"
	// StagingVerified holds, on a canary's Deployment, the digest that staging has verified, when it is the canary's.
	StagingVerified = "finance-rollout/staging-verified"
	// Checksum changes, on a pod template, with the secrets and the configuration that the pods start with.
	Checksum = "finance-rollout/config-checksum"
	// Identity holds the short form of the identity of a release, on its pods and on its Deployment.
	Identity = "finance-rollout/identity"
	// Interruption holds the sequence number of the ledger's entry that a Deployment or a route was last rewritten after.
	Interruption = "finance-rollout/interruption"
)
