package admission

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Operations of requests.
const (
	creates = admissionv1.Create
	updates = admissionv1.Update
	deletes = admissionv1.Delete
)

// evidence begins the names of the ConfigMaps with evidence.
func (r Rollout) evidence() string { return strconv.Quote(r.App + "-evidence-") }

// records protects what the rollout remembers: ledger, release record, verification, evidence, cursors, what the guard
// goes by, and the Leases that say which guard and which operator acts.
func (r Rollout) records() policy {
	kept := list([]string{names.Ledger(r.App), names.Notified(r.App), names.Record(r.App), names.Verification(r.App),
		names.Guard(r.App)})
	held := list([]string{names.Guard(r.App), names.OperatorLease(r.App)})
	return policy{
		name: "records",
		resources: []admissionv1.NamedRuleWithOperations{
			rule("", "v1", []string{"configmaps"}, creates, updates, deletes),
			rule("coordination.k8s.io", "v1", []string{"leases"}, creates, updates, deletes),
		},
		concerns: fmt.Sprintf(`request.resource.resource == "leases" ? %[1]s in %[4]s : `+
			`%[1]s in %[2]s || %[1]s.startsWith(%[3]s)`, named, kept, r.evidence(), held),
		allowed: "variables.mayRollOut || variables.isGuard",
		message: "may not write what the rollout remembers",
	}
}

// guard limits the guard's account to what a rollback does. Its Role cannot: it names no pod and no evidence.
func (r Rollout) guard() policy {
	written := list([]string{names.Ledger(r.App), names.Notified(r.App)})
	record := strconv.Quote(names.Record(r.App))
	config := fmt.Sprintf(`(request.operation == "DELETE" ? %[1]s.startsWith(%[2]s) : `+
		`!object.?immutable.orValue(false) && (%[1]s in %[3]s || `+
		`%[1]s.startsWith(%[2]s) && request.operation == "CREATE" || `+
		`%[1]s == %[4]s && request.operation == "UPDATE" && object.?data == oldObject.?data && `+
		`object.?binaryData == oldObject.?binaryData))`, named, r.evidence(), written, record)
	pod := fmt.Sprintf(`(has(variables.before.app) && (variables.before.app == %[1]s && request.operation == "UPDATE" && `+
		`object.spec == oldObject.spec || variables.before.app == %[2]s && has(variables.before.track) && `+
		`variables.before.track == "canary" && (request.operation == "UPDATE" ? `+
		`object.spec == oldObject.spec && %[3]s : `+
		`has(variables.before.traffic) && variables.before.traffic != "enabled")))`,
		strconv.Quote(names.Guard(r.App)), strconv.Quote(r.App), same(names.App, names.Track, names.Version))
	return policy{
		name: "guard",
		resources: []admissionv1.NamedRuleWithOperations{
			rule("", "v1", []string{"configmaps"}, creates, updates, deletes),
			rule("", "v1", []string{"pods"}, creates, updates, deletes),
		},
		concerns: r.isGuard(),
		allowed:  fmt.Sprintf(`request.resource.resource == "pods" ? %s : %s`, pod, config),
		message: "may change labels of the canary's pods, end those that are isolated, and write ledger, cursors and " +
			"evidence, and nothing else",
	}
}

// same reports whether labels are as they were.
func same(labels ...string) string {
	return fmt.Sprintf(`%s.all(k, variables.now[?k] == variables.before[?k])`, list(labels))
}

// ofRollout reports whether one of several sets of labels is that of a pod of the guard, or one by which a pod gets
// requests or counts as a track's: the Services select the first two.
func (r Rollout) ofRollout(sets ...string) string {
	return fmt.Sprintf(`[%[1]s].exists(l, %[2]s in l && (l[%[2]s] == %[3]s || l[%[2]s] == %[4]s && `+
		`(%[5]s in l || %[6]s in l)))`,
		strings.Join(sets, ", "), strconv.Quote(names.App), strconv.Quote(names.Guard(r.App)), strconv.Quote(r.App),
		strconv.Quote(names.Traffic), strconv.Quote(names.Track))
}

// templateOf are the labels that a workload gives its pods; none for an object that is not there.
func templateOf(object string) string {
	return fmt.Sprintf(`%[1]s == null ? {} : %[1]s.?spec.?template.?metadata.?labels.or(`+
		`%[1]s.?spec.?jobTemplate.?spec.?template.?metadata.?labels).orValue({})`, object)
}

// pods protects the labels by which a pod gets requests and counts as a track's, or as the guard's.
func (r Rollout) pods() policy {
	return policy{
		name:      "pods",
		resources: []admissionv1.NamedRuleWithOperations{rule("", "v1", []string{"pods"}, creates, updates)},
		concerns:  r.ofRollout(labelsOf("object"), labelsOf("oldObject")),
		allowed: `variables.mayRollOut || variables.isGuard || request.operation == "UPDATE" && ` +
			same(names.App, names.Track, names.Version, names.Traffic, names.Leader),
		message: "may not give or take the labels by which a pod of a track gets requests, or counts as the guard",
	}
}

// tracks protects the Deployments of the tracks and of the guard, and their pods' number, which is the canary's weight.
// Whatever makes pods with their labels counts: the cluster's controllers, which make them, are left alone.
func (r Rollout) tracks() policy {
	scaled := fmt.Sprintf(`[object.?status.?selector.orValue("").split(",")].exists(l, %s in l || %s in l && `+
		`l.exists(p, p.startsWith("track=") || p.startsWith("traffic=")))`, strconv.Quote(names.App+"="+names.Guard(r.App)),
		strconv.Quote(names.App+"="+r.App))
	return policy{
		name: "tracks",
		resources: []admissionv1.NamedRuleWithOperations{
			rule("apps", "v1", []string{"deployments", "replicasets", "statefulsets", "daemonsets"}, creates, updates,
				deletes),
			rule("batch", "v1", []string{"jobs", "cronjobs"}, creates, updates, deletes),
			rule("", "v1", []string{"replicationcontrollers"}, creates, updates, deletes),
			rule("apps", "v1", []string{"deployments/scale", "replicasets/scale", "statefulsets/scale"}, updates),
			rule("", "v1", []string{"replicationcontrollers/scale"}, updates),
		},
		concerns: fmt.Sprintf(`has(request.subResource) && request.subResource == "scale" ? %s : %s`, scaled,
			r.ofRollout(labelsOf("object"), labelsOf("oldObject"), templateOf("object"), templateOf("oldObject"))),
		allowed: `variables.mayRollOut || variables.isGuard && has(request.subResource) && request.subResource == "scale"`,
		message: "may not change the Deployments of the tracks and of the guard or their number of pods, or make pods with " +
			"their labels",
	}
}

// services protects what the Services select, and the addresses behind them.
func (r Rollout) services() policy {
	led := list([]string{r.Service, names.TrackService(r.Service, names.Stable),
		names.TrackService(r.Service, names.Canary), names.Guard(r.App), names.GuardWebhook(r.App)})
	const byService = `"kubernetes.io/service-name"`
	of := func(object string) string {
		return fmt.Sprintf(`(%[1]s != null && has(%[1]s.metadata.labels) && %[2]s in %[1]s.metadata.labels && `+
			`%[1]s.metadata.labels[%[2]s] in %[3]s)`, object, byService, led)
	}
	return policy{
		name: "services",
		resources: []admissionv1.NamedRuleWithOperations{
			rule("", "v1", []string{"services", "endpoints"}, creates, updates, deletes),
			rule("discovery.k8s.io", "v1", []string{"endpointslices"}, creates, updates, deletes),
		},
		concerns: fmt.Sprintf(`request.resource.resource == "endpointslices" ? %s || %s : %s in %s`, of("object"),
			of("oldObject"), named, led),
		allowed: `request.resource.resource == "services" && (variables.mayRollOut || request.operation == "UPDATE" && ` +
			`(object.spec == oldObject.spec || variables.isGuard && object.spec.?type == oldObject.spec.?type && ` +
			`object.spec.?ports == oldObject.spec.?ports && object.spec.?externalName == oldObject.spec.?externalName && ` +
			`object.spec.?externalIPs == oldObject.spec.?externalIPs))`,
		message: "may not change where the rollout's Services lead",
	}
}

// routes protects the weights of a route.
func (r Rollout) routes() policy {
	kind, name, qualified := strings.Cut(cmp.Or(r.Route, r.Service), "/")
	if !qualified {
		kind, name = "httproute", kind
	}
	return policy{
		name: "routes",
		resources: []admissionv1.NamedRuleWithOperations{
			rule("gateway.networking.k8s.io", "*", []string{kind + "s"}, creates, updates, deletes),
		},
		concerns: named + " == " + strconv.Quote(name),
		allowed: `variables.mayRollOut || request.operation == "UPDATE" && (variables.isGuard || ` +
			`object.spec == oldObject.spec)`,
		message: "may not change the route of the rollout",
	}
}
