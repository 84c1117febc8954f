// Package preflight is the deployment guide's checklist before a deployment, as rows: each with its state, what was
// found, and how to fix it. The rows are functions of Facts and of the stack's settings; nothing is asked here.
// Reading the Facts is the job of internal/preflight/live.
//
// What could not be looked at, be it for a missing permission, is unknown and not in order: a checklist that guesses
// is worse than none. Of Kubernetes the package imports how versions and quantities are read, and no client; it
// imports no Pulumi.
package preflight
