// Package status tells where a rollout stands, on one screen: its tracks and pods, the weight that is asked for,
// reached and measured, the soak with its evidence, alerts, latches, the guard, and the last entries of the ledger.
//
// Gather reads, all at once and each part within a budget of its own, so that the answer comes in a second whatever
// does not answer; what could not be read is named in it. What follows from it, its phase, its notes and whether it
// is in order, are functions of data, and so is how it is drawn. It changes nothing, imports no Pulumi and reaches
// the cluster only through interfaces.
package status
