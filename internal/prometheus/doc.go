// Package prometheus is the client of a Prometheus server: raw samples, label values, query results, rules and
// Alertmanagers. The size of an answer is bounded, and errors name the server and the cause. [Connect] reaches the
// server that a stack's configuration names.
//
// It does not judge the numbers; internal/gate does.
package prometheus
