// Package status shows the state of a rollout on one screen: tracks and pods, the configured, current and measured
// weight, the soak with its evidence, alerts, latches, the guard, and the last entries of the ledger.
//
// Gather reads all parts concurrently, each with a time limit, so that a status takes about a second even if something
// does not answer; the status then lists the missing parts. Phase, notes and order are pure functions of the data that
// was read, and so is Render. The package changes nothing, imports no Pulumi and reaches the cluster only through
// interfaces.
package status
