package adopt

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/takeover"
)

// Letting lets a service go out of a rollout: its stable pods, and what they and their requests need, stay as they are.
type Letting struct {
	Cluster *kube.Client
	Target  takeover.Target
	// Import replaces the stack's state, and Destroy runs `pulumi destroy`.
	Import  func(context.Context, []byte) error
	Destroy func(context.Context) error
	Report  func(string)
}

// Run lets go. It is repeated after an interruption: a stack without resources has nothing left but the marks.
func (l *Letting) Run(ctx context.Context, released *takeover.Released) error {
	again := fmt.Sprintf("go on with `rollout adopt --release -s %s`", l.Target.Stack)
	if len(released.Stays)+len(released.Goes) > 0 {
		l.Report(fmt.Sprintf("the stack's state lets go of %d objects", len(released.Stays)))
		if err := l.Import(ctx, released.State); err != nil {
			return fmt.Errorf("%w: nothing has changed; %s", err, again)
		}
		l.Report(fmt.Sprintf("pulumi destroy: %d objects go, none of them takes requests", len(released.Goes)))
		if err := l.Destroy(ctx); err != nil {
			return fmt.Errorf("%w: the service runs on; %s", err, again)
		}
	}
	namespace := l.Target.Namespace
	for _, marked := range []struct {
		kind schema.GroupVersionResource
		name string
	}{{deployments, names.StableDeployment(l.Target.App)}, {services, l.Target.ServiceName}} {
		if err := l.Cluster.Unlabel(ctx, marked.kind, namespace, marked.name, names.ManagedBy); err != nil {
			return fmt.Errorf("%w: the service runs on; %s", err, again)
		}
	}
	if err := l.Cluster.Unannotate(ctx, namespaces, "", namespace, names.Owner); err != nil {
		return fmt.Errorf("%w: the service runs on; %s", err, again)
	}
	return nil
}
