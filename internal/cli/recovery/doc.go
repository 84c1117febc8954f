// Package recovery is an operator's rollback from its beginning to its report: it finds out what is on trial, says
// what the chosen option does with its pods, and after internal/rollback has taken the canary out it brings the stack
// to the same position, runs what follows a rollback, the smoke suite and the watch of the stable track, and sums all
// of it up, with what is left to do.
//
// Nothing but the cluster must be reachable for the rollback itself. What else does not answer is named in the
// report, with the command that makes up for it.
//
// The package imports no Pulumi: the stack comes in through FollowUp.
package recovery
