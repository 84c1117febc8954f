// Package rollback takes a bad canary out of traffic and keeps what explains it. The hooks of the Pulumi program and
// the guard call it; it is written to be called by anybody, at any time, again.
//
// The order is: note the intent, divert the requests where a route or the Service decides about them, isolate the
// canary's pods, confirm that no endpoint is left, bring stable to full capacity, collect evidence, scale the canary
// to 0, and record the outcome. Every step may be repeated, so that a rollback that was interrupted anywhere is
// completed by running it again. The intent comes first, because it latches the image: from then on no update gives
// it requests, whatever happens to this process. A step that fails does not keep the later ones from being tried.
//
// The package imports no Pulumi, and reaches the cluster only through the Cluster interface.
package rollback
