// Package diagnose explains why the pods of a rollout do not start, fail or are slow. Its rules encode the
// troubleshooting chapter of the deployment guide. They map a Snapshot of the API server, the pods and Prometheus to
// findings, root causes first, each with its evidence and the next command.
//
// The rules are pure functions. They see the key names of Secrets but no values, and log lines that are already
// redacted. Package live reads the Snapshot from a cluster. This package imports the API's types, but no client and
// no Pulumi.
package diagnose
