package adopt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/redact"
	"github.com/vextrus/finance-rollout/internal/takeover"
)

// recordEnd ends the key of a manifest in the record.
const recordEnd = ".yaml"

// Operation carries a plan out.
type Operation struct {
	Cluster *kube.Client
	Target  takeover.Target
	// Write writes settings into the stack's file, and Update runs `pulumi up`.
	Write  func(takeover.Values) error
	Update func(context.Context) error
	// Replicas are the pods of the stable track after the update.
	Replicas func() int
	// Patience bounds each wait. Settle is how long the nodes may take to follow the Service before an old pod ends.
	Patience, Settle time.Duration
	Report           func(string)
}

// Run takes the steps of a plan. The error names the step that failed; what was done before it stays, and a plan that
// is made anew goes on from there.
func (o *Operation) Run(ctx context.Context, plan *takeover.Plan) error {
	for i, step := range plan.Steps {
		o.Report(fmt.Sprintf("%d/%d %s: %s", i+1, len(plan.Steps), step.Object, step.Text))
		if err := o.run(ctx, plan, step); err != nil {
			return fmt.Errorf("step %d of %d, %s: %w: the steps before it are done; go on with `rollout adopt -s %s`",
				i+1, len(plan.Steps), step.Action, err, o.Target.Stack)
		}
	}
	return nil
}

func (o *Operation) run(ctx context.Context, plan *takeover.Plan, step takeover.Step) error {
	object := step.Object
	switch step.Action {
	case takeover.Mark:
		return o.Cluster.Annotate(ctx, namespaces, "", object.Name, names.Owner, o.Target.Owner)
	case takeover.Write:
		return o.Write(plan.Settings)
	case takeover.Save:
		return o.save(ctx, plan)
	case takeover.SetAside:
		return o.setAside(ctx, object, step.To)
	case takeover.Update:
		return o.Update(ctx)
	case takeover.Await:
		return o.await(ctx)
	case takeover.Drain:
		return o.drain(ctx, object)
	case takeover.Remove, takeover.Delete:
		return o.Cluster.DeleteObject(ctx, resources[object.Kind], object.Namespace, object.Name, false)
	default:
		return fmt.Errorf("no such step")
	}
}

// save keeps the manifests of the objects that the plan changes. What an earlier try kept stays: it was the first.
func (o *Operation) save(ctx context.Context, plan *takeover.Plan) error {
	namespace, name := o.Target.Namespace, takeover.Record(o.Target.App)
	kept, _, err := o.Cluster.ConfigMap(ctx, namespace, name)
	if err != nil {
		return err
	}
	record := map[string]string{}
	objects := []takeover.Object{{Kind: "service", Namespace: namespace, Name: o.Target.ServiceName}}
	for _, step := range plan.Steps {
		objects = append(objects, step.Object)
	}
	for _, object := range objects {
		kind, known := resources[object.Kind]
		if !known {
			continue
		}
		live, exists, err := o.Cluster.Object(ctx, kind, namespace, object.Name)
		if err != nil {
			return err
		}
		if !exists {
			continue
		}
		manifest, err := manifestOf(live)
		if err != nil {
			return err
		}
		record[object.Kind+"."+object.Name+recordEnd] = manifest
	}
	maps.Copy(record, kept)
	return o.Cluster.Record(ctx, namespace, name, record)
}

// manifestOf is an object as it can be applied again. A credential that stands in it in plain text is masked.
func manifestOf(live *unstructured.Unstructured) (string, error) {
	object := live.DeepCopy()
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	object.SetUID("")
	object.SetGeneration(0)
	object.SetCreationTimestamp(metav1.Time{})
	unstructured.RemoveNestedField(object.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(object.Object, "status")
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		return "", fmt.Errorf("write the manifest of %s: %w", live.GetName(), err)
	}
	return redact.Text(string(text), nil), nil
}

// setAside gives a Deployment another name without touching a pod: the Deployment goes and leaves its ReplicaSets,
// and a Deployment of the same selector and template takes them in.
func (o *Operation) setAside(ctx context.Context, object takeover.Object, to string) error {
	live, exists, err := o.Cluster.Deployment(ctx, object.Namespace, object.Name)
	if err != nil {
		return err
	}
	if !exists || takeover.IsOurs(live.ObjectMeta) {
		return fmt.Errorf("%s is gone or another one by now: look again with `rollout adopt --plan -s %s`", object,
			o.Target.Stack)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	if err := o.Cluster.DeleteObject(ctx, deployments, object.Namespace, object.Name, true); err != nil {
		return err
	}
	if err := o.Cluster.WaitGone(ctx, deployments, object.Namespace, object.Name); err != nil {
		return err
	}
	// From here on the pods have no Deployment: an interrupted command finishes this step.
	return o.Cluster.CreateDeployment(context.WithoutCancel(ctx), asideOf(live, to))
}

func asideOf(live *appsv1.Deployment, name string) *appsv1.Deployment {
	copied := &appsv1.Deployment{Spec: *live.Spec.DeepCopy()}
	copied.Namespace, copied.Name = live.Namespace, name
	copied.Labels = maps.Clone(live.Labels)
	return copied
}

// await waits until the Service leads to the stable track with all its pods. Then the nodes get time to follow.
func (o *Operation) await(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, o.Patience)
	defer cancel()
	selector, exists, err := o.Cluster.ServiceSelector(limited, o.Target.Namespace, o.Target.ServiceName)
	if err != nil {
		return err
	}
	if !exists || !takeover.SelectsTracks(selector, o.Target.App) {
		return fmt.Errorf("service %s/%s does not select the rollout's pods: somebody has turned it back", o.Target.Namespace,
			o.Target.ServiceName)
	}
	ours := names.StableLabels(o.Target.App)
	ours[names.ManagedBy] = names.Program
	if err := o.Cluster.WaitEndpoints(limited, o.Target.Namespace, o.Target.ServiceName, ours, o.Replicas()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(o.Settle):
		return nil
	}
}

// drain takes the pods of an old workload away. The workload stays.
func (o *Operation) drain(ctx context.Context, object takeover.Object) error {
	switch object.Kind {
	case "Deployment":
		return o.Cluster.Scale(ctx, object.Namespace, object.Name, 0)
	case "ReplicaSet":
		return o.Cluster.ScaleReplicaSet(ctx, object.Namespace, object.Name, 0)
	default:
		return errors.New("neither a Deployment nor a ReplicaSet")
	}
}
