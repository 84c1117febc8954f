// Package outages simulates what hits both tracks of a rollout at once, and lets the guard's own code decide whose it
// is: a shared dependency that fails, seen by scrapes that come at times of their own, and readiness that is lost, seen
// by probes that do. A seed makes every run reproducible.
package outages
