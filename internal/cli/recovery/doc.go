// Package recovery is an operator's rollback, from finding the canary to the report. internal/rollback takes the canary
// out of traffic. Then the package brings the stack to the same position, runs the smoke suite on the stable track,
// watches it, and reports all of it with the steps that are left to do.
//
// The rollback itself needs nothing but the cluster. If anything else does not answer, the report names the command
// that makes up for it.
//
// The package imports no Pulumi: it reaches the stack through the interface Stack.
package recovery
