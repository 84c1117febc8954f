// Package advance is the gate in front of a shift. It decides whether the canary may get more requests, based on where
// the rollout stands, the configured target, and the evidence of the soak. The Pulumi program's advance hook calls it
// on preview and on up, and it is the only place that makes this decision.
//
// The decision is a pure function from Facts to a Decision. It uses the arithmetic of internal/plan and internal/gate,
// imports neither Kubernetes nor Pulumi, and reads no clock.
package advance
