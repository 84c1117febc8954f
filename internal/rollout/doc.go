// Package rollout is one stack's rollout as a value: its settings, its cluster, its Prometheus, the clock and who
// acts. The hooks of the Pulumi program and the operator's commands ask it the same questions and get the same
// answers: where the ledger is, what the soak shows, which facts a move is judged by, what a rollback takes out.
//
// It decides nothing: internal/advance judges a move, internal/gate the evidence. It imports no Pulumi, reads the
// environment only through the function it is given, and reaches the cluster only through an interface.
package rollout
