// Package e2e holds the tests of the whole: the real Pulumi engine and provider, the real program and the example
// service on the local one-node Kubernetes. They carry the build tag e2e; `make e2e` runs them.
//
// The stacks of the tests have namespaces, a state and a project folder of their own, so that they can run beside the
// demo.
package e2e
