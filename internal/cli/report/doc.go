// Package report writes the deployment log of a release: its timeline, decisions with their numbers, charts of
// requests, errors and latency of both tracks, rollbacks, and a checklist of next steps. It reads the ledger and, for
// the charts, Prometheus, and writes Markdown or one self-contained HTML page.
//
// Texts from outside, such as a reason in the ledger, are escaped and never become markup. Building and rendering are
// pure functions; only [Panels] queries, through an interface. The package imports neither Kubernetes nor Pulumi.
package report
