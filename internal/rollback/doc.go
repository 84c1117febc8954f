// Package rollback takes a bad canary out of traffic and keeps the evidence against it. The program's hooks, the
// operator's command and the guard use it alike, at any time and repeatedly.
//
// Its steps are, in this order: note the intent, ask stable for all its pods, divert the requests where a route or the
// Service splits them, isolate the canary's pods as stable takes over and confirm that no endpoint is left, collect
// evidence, scale the canary to 0, wait for stable, and record the outcome. See [Options] for how many of the canary's
// pods may leave before stable has its own. Every step is idempotent, so that another run completes a rollback that
// was interrupted anywhere. The intent comes first because it latches the image: from then on no update gives it
// requests, even if this process dies. A failed step does not keep the later ones from running.
//
// [Spec] names the parts of a rollout that a rollback touches, and [Watch] decides whether stable is well afterwards.
//
// The package imports no Pulumi and reaches the cluster only through interfaces.
package rollback
