// Package advance is the gate in front of a shift: it decides whether the canary may get more requests, from where
// the rollout stands, what is asked for, and the evidence of the soak. The advance hook of the Pulumi program asks it
// on preview and on up, and nothing else decides the same.
//
// The decision is pure: from Facts to a Decision. It imports the arithmetic of internal/plan and internal/gate, neither
// Kubernetes nor Pulumi, and reads no clock.
package advance
