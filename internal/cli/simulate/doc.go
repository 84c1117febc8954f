// Package simulate runs recorded or made-up traffic through the gates and shows what they would have decided, and
// when. It is for choosing limits: the same traffic can be judged again with others.
//
// Nothing is judged here. The bake is [gate.Bake] under a clock that jumps, the soak is [gate.EvaluateSoak] and
// [gate.Cover] at the checkpoints of [plan.Soak] with the decision of [advance.Decide], and the guard is
// [gate.Detector]. The traffic is handed to them as the samples that Prometheus would hold of it. What is left out is
// what no request tells of: restarts, crash loops, alerts, the stack's own criteria. The guard scrapes every second;
// here it sees what the traffic has, and can be late by its step.
//
// The package is pure: no clock, no files, neither Kubernetes nor Pulumi nor HTTP.
package simulate
