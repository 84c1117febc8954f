// Package components models what a rollout makes exist in the cluster, one Pulumi component a file: the environment
// (namespace, service account, network policy), the secrets, the image, the tracks, the traffic between them, the
// monitoring and the release record that the gates guard.
//
// A component takes an Args struct, validates it before it registers anything, and is the parent of its resources.
// The package imports internal packages for plain data and functions; it never talks to a cluster itself: whatever
// must look at the cluster is a hook that the program passes in.
package components
