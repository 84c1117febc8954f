// Package guard watches canaries from inside the cluster and takes a bad one out of traffic within seconds. It looks
// at the pods, scrapes their counters every second, listens to alerts and takes the soak's checkpoints.
//
// What it may do to a canary is decided by functions of data: [Pods.Findings] for what the API server says, the
// tracker for what was counted, the alerts' and the checkpoint's verdicts. Only an error rate that is proven, a crash
// loop, repeated OOM kills, health checks that fail, an alert that asks for it and a failed soak roll back. Latency,
// single restarts and images that cannot be pulled ask for a person's review, as the deployment guide does. No data
// is no finding: a guard that sees nothing says so and touches nothing.
//
// Several guards may run; a Lease chooses the one that acts. Whatever one of them began, internal/rollback carries
// through: the ledger tells the next one of it.
//
// The package imports no Pulumi, and reaches the cluster through internal/kube.
package guard
