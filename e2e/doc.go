// Package e2e holds the end-to-end tests: the real Pulumi engine and provider, the real program and the example service
// on the local one-node Kubernetes. They carry the build tag e2e; `make e2e` runs them, and `make e2e-long` those that
// take longest beside what they add.
//
// Each test has its own stacks: namespaces, node ports, a project folder and a state. So the tests run side by side,
// and beside the demo. Whatever would disturb other tests is done to a test's own copy: TestBlind stops a Prometheus
// of its own, and TestGuard cuts its guard off from the API server in the guard's network namespace.
//
// A test whose parts build on each other runs them in order. Package fixture breaks canaries and measures how long they
// stay in traffic.
package e2e
