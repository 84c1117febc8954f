// Package ledger is the durable, append-only history of a rollout: the shifts with their authors and times, the gates'
// verdicts, the rollbacks and the latches. It is the clock of the soak and the memory of the latch. One ConfigMap holds
// it and is written by compare-and-swap, so that concurrent writers lose nothing.
//
// Every entry carries a running checksum. A ledger that cannot be parsed, has a newer format or was edited by hand is
// never overwritten: reading it is an error that names the reason, and nothing is appended.
//
// Only configmap.go knows Kubernetes; everything else uses a [Store]. The package imports no Pulumi.
package ledger
