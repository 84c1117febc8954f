// Package stack opens a stack of the Pulumi project for an operator's command: it reads the stack's settings, connects
// to its cluster and runs the Pulumi CLI through the Automation API.
//
// Open reads the stack's files and nothing else: no Pulumi CLI, no backend, no passphrase. In an emergency only the
// cluster has to be reachable. Secrets come from the CLI, through [Stack.WithSecrets] alone.
//
// The package decides nothing about a rollout and knows no command. Of Pulumi it imports the Automation API and the
// format of the project's files, and no resources.
package stack
