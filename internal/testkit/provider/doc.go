// Package provider stands in for Pulumi's Kubernetes provider in tests that run the real engine and the real program
// against the cluster in memory of package cluster, which has no OpenAPI and no watches.
//
// It follows the rules of the real one that decide what an update does to a cluster: when a changed provider replaces
// all its resources, which changed fields replace an object, server-side apply with a forced take-over only where the
// object asks for it, an apply over an object that exists, and a refresh that reads back the fields that were set. It
// leaves out what needs a real cluster: validation, defaults of the API server, and waiting, since the pods of the
// cluster in memory are ready at once. The end-to-end tests run the real provider.
package provider
