// Package testkit holds the helpers that the tests of several packages share. Nothing but tests imports it.
//
// Beside it lie a cluster, a Prometheus server and a ledger's store in memory, each in a package of its own, so that a
// package may use those whose imports it is not itself part of.
package testkit
