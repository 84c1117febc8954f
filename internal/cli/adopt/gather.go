package adopt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/takeover"
)

// The kinds that a takeover reads and removes.
var (
	namespaces  = corev1.SchemeGroupVersion.WithResource("namespaces")
	deployments = appsv1.SchemeGroupVersion.WithResource("deployments")
	replicaSets = appsv1.SchemeGroupVersion.WithResource("replicasets")
	services    = corev1.SchemeGroupVersion.WithResource("services")
	autoscalers = autoscalingv2.SchemeGroupVersion.WithResource("horizontalpodautoscalers")
	budgets     = policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets")
	monitors    = schema.GroupVersionResource{Group: "monitoring.coreos.com", Version: "v1", Resource: "servicemonitors"}
)

// resources are the kinds by the names that a plan has for them.
var resources = map[string]schema.GroupVersionResource{
	"Deployment": deployments, "ReplicaSet": replicaSets, "service": services, "hpa": autoscalers, "pdb": budgets,
	"servicemonitor": monitors,
}

// Gather reads what runs a service. The Service may be missing.
func Gather(ctx context.Context, cluster *kube.Client, target takeover.Target) (*takeover.Live, error) {
	g := &gathering{ctx: ctx, cluster: cluster, target: target, live: &takeover.Live{}}
	g.live.Alive = g.alive
	for _, look := range []func() error{g.owner, g.service, g.colliding, g.remembered, g.autoscalers, g.budgets,
		g.monitors} {
		if err := look(); err != nil {
			return nil, err
		}
	}
	return g.live, nil
}

type gathering struct {
	ctx     context.Context
	cluster *kube.Client
	target  takeover.Target
	live    *takeover.Live
}

// alive reports whether an owner exists. One that cannot be looked at is taken to exist.
func (g *gathering) alive(kind, name string) bool {
	resource, known := takeover.ResourceOf(kind)
	if !known {
		return true
	}
	exists, err := g.cluster.Exists(g.ctx, resource, g.target.Namespace, name)
	return exists || err != nil
}

func (g *gathering) owner() error {
	namespace, exists, err := g.cluster.NamespaceOwner(g.ctx, g.target.Namespace)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("there is no namespace %s at %s: name the one that the service runs in with `pulumi config set "+
			"namespace NAME -s %s`", g.target.Namespace, g.cluster.Origin(), g.target.Stack)
	}
	g.live.Owner = namespace.Annotations[names.Owner]
	return nil
}

// service reads the Service, its pods, and what runs them.
func (g *gathering) service() error {
	service, exists, err := g.cluster.Service(g.ctx, g.target.Namespace, g.target.ServiceName)
	if err != nil || !exists {
		return err
	}
	g.live.Service = service
	if len(service.Spec.Selector) == 0 {
		return nil
	}
	pods, err := g.cluster.AllPods(g.ctx, g.target.Namespace, service.Spec.Selector)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range pods {
		owner := metav1.GetControllerOf(&pods[i])
		if owner == nil || owner.Kind != "ReplicaSet" {
			continue
		}
		if foreign, known := seen[owner.Name]; known {
			if foreign {
				g.live.Pods = append(g.live.Pods, pods[i])
			}
			continue
		}
		before := len(g.live.Workloads)
		if err := g.replicaSet(owner.Name); err != nil {
			return err
		}
		if seen[owner.Name] = len(g.live.Workloads) > before; seen[owner.Name] {
			g.live.Pods = append(g.live.Pods, pods[i])
		}
	}
	return nil
}

// replicaSet adds what runs a ReplicaSet's pods: its Deployment, or the ReplicaSet where it has none.
func (g *gathering) replicaSet(name string) error {
	set, exists, err := g.cluster.ReplicaSet(g.ctx, g.target.Namespace, name)
	if err != nil || !exists {
		return err
	}
	if owner := metav1.GetControllerOf(set); owner != nil && owner.Kind == "Deployment" {
		return g.deployment(owner.Name)
	}
	g.add(takeover.Workload{Kind: "ReplicaSet", Meta: set.ObjectMeta, Selector: set.Spec.Selector,
		Replicas: count(set.Spec.Replicas), Template: set.Spec.Template})
	return nil
}

func (g *gathering) deployment(name string) error {
	deployment, exists, err := g.cluster.Deployment(g.ctx, g.target.Namespace, name)
	if err != nil || !exists || takeover.IsOurs(deployment.ObjectMeta) {
		return err
	}
	g.add(workloadOf(deployment))
	return nil
}

func (g *gathering) add(workload takeover.Workload) {
	known := slices.ContainsFunc(g.live.Workloads, func(known takeover.Workload) bool {
		return known.Kind == workload.Kind && known.Meta.Name == workload.Meta.Name
	})
	if !known {
		g.live.Workloads = append(g.live.Workloads, workload)
	}
}

func workloadOf(deployment *appsv1.Deployment) takeover.Workload {
	workload := takeover.Workload{Kind: "Deployment", Meta: deployment.ObjectMeta, Selector: deployment.Spec.Selector,
		Replicas: count(deployment.Spec.Replicas), Template: deployment.Spec.Template}
	if rolling := deployment.Spec.Strategy.RollingUpdate; rolling != nil {
		if rolling.MaxSurge != nil {
			workload.Strategy.MaxSurge = rolling.MaxSurge.String()
		}
		if rolling.MaxUnavailable != nil {
			workload.Strategy.MaxUnavailable = rolling.MaxUnavailable.String()
		}
	}
	return workload
}

func count(replicas *int32) int {
	if replicas == nil {
		return 1
	}
	return int(*replicas)
}

// colliding finds a Deployment that has the stable track's name, and what stands where it would be set aside.
func (g *gathering) colliding() error {
	name := names.StableDeployment(g.target.App)
	live, exists, err := g.cluster.Deployment(g.ctx, g.target.Namespace, name)
	if err != nil {
		return err
	}
	if exists && !takeover.IsOurs(live.ObjectMeta) {
		workload := workloadOf(live)
		g.live.Colliding = &workload
	}
	_, exists, err = g.cluster.Deployment(g.ctx, g.target.Namespace, takeover.Aside(name))
	if exists {
		g.live.Kept = append(g.live.Kept, takeover.Aside(name))
	}
	return err
}

// remembered adds the workloads of an earlier takeover that still have pods: the Service leads to others by now.
func (g *gathering) remembered() error {
	record, _, err := g.cluster.ConfigMap(g.ctx, g.target.Namespace, takeover.Record(g.target.App))
	if err != nil {
		return err
	}
	for key := range record {
		kind, name, _ := strings.Cut(strings.TrimSuffix(key, recordEnd), ".")
		switch kind {
		case "Deployment":
			for _, name := range []string{name, takeover.Aside(name)} {
				live, exists, err := g.cluster.Deployment(g.ctx, g.target.Namespace, name)
				if err != nil {
					return err
				}
				if exists && !takeover.IsOurs(live.ObjectMeta) && count(live.Spec.Replicas) > 0 {
					g.add(workloadOf(live))
				}
			}
		case "ReplicaSet":
			live, exists, err := g.cluster.ReplicaSet(g.ctx, g.target.Namespace, name)
			if err != nil {
				return err
			}
			if exists && count(live.Spec.Replicas) > 0 {
				if err := g.replicaSet(name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (g *gathering) autoscalers() (err error) {
	g.live.Autoscalers, err = read[autoscalingv2.HorizontalPodAutoscaler](g, autoscalers)
	return err
}

func (g *gathering) budgets() (err error) {
	g.live.Budgets, err = read[policyv1.PodDisruptionBudget](g, budgets)
	return err
}

// serviceMonitor is what a takeover reads of a ServiceMonitor.
type serviceMonitor struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

func (g *gathering) monitors() error {
	live, err := read[serviceMonitor](g, monitors)
	if err != nil {
		return err
	}
	for i := range live {
		monitor := takeover.Monitor{Meta: live[i].Metadata, Selector: live[i].Spec.Selector.MatchLabels}
		if len(live[i].Spec.Endpoints) > 0 {
			first := live[i].Spec.Endpoints[0]
			monitor.Port, monitor.Path, monitor.Interval = first.Port, first.Path, first.Interval
		}
		g.live.Monitors = append(g.live.Monitors, monitor)
	}
	return nil
}

// read lists the objects of a kind in the target's namespace.
func read[T any](g *gathering, kind schema.GroupVersionResource) ([]T, error) {
	live, err := g.cluster.Objects(g.ctx, kind, g.target.Namespace)
	if err != nil {
		return nil, err
	}
	objects := make([]T, len(live))
	for i := range live {
		if err := convert(&live[i], &objects[i]); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func convert(from *unstructured.Unstructured, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(from.Object, into); err != nil {
		return fmt.Errorf("read %s %s: %w", from.GetKind(), from.GetName(), err)
	}
	return nil
}
