// Package diagnose finds out why a rollout's pods do not start, fail or are slow. Its rules are the deployment
// guide's troubleshooting as functions of a Snapshot: from what the API server, the pods and Prometheus say at one
// moment to findings, the cause before its consequences, each with its evidence and the next command.
//
// The rules are pure. Of Secrets they see the names of keys and nothing else, and log lines have been redacted
// before. Reading a Snapshot from a cluster is the job of internal/diagnose/live. The package may import the API's
// types, neither a client nor Pulumi.
package diagnose
