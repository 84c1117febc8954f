package rollback

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// drain is the time that the isolated pods of a bad canary get to end. A pod that leaves otherwise waits in its preStop
// hook for the endpoints to change, and goes on answering clients whose connections stay open.
const drain = time.Second

// hasten ends the isolated pods of a canary that fails badly, and returns that in words. They are out of the Service by
// now, but an isolation reaches new connections alone. It comes before the Deployment is scaled down: the kubelet cuts
// no preStop hook short that has begun. A canary that fails mildly, or of whose failures nothing is known, ends as any
// pod does: its last answers are good ones. Pods that cannot be hastened do the same.
func (r *run) hasten(ctx context.Context) string {
	isolated := maps.Clone(r.options.Canary)
	isolated[r.options.LabelKey] = r.options.LabelValue
	return r.end(ctx, isolated)
}

// hastenAll ends all pods of such a canary: they cannot be isolated, and leave the Service with their end alone.
func (r *run) hastenAll(ctx context.Context) { _ = r.end(ctx, r.options.Canary) }

func (r *run) end(ctx context.Context, pods map[string]string) string {
	if r.options.Failing < mild {
		return ""
	}
	ended, err := r.cluster.EndPods(ctx, r.options.Namespace, pods, drain)
	if err != nil {
		return fmt.Sprintf(", whose pods end in their own time: %v", err)
	}
	return fmt.Sprintf(", %d pods end within %v", ended, drain)
}
