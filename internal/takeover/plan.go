package takeover

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/overlay"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// Action is what a step does.
type Action string

// Actions, in the order in which a plan has them.
const (
	// Mark writes the stack's name on the namespace.
	Mark Action = "mark"
	// Write writes the settings into the stack's file.
	Write Action = "write"
	// Save keeps the manifests of what the next steps change.
	Save Action = "save"
	// Remove deletes an object that would get in the way of the rollout's own.
	Remove Action = "remove"
	// SetAside gives a Deployment another name: its ReplicaSet and pods run on under a copy of it.
	SetAside Action = "set-aside"
	// Update runs `pulumi up`. Its Service changes when the new pods are ready.
	Update Action = "update"
	// Await waits until the Service leads to the new pods.
	Await Action = "await"
	// Drain scales an old workload to 0 and keeps it.
	Drain Action = "drain"
	// Delete deletes an old workload that was drained.
	Delete Action = "delete"
)

// Step is one step of a takeover.
type Step struct {
	Action Action `json:"action"`
	Object Object `json:"object"`
	// To is the new name of what is set aside.
	To string `json:"to,omitempty"`
	// Text says what happens, and what of the service it touches.
	Text string `json:"text"`
}

// Plan is how a service becomes the stable track of a rollout.
type Plan struct {
	// Refusals are why nothing is done; empty when the plan can be carried out.
	Refusals []*Refusal `json:"refusals,omitempty"`
	// Settings are the values that the stack's file gets, by their keys.
	Settings Values `json:"settings,omitempty"`
	// Notes are what a person should know and the settings do not hold.
	Notes []string `json:"notes,omitempty"`
	Steps []Step   `json:"steps,omitempty"`
}

// Target is the rollout that takes over.
type Target struct {
	App, Namespace, ServiceName string
	// Stack is the stack's name, Owner the mark of its namespace as project/stack.
	Stack, Owner string
	// Gateway is true where a route splits the requests, so that an autoscaler may choose the stable pods.
	Gateway bool
	// Given are the settings that the stack's file has, as JSON data by their keys. They count.
	Given Values
	// Delete deletes the old workloads at the end.
	Delete bool
}

// Aside is the name of a Deployment that is set aside.
func Aside(name string) string { return name + "-before" }

// New plans a takeover. It changes nothing.
func New(target Target, live *Live) *Plan {
	p := &planner{target: target, live: live, plan: &Plan{}}
	if p.refuse(); len(p.plan.Refusals) > 0 {
		return p.plan
	}
	switch ours := p.ours(); {
	case ours && len(live.Workloads) == 0:
		return p.done()
	case ours:
		// An earlier takeover was interrupted: the stack goes its own way by now, and only the old pods are left.
		p.leave(live.Workloads)
		return p.plan
	}
	values, notes, err := describe(target.App, live)
	if err != nil {
		p.refused(p.service(), fmt.Sprintf("look with %#q", p.service().command("get", "-o yaml")), "%s", err)
		return p.plan
	}
	p.refuseCredentials(values)
	if len(p.plan.Refusals) > 0 {
		return p.plan
	}
	p.plan.Notes = append(p.plan.Notes, notes...)
	p.security()
	p.autoscale(values)
	p.monitors(values)
	p.plan.Settings = p.merged(values)
	p.steps()
	return p.plan
}

type planner struct {
	target Target
	live   *Live
	plan   *Plan
}

func (p *planner) service() Object {
	return Object{Kind: "service", Namespace: p.target.Namespace, Name: p.target.ServiceName}
}

func (p *planner) refused(object Object, fix, reason string, args ...any) {
	p.plan.Refusals = append(p.plan.Refusals, &Refusal{Object: object, Reason: fmt.Sprintf(reason, args...), Fix: fix})
}

func (p *planner) note(format string, args ...any) {
	p.plan.Notes = append(p.plan.Notes, fmt.Sprintf(format, args...))
}

func (p *planner) step(action Action, object Object, text string, args ...any) {
	p.plan.Steps = append(p.plan.Steps, Step{Action: action, Object: object, Text: fmt.Sprintf(text, args...)})
}

// done is the plan for a Service that leads to the rollout's pods already.
func (p *planner) done() *Plan {
	p.note("%s leads to the rollout's pods, and no other pods are left: there is nothing to take over", p.service())
	return p.plan
}

// refuse collects everything that stands against the takeover.
func (p *planner) refuse() {
	t, f := p.target, p.live
	if f.Owner != "" && f.Owner != t.Owner {
		p.refused(Object{Kind: "namespace", Name: t.Namespace}, fmt.Sprintf("pass that stack with --stack, or name another "+
			"namespace: pulumi config set namespace NAME -s %s", t.Stack), "it belongs to the stack %s", f.Owner)
	}
	if f.Service == nil {
		p.refused(p.service(), fmt.Sprintf("name the one that clients use: rollout adopt --service NAME -s %s; without one "+
			"that runs, `pulumi up -s %s` makes everything anew", t.Stack, t.Stack), "there is no such Service")
		return
	}
	if !p.ours() {
		p.refuseService()
	}
	for i := range f.Workloads {
		workload := &f.Workloads[i]
		p.plan.Refusals = append(p.plan.Refusals, Keepers(workload.Object(), workload.Meta, f.Alive)...)
		p.refuseAutoscalers(workload)
	}
	if f.Colliding != nil && slices.Contains(f.Kept, Aside(f.Colliding.Meta.Name)) {
		kept := f.Colliding.Object()
		kept.Name = Aside(kept.Name)
		p.refused(kept, kept.command("delete", ""), "the Deployment that it kept the name for exists again: an earlier "+
			"takeover set one aside under this name")
	}
}

// ours reports whether the Service is the rollout's and leads to its pods. One that a rollout has released looks alike,
// but for the mark.
func (p *planner) ours() bool {
	service := p.live.Service
	return IsOurs(service.ObjectMeta) && SelectsTracks(service.Spec.Selector, p.target.App)
}

func (p *planner) refuseService() {
	f, service := p.live, p.live.Service
	p.plan.Refusals = append(p.plan.Refusals, Keepers(p.service(), service.ObjectMeta, f.Alive)...)
	switch {
	case service.Spec.Type == "ExternalName":
		p.refused(p.service(), "name another one with --service", "it is an alias of %s, and leads to no pods",
			service.Spec.ExternalName)
	case len(service.Spec.Selector) == 0:
		p.refused(p.service(), "name another one with --service",
			"it has no selector, so that somebody else keeps its endpoints")
	case len(f.Workloads) == 0:
		p.refused(p.service(), fmt.Sprintf("look with `kubectl get pods -n %s -l %s`", p.target.Namespace,
			selectorText(service.Spec.Selector)), "it leads to no pods of a Deployment or ReplicaSet")
	}
}

// refuseAutoscalers keeps an autoscaler from choosing the pods where their count is the weight.
func (p *planner) refuseAutoscalers(workload *Workload) {
	for i := range p.live.Autoscalers {
		autoscaler := &p.live.Autoscalers[i]
		if !scales(autoscaler, workload) {
			continue
		}
		object := Object{Kind: "hpa", Namespace: p.target.Namespace, Name: autoscaler.Name}
		kept := Keepers(object, autoscaler.ObjectMeta, p.live.Alive)
		p.plan.Refusals = append(p.plan.Refusals, kept...)
		if len(kept) == 0 && !p.target.Gateway {
			p.refused(object, fmt.Sprintf("%s, and the %d pods stay; or split by weights, where an autoscaler can stay: pulumi "+
				"config set traffic gateway -s %s", object.command("delete", ""), workload.Replicas, p.target.Stack),
				"it chooses the pods of %s, and where traffic is replicas the share of the pods is the share of the requests",
				workload.Object())
		}
	}
}

// security warns of old pods that the namespace admits no more: one that ends before the takeover does is not replaced.
func (p *planner) security() {
	for i := range p.live.Workloads {
		workload := &p.live.Workloads[i]
		template, err := asObject(workload.Template)
		if err == nil && len(overlay.Breaks(template)) > 0 {
			p.note("the update lets the namespace admit only pods of the level restricted: a pod of %s that ends from then "+
				"on is not replaced, so take over when no node is drained", workload.Object())
		}
	}
}

// refuseCredentials keeps a credential that stands in a Deployment in plain text out of the stack's file. A variable
// that the stack has from elsewhere is not written.
func (p *planner) refuseCredentials(values Values) {
	env, _ := values["env"].(object)
	given, _ := p.target.Given["env"].(object)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		kind := redact.KindOf(name, fmt.Sprint(env[name]))
		if kind == "" || given[name] != nil || p.elsewhere("env", name) {
			continue
		}
		secret := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		p.refused(p.live.main().Object(),
			fmt.Sprintf("kubectl create secret generic %s -n %s --from-literal=value=VALUE && pulumi "+
				"config set --path existingSecretEnv.%s %s/value -s %s", secret, p.target.Namespace, name, secret, p.target.Stack),
			"its variable %s holds %s, which does not belong into the stack's file", name, kind)
	}
}

// autoscale takes the bounds of an autoscaler over, where a route splits the requests.
func (p *planner) autoscale(values Values) {
	main := p.live.main()
	for i := range p.live.Autoscalers {
		spec := p.live.Autoscalers[i].Spec
		if !p.target.Gateway || !scales(&p.live.Autoscalers[i], main) {
			continue
		}
		least := 1
		if spec.MinReplicas != nil {
			least = int(*spec.MinReplicas)
		}
		autoscale := object{"min": least, "max": max(int(spec.MaxReplicas), p.live.replicas()), "cpuPercent": 70}
		for _, metric := range spec.Metrics {
			if metric.Resource != nil && metric.Resource.Name == "cpu" && metric.Resource.Target.AverageUtilization != nil {
				autoscale["cpuPercent"] = int(*metric.Resource.Target.AverageUtilization)
			} else {
				p.note("hpa %s goes by another metric than CPU too: the stable track's goes by CPU alone",
					p.live.Autoscalers[i].Name)
			}
		}
		values["stable"] = object{"autoscale": autoscale}
	}
}

// monitors takes over where the pods are scraped.
func (p *planner) monitors(values Values) {
	for _, monitor := range p.live.Monitors {
		if !p.scrapes(monitor) {
			continue
		}
		metrics := object{}
		if monitor.Path != "" {
			metrics["path"] = monitor.Path
		}
		if monitor.Interval != "" {
			metrics["interval"] = monitor.Interval
		}
		if len(metrics) > 0 {
			values["metrics"] = metrics
		}
	}
}

// scrapes reports whether a monitor selects the Service, as it is or as the rollout labels it.
func (p *planner) scrapes(monitor Monitor) bool {
	if len(monitor.Selector) == 0 || IsOurs(monitor.Meta) {
		return false
	}
	labels := maps.Clone(p.live.Service.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[names.App] = p.target.App
	for key, value := range monitor.Selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// merged are the values that the stack's file gets: those that it has count, and its objects keep their fields. The
// weight is always 0: the release enters later, through its gate.
func (p *planner) merged(values Values) Values {
	merged := Values{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value, given := values[key], p.target.Given[key]
		fields, isObject := value.(object)
		had, wasObject := given.(object)
		switch {
		case key == "canaryWeight" || given == nil && !isObject:
			merged[key] = value
		case given == nil:
			merged[key] = p.union(key, object{}, fields)
		case key == "pod" || !isObject || !wasObject:
			if !same(given, value) {
				p.note("%s stays as the stack's file has it; the cluster has %s", key, compact(value))
			}
		default:
			merged[key] = p.union(key, had, fields)
		}
		if same(merged[key], given) {
			delete(merged, key)
		}
	}
	return merged
}

// union are the fields of an object in the stack's file and those that only the cluster has. A variable comes from one
// place: the stack's.
func (p *planner) union(key string, had, fields object) object {
	both := maps.Clone(had)
	for name, value := range fields {
		inner, isObject := value.(object)
		was, wasObject := had[name].(object)
		switch {
		case had[name] == nil && !p.elsewhere(key, name):
			both[name] = value
		case isObject && wasObject:
			both[name] = p.union(key+"."+name, was, inner)
		}
	}
	return both
}

// elsewhere reports whether the stack sets a variable by another key.
func (p *planner) elsewhere(key, variable string) bool {
	sources := []string{"env", "secretEnv", "configEnv", "existingSecretEnv"}
	if !slices.Contains(sources, key) {
		return false
	}
	return slices.ContainsFunc(sources, func(source string) bool {
		fields, _ := p.target.Given[source].(object)
		_, set := fields[variable]
		return set && source != key
	})
}

func same(a, b any) bool { return a != nil && b != nil && compact(a) == compact(b) }

func compact(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(encoded)
}

func selectorText(selector map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		parts = append(parts, key+"="+selector[key])
	}
	return strings.Join(parts, ",")
}
