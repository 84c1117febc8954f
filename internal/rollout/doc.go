// Package rollout says what the settings of a stack mean for its rollout: how its parts are called and labelled, what
// its gates look at, which facts a move is judged by, and what a rollback takes out. The hooks of the Pulumi program
// and the operator's commands stand on it both, so that they ask the same questions and get the same answers.
//
// It decides nothing: internal/advance judges a move, internal/gate the evidence. It imports no Pulumi, reads the
// environment only through what it is given, and reaches the cluster and Prometheus only through interfaces.
package rollout
