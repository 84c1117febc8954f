package rollback

import (
	"context"
	"fmt"
	"time"
)

const (
	// drain is the time that the pods of a bad canary get to end. A pod that leaves otherwise waits in its preStop hook
	// for the endpoints to change, and goes on answering clients whose connections stay open.
	drain = time.Second
	// hastenLimit bounds the wait until all of the pods are being deleted.
	hastenLimit = 3 * time.Second
)

// hasten ends the pods of a canary that fails badly sooner than their grace period does, and returns that in words.
// They are out of the Service by now, but an isolation reaches new connections alone. A canary that fails mildly, or
// of whose failures nothing is known, ends as any pod does: its last answers are good ones. Pods that cannot be
// hastened do the same.
func (r *run) hasten(ctx context.Context) string {
	if r.options.Failing < mild {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, hastenLimit)
	defer cancel()
	for {
		waiting, err := r.cluster.EndPods(ctx, r.options.Namespace, r.options.Canary, drain)
		switch {
		case err != nil:
			return fmt.Sprintf(", whose pods end in their own time: %v", err)
		case waiting == 0:
			return fmt.Sprintf(", whose pods end within %v", drain)
		}
		if !sleep(ctx, shortestPause) {
			return fmt.Sprintf(", of whose pods %d are not being deleted yet", waiting)
		}
	}
}
