// Package notify tells webhooks of a rollout's events as CloudEvents 1.0. The ledger is the source: an event is a pure
// function of an entry and the entries before it, so that it makes no difference whether an update, a command or the
// guard wrote the entry. The guard delivers through a [Courier]: at least once, in order for each webhook, and from a
// cursor after a restart. Where no guard runs, [Telling] delivers once, right after the write.
//
// The package imports neither Kubernetes nor Pulumi nor the settings. No key and no path of an address appears in an
// error: errors name the host alone.
package notify
