// Package prometheus asks a Prometheus server: for raw samples, label values, query results, rules and Alertmanagers.
// Its answers are bounded, and its errors name the server and the cause. [Connect] finds the way to the server that a
// stack names.
//
// It judges nothing: internal/gate does.
package prometheus
