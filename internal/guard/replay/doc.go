// Package replay judges counts as the guard does, for simulations and measurements: with its court ([blame.Court]), its
// detectors and its quarantine. What it leaves out is what counts do not show: pods, the ledger, and scrapes that fail.
//
// Each track is one pod to the court. A stable track that is asked answers at once; it has no more to say than the
// counts of its interval.
//
// The package is pure: times are those of the counts.
package replay
