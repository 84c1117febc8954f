// Package report writes the deployment log of a release: what happened and when, what was decided by which numbers,
// how requests, errors and latency of both tracks went, what was rolled back, and what is to do next. It is made from
// the ledger and, for the charts, from Prometheus; as Markdown, or as one HTML page that needs nothing else.
//
// Whatever comes from outside, a reason in the ledger for one, is text in both and never markup. Building and drawing
// are functions of data; only [Panels] asks, through an interface. The package imports neither Kubernetes nor Pulumi.
package report
