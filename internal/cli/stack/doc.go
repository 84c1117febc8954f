// Package stack is what every command of an operator begins and ends with: it opens a stack of the Pulumi project by
// its name, reads its settings, connects to its cluster, runs the Pulumi CLI through the Automation API, asks before
// something changes, prints the outcome as a table or as JSON, and says which exit code that is.
//
// A stack is opened from its files alone, without the Pulumi CLI, its backend or its passphrase: in an emergency
// nothing but the cluster must be reachable. Secrets are asked of the CLI, and only by [Stack.WithSecrets].
//
// The package decides nothing about a rollout and knows no command. It may import internal/settings, internal/kube,
// internal/podlabel and internal/gate, and of Pulumi the Automation API and the format of its files; the program's
// resources belong to package main.
package stack
