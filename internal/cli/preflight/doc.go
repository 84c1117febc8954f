// Package preflight is the checklist that the deployment guide asks for before a deployment. Every row has a state, a
// finding and a fix. Rows are pure functions of Facts and of the stack's settings; package live reads the Facts.
//
// A check that could not run, for example for lack of a permission, is unknown and not in order: a checklist that
// guesses is worse than none. Of Kubernetes the package imports the parsers of versions and quantities, and no client;
// it imports no Pulumi.
package preflight
