// Package podlabel names the labels of the pods and of what selects them, for everybody who makes, selects or reads them. It
// holds names and nothing else, and imports nothing.
package podlabel

// Keys.
const (
	App         = "app"
	Environment = "environment"
	Track       = "track"
	Version     = "version"
	// Traffic decides whether a ready pod gets requests. The Service selects by it and no ReplicaSet does, so that a pod loses its
	// traffic, and nothing else, when the label is changed.
	Traffic = "traffic"
	// Owner is the annotation of a namespace that names the stack which it belongs to, as project/stack.
	Owner = "finance-rollout/stack"
)

// Values.
const (
	Stable  = "stable"
	Canary  = "canary"
	Enabled = "enabled"
	// Isolated is what a pod carries that was taken out of traffic to be looked at.
	Isolated = "isolated"
)
