// Package move prepares and makes the moves of `rollout advance` and `rollout finish`: it derives the target and the
// configuration from the ledger and the settings, judges the move as the advance gate will, and runs the update. A
// refused move changes nothing; an update that moved nothing gets its configuration restored.
//
// The package imports no Pulumi: it reaches the stack through the interface Stack.
package move
