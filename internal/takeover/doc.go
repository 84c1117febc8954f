// Package takeover decides how objects that exist become the rollout's: whose they are, who would revert a change of
// them, which settings describe them, and in which order the requests move from the old pods to the new ones.
//
// The package is pure: it is a function of objects that somebody else has read.
package takeover
