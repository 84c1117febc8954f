package takeover

import (
	"slices"

	"github.com/vextrus/finance-rollout/internal/names"
)

// steps are the steps in their order. Until the update has made pods that are ready, no step touches a pod that takes
// requests; after it, the Service leads to the new ones before an old one ends.
func (p *planner) steps() {
	t, f := p.target, p.live
	namespace := Object{Kind: "namespace", Name: t.Namespace}
	if f.Owner == "" {
		p.step(Mark, namespace, "mark the namespace as that of the stack %s", t.Owner)
	}
	p.step(Write, Object{Kind: "stack", Name: t.Stack}, "write %d settings into the stack's file", len(p.plan.Settings))
	p.step(Save, Object{Kind: "configmap", Namespace: t.Namespace, Name: Record(t.App)},
		"keep the manifests of all that changes below")
	p.removals()
	workloads := slices.Clone(f.Workloads)
	if f.Colliding != nil {
		to := Aside(f.Colliding.Meta.Name)
		p.step(SetAside, f.Colliding.Object(), "rename it to %s: its ReplicaSet and its pods run on untouched", to)
		p.plan.Steps[len(p.plan.Steps)-1].To = to
		for i := range workloads {
			if workloads[i].Kind == f.Colliding.Kind && workloads[i].Meta.Name == f.Colliding.Meta.Name {
				workloads[i].Meta.Name = to
			}
		}
	}
	p.step(Update, Object{Kind: "stack", Name: t.Stack},
		"pulumi up: the stable track starts beside the old pods, and the "+
			"Service changes when it is ready")
	p.leave(workloads)
}

// leave are the steps after the update: the old pods end when the requests go elsewhere.
func (p *planner) leave(workloads []Workload) {
	t := p.target
	p.step(Await, p.service(), "wait until it leads to the stable track, and every node knows it")
	for i := range workloads {
		p.step(Drain, workloads[i].Object(), "scale its %d pods to 0, and keep it", workloads[i].Replicas)
	}
	for i := range workloads {
		if t.Delete {
			p.step(Delete, workloads[i].Object(), "delete it")
		}
	}
	if !t.Delete {
		for i := range workloads {
			p.note("%s stays without pods until you delete it: %s", workloads[i].Object(),
				workloads[i].Object().command("delete", ""))
		}
	}
}

// removals are the objects that would change what the rollout makes: an autoscaler that goes by the stable track's
// name, a budget of its name, and a monitor that would scrape its pods a second time.
func (p *planner) removals() {
	t, f := p.target, p.live
	for i := range f.Autoscalers {
		autoscaler := &f.Autoscalers[i]
		for j := range f.Workloads {
			if scales(autoscaler, &f.Workloads[j]) {
				p.step(Remove, Object{Kind: "hpa", Namespace: t.Namespace, Name: autoscaler.Name},
					"delete it: the stable track has its own, and the old pods stay as many as they are")
			}
		}
	}
	for i := range f.Budgets {
		if name := f.Budgets[i].Name; name == names.StableDeployment(t.App) && !IsOurs(f.Budgets[i].ObjectMeta) {
			p.step(Remove, Object{Kind: "pdb", Namespace: t.Namespace, Name: name},
				"delete it: the stable track has one of that name")
		}
	}
	for _, monitor := range f.Monitors {
		if !p.scrapes(monitor) {
			continue
		}
		object := Object{Kind: "servicemonitor", Namespace: monitor.Meta.Namespace, Name: monitor.Meta.Name}
		kept := Keepers(object, monitor.Meta, f.Alive)
		if len(kept) == 0 {
			p.step(Remove, object, "delete it: the rollout scrapes the pods itself, and pods that are scraped twice count twice")
			continue
		}
		p.note("%s scrapes the pods a second time, so that their requests count twice: %s; %s", object, kept[0].Reason,
			kept[0].Fix)
	}
}

// Record is the name of the ConfigMap that keeps the manifests of an app's objects from before the takeover.
func Record(app string) string { return app + "-adopted" }
