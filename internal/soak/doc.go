// Package soak reads the evidence of the stage that a rollout stands at: the counts of its requests over the whole
// soak beside those of the stable track, the time that was really watched, restarts, alerts, and the stack's own
// criteria. The advance hook asks it for a verdict, the guard for a checkpoint; both get the same answer to the same
// question, made afresh.
//
// It judges nothing itself: internal/gate does. It imports no Pulumi and reaches the cluster and Prometheus only
// through the interfaces that it is given.
package soak
