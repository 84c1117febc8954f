// Package chaos runs random sequences of what operators type against one stack and looks for a sequence after which
// production is deleted, moved or stuck.
//
// The Pulumi CLI with its engine and its language host is the real one, and so are the program, in a process of its own
// with its hooks, and the rollout command. The cluster is the one in memory of internal/testkit/cluster, and the
// Kubernetes provider the stand-in of internal/testkit/provider, so that a step takes seconds and a sequence needs no
// node. No Prometheus answers: moves that need a soak carry an override, which the ledger keeps.
//
// `make chaos SEQUENCES=200 SEED=7` runs the sequences 7 to 206; each prints its seed, and `make chaos SEQUENCES=1
// SEED=N` repeats one. A sequence that found a fault is a named test.
package chaos
