// Package ledger is the durable, append-only history of a rollout: what was shifted, by whom and when, what the gates
// found, what was rolled back and what is latched. It is the clock of the soak and the memory of the latch, kept in
// one ConfigMap that is written by compare-and-swap, so that two writers at once lose nothing.
//
// Every entry carries a running checksum. A ledger that cannot be parsed, comes from a newer format or was edited by
// hand is never overwritten: reading it is an error that says so, and nothing is appended.
//
// Nothing but configmap.go knows Kubernetes: the cluster comes in through a Store. The package imports no Pulumi.
package ledger
