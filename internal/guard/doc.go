// Package guard watches canaries from inside the cluster and takes a bad one out of traffic within seconds. It watches
// the pods, scrapes their counters every second, receives alerts, and takes the soak's checkpoints.
//
// Pure functions decide what happens to a canary: [Pods.Findings] judges the pods' states, the tracker the counts, and
// the verdicts of alerts and checkpoints the rest. Only these roll a canary back: an error rate above its limit with
// statistical confidence, a crash loop, repeated OOM kills, failing health checks, an alert that asks for it, and a
// failed soak. Latency, single restarts and images that cannot be pulled ask a person for a review, as the deployment
// guide does. Missing data is no finding: a guard that sees nothing reports that and changes nothing.
//
// A runner guards each rollout. It has three parts: the view is what is seen, the record what the ledger says, and the
// actions what is done.
//
// Several guards may run; a Lease elects the leader, which acts alone. internal/rollback completes a rollback that
// another guard began: the ledger holds its intent.
//
// The package imports no Pulumi and reaches the cluster through internal/kube.
package guard
