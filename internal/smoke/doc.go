// Package smoke checks a freshly started pod of an HTTP service before it gets traffic.
//
// A [Suite] is data: named checks, each one or more requests with what is expected of the answers. The suite of the
// finance service is embedded; [Load] reads any other from a file. [Run] sends a suite to every [Target] and returns
// a [Report]. How a target is reached (port-forward, NodePort, a test server) is the caller's business: it hands in a
// base URL and an HTTP client.
//
// A check has three outcomes. It passed; it failed, because the pod answered something else than expected; or it is an
// error, because nobody could look: no connection, no token to sign in with, a canceled context. Only a report in which
// every check of every pod passed is OK.
//
// Tokens and other secrets never appear in a report.
//
// The package imports neither Kubernetes nor Pulumi, and of this module only the leaves redact and sanitize.
package smoke
