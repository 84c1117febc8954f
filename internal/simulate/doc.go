// Package simulate replays recorded or generated traffic through the gates and shows their decisions. It helps to
// choose limits: the same traffic can be judged again with different ones.
//
// The package judges nothing itself. The bake is [gate.Bake] with a simulated clock; the soak is [gate.EvaluateSoak]
// and [gate.Cover] at the checkpoints of [plan.Soak], decided by [advance.Decide]; the guard is [replay.Guard]. They
// read the traffic as the samples that Prometheus would have. A simulation leaves out everything that requests do not
// show: restarts, crash loops, alerts and the stack's custom criteria. The real guard scrapes every second; here it
// sees the samples of the traffic, and can be late by one step.
//
// The package is pure: no clock, no Kubernetes, no Pulumi, no HTTP.
package simulate
