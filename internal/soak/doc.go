// Package soak gathers the evidence on the stage that a rollout stands at: the requests of the whole soak beside
// those of the stable track, the time that was watched, restarts, alerts, and the stack's additional criteria. The
// program asks for a verdict before it advances, and the guard at every checkpoint; both ask the same question
// afresh. [Note] records the answer in the ledger.
//
// internal/gate judges the evidence. The package imports no Pulumi and reaches the cluster and Prometheus only through
// interfaces.
package soak
