package takeover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Released is a stack's state that lets go of what serves the requests, and what that means for its objects.
type Released struct {
	// State is the stack's state as Pulumi imports it: to destroy the stack leaves what stays in the cluster.
	State []byte `json:"-"`
	// Stays are the objects that stay as they are, Goes those that the rollout needed for itself.
	Stays []Object `json:"stays,omitempty"`
	Goes  []Object `json:"goes,omitempty"`
}

// Release reads the exported state of a stack and marks what stays in the cluster when the stack is destroyed: all that
// the stable pods run with and that requests reach them by. The guard, the rules and the dashboard, the release record
// and the canary's own objects go.
func Release(app string, state []byte) (*Released, error) {
	document := object{}
	decoder := json.NewDecoder(bytes.NewReader(state))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("read the stack's state: %w", err)
	}
	deployment, _ := document["deployment"].(object)
	if pending, _ := deployment["pending_operations"].(list); len(pending) > 0 {
		return nil, fmt.Errorf("an update of the stack was killed in the middle of %d operations: `pulumi refresh` settles them",
			len(pending))
	}
	released := &Released{}
	resources, _ := deployment["resources"].(list)
	if err := refuseOthers(resources); err != nil {
		return nil, err
	}
	for _, item := range resources {
		resource, _ := item.(object)
		kind, isObject := strings.CutPrefix(fmt.Sprint(resource["type"]), "kubernetes:")
		if !isObject {
			continue
		}
		found := objectOf(kind, resource)
		// The release record is protected as well, so that no destroy goes without a preparation such as this one.
		resource["protect"] = false
		if !stays(app, fmt.Sprint(resource["urn"]), kind, found.Name) {
			released.Goes = append(released.Goes, found)
			continue
		}
		released.Stays = append(released.Stays, found)
		resource["retainOnDelete"] = true
	}
	var err error
	if released.State, err = json.Marshal(document); err != nil {
		return nil, fmt.Errorf("write the stack's state: %w", err)
	}
	return released, nil
}

// refuseOthers refuses a state that holds more than one rollout: to destroy the stack would take the rest along.
func refuseOthers(resources list) error {
	const component = "finance-rollout:index:"
	var rollouts, others []string
	for _, item := range resources {
		resource, _ := item.(object)
		kind, urn := fmt.Sprint(resource["type"]), fmt.Sprint(resource["urn"])
		switch custom, _ := resource["custom"].(bool); {
		case kind == component+"Rollout":
			rollouts = append(rollouts, urn)
		case custom && !strings.HasPrefix(kind, "pulumi:") && !strings.Contains(urn, component):
			others = append(others, urn)
		}
	}
	if len(rollouts) > 1 {
		others = append(others, rollouts[1:]...)
	}
	if len(others) == 0 {
		return nil
	}
	stack, _, _ := strings.Cut(strings.TrimPrefix(others[0], "urn:pulumi:"), "::")
	return fmt.Errorf("the stack holds more than this rollout, %d resources such as %s, and to let go destroys the "+
		"stack: move them into another one with `pulumi state move --source %s --dest OTHER URN`", len(others), others[0], stack)
}

// objectOf names the object of a resource, whose kind is as in apps/v1:Deployment.
func objectOf(kind string, resource object) Object {
	inputs, _ := resource["inputs"].(object)
	metadata, _ := inputs["metadata"].(object)
	named := Object{Kind: strings.ToLower(kind[strings.LastIndex(kind, ":")+1:])}
	named.Name, _ = metadata["name"].(string)
	named.Namespace, _ = metadata["namespace"].(string)
	return named
}

// stays reports whether an object serves the stable pods or their requests. A URN holds the types of a resource's
// parents.
func stays(app, urn, kind, name string) bool {
	part := func(component string) bool { return strings.Contains(urn, "finance-rollout:index:"+component+"$") }
	switch {
	case part("Guard"), part("Release"):
		return false
	case part("Monitoring"):
		return strings.HasSuffix(kind, ":ServiceMonitor")
	case part("Track"):
		return name == names.StableDeployment(app)
	default:
		return true
	}
}

// RefuseRelease says why the rollout cannot let go of the service now: it does so only where stable serves everything
// with pods that are ready. The weight is the canary's by the ledger.
func RefuseRelease(target Target, weight int, under string, live *Live, wanted, ready int) []*Refusal {
	var refusals []*Refusal
	refuse := func(object Object, fix, reason string, args ...any) {
		refusals = append(refusals, &Refusal{Object: object, Reason: fmt.Sprintf(reason, args...), Fix: fix})
	}
	stack := Object{Kind: "stack", Name: target.Stack}
	stable := Object{Kind: "deployment", Namespace: target.Namespace, Name: names.StableDeployment(target.App)}
	if live.Owner != "" && live.Owner != target.Owner {
		refuse(Object{Kind: "namespace", Name: target.Namespace}, "pass that stack with --stack",
			"it belongs to the stack %s",
			live.Owner)
	}
	if weight > 0 {
		refuse(stack, fmt.Sprintf("`rollout finish -s %[1]s`, or `pulumi config set canaryWeight 0 -s %[1]s` and `pulumi up "+
			"-s %[1]s`", target.Stack), "a canary has %d %% of the requests", weight)
	}
	if under != "" {
		refuse(stack, fmt.Sprintf("`pulumi up -s %s` ends it", target.Stack), "a move is under way: %s", under)
	}
	if live.Service == nil || !SelectsTracks(live.Service.Spec.Selector, target.App) {
		refuse(Object{Kind: "service", Namespace: target.Namespace, Name: target.ServiceName},
			fmt.Sprintf("look with `kubectl get service %s -n %s -o yaml`", target.ServiceName, target.Namespace),
			"it does not lead to the rollout's pods, so that there is nothing to let go of")
	}
	if ready < max(wanted, 1) {
		refuse(stable, fmt.Sprintf("wait until they are, or `rollout diagnose -s %s`", target.Stack),
			"%d of its %d pods are ready", ready, wanted)
	}
	return refusals
}
