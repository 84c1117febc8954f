//go:build e2e

package admission

import (
	"encoding/json"
	"fmt"
	"strings"
)

func leaseOf(name string) string {
	return fmt.Sprintf("{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: %s}, spec: "+
		"{holderIdentity: one}}", name)
}

// workloadOf is an object of any kind with a pod template, whose own labels say nothing.
func workloadOf(api, kind string, labels map[string]string) string {
	all := map[string]string{"run": "x"}
	for key, value := range labels {
		all[key] = value
	}
	encoded, _ := json.Marshal(all)
	template := fmt.Sprintf("{metadata: {labels: %s}, spec: {restartPolicy: %s, containers: [{name: app, image: shop}]}}",
		encoded, map[bool]string{true: "Never", false: "Always"}[api == "batch/v1"])
	spec := fmt.Sprintf("{selector: {matchLabels: {run: x}}, template: %s}", template)
	switch kind {
	case "ReplicationController":
		spec = fmt.Sprintf("{replicas: 0, selector: {run: x}, template: %s}", template)
	case "Job":
		spec = fmt.Sprintf("{template: %s}", template)
	case "CronJob":
		spec = fmt.Sprintf(`{schedule: "0 0 1 1 *", jobTemplate: {spec: {template: %s}}}`, template)
	case "StatefulSet":
		spec = fmt.Sprintf("{serviceName: x, selector: {matchLabels: {run: x}}, template: %s}", template)
	}
	return fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: x}, spec: %s}", api, kind, spec)
}

func resourceFor(kind string) string { return strings.ToLower(kind) + "s" }

// attempts are what accounts try.
func attempts() []attempt {
	all := append(records(), pods()...)
	all = append(all, services()...)
	return append(all, workloads()...)
}

const (
	data    = `{"data":{"key":"other"}}`
	noted   = `{"metadata":{"annotations":{"finance-rollout/ledger-head":"x"}}}`
	frozen  = `{"immutable":true}`
	isolate = `{"metadata":{"labels":{"traffic":"isolated"}}}`
	three   = `{"spec":{"replicas":3}}`
	swapped = `{"spec":{"containers":[{"name":"app","image":"evil"}]}}`
	leader  = `{"metadata":{"labels":{"finance-rollout/leader":"true"}}}`
)

// records are attempts on what the rollout remembers.
func records() []attempt {
	const held = `{"spec":{"holderIdentity":"mallory"}}`
	return []attempt{
		{deployer, "patch configmaps shop-ledger", data, true},
		{deployer, "delete configmaps shop-ledger", "", true},
		{deployer, "create configmaps", configMap("shop-notified"), true},
		{deployer, "create leases", leaseOf("shop-operator"), true},

		{mallory, "delete configmaps shop-ledger", "", false},
		{mallory, "patch configmaps shop-ledger", frozen, false},
		{mallory, "patch configmaps shop-release", noted, false},
		{mallory, "patch configmaps shop-guard", data, false},
		{mallory, "patch configmaps shop-verification", data, false},
		{mallory, "delete configmaps shop-evidence-1", "", false},
		{mallory, "create configmaps", configMap("shop-notified"), false},
		{mallory, "patch configmaps other", data, true},
		// Who holds the guard's Lease keeps every guard from acting.
		{mallory, "patch leases shop-guard", held, false},
		{mallory, "delete leases shop-guard", "", false},
		{mallory, "create leases", leaseOf("shop-operator"), false},
		{mallory, "patch leases other", held, true},

		{guards, "patch configmaps shop-ledger", data, true},
		{guards, "patch configmaps shop-release", noted, true},
		{guards, "patch configmaps shop-release", data, false},
		{guards, "patch configmaps shop-release", `{"binaryData":{"another":"eA=="}}`, false},
		{guards, "patch configmaps shop-release", frozen, false},
		{guards, "patch configmaps shop-ledger", frozen, false},
		{guards, "patch configmaps shop-guard", data, false},
		{guards, "delete configmaps shop-ledger", "", false},
		{guards, "create configmaps", configMap("shop-notified"), true},
		{guards, "create configmaps", configMap("shop-evidence-2"), true},
		{guards, "patch configmaps shop-evidence-1", data, false},
		{guards, "delete configmaps shop-evidence-1", "", true},
		{guards, "delete configmaps other", "", false},
		{guards, "create configmaps", configMap("another"), false},
		{guards, "patch leases shop-guard", held, true},
	}
}

// pods are attempts on the labels by which a pod gets requests.
func pods() []attempt {
	foreign := func(labels map[string]string) string { return podOf("foreign", labels) }
	return []attempt{
		{deployer, "patch pods canary", isolate, true},
		{deployer, "delete pods isolated", "", true},

		{mallory, "create pods", foreign(map[string]string{"app": "shop", "track": "canary", "traffic": "enabled"}), false},
		// The Service of both tracks selects no track.
		{mallory, "create pods", foreign(map[string]string{"app": "shop", "traffic": "enabled"}), false},
		{mallory, "create pods", foreign(map[string]string{"app": "shop", "track": "stable"}), false},
		// The guard's token goes to who looks like it.
		{mallory, "create pods", foreign(map[string]string{"app": "shop-guard", "finance-rollout/leader": "true"}), false},
		{mallory, "create pods", foreign(map[string]string{"app": "shop", "job": "migration"}), true},
		{mallory, "patch pods other", `{"metadata":{"labels":{"app":"shop","track":"canary","traffic":"enabled"}}}`, false},
		{mallory, "patch pods other", `{"metadata":{"labels":{"app":"shop","traffic":"enabled"}}}`, false},
		{mallory, "patch pods canary", `{"metadata":{"labels":{"version":"other"}}}`, false},
		{mallory, "patch pods canary", `{"metadata":{"labels":{"app":null}}}`, false},
		{mallory, "patch pods canary", `{"metadata":{"labels":{"note":"seen"}}}`, true},
		{mallory, "patch pods guard", leader, false},
		{mallory, "patch pods guard", `{"metadata":{"labels":{"note":"seen"}}}`, true},
		{mallory, "patch pods other", isolate, true},

		{guards, "patch pods canary", isolate, true},
		{guards, "patch pods isolated", `{"metadata":{"labels":{"traffic":"enabled"}}}`, true},
		{guards, "patch pods canary", swapped, false},
		{guards, "patch pods canary", `{"metadata":{"labels":{"track":"stable"}}}`, false},
		{guards, "patch pods stable", isolate, false},
		{guards, "patch pods guard", leader, true},
		{guards, "patch pods other", leader, false},
		{guards, "delete pods isolated", "", true},
		{guards, "delete pods canary", "", false},
		{guards, "delete pods stable", "", false},
		{guards, "create pods", foreign(map[string]string{"app": "shop", "track": "canary", "traffic": "enabled"}), false},
	}
}

// services are attempts on where requests go.
func services() []attempt {
	const selector = `{"spec":{"selector":{"track":"canary"}}}`
	const elsewhere = `{"spec":{"type":"ExternalName","externalName":"evil.example"}}`
	slice := "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x, labels: " +
		"{kubernetes.io/service-name: %s}}, addressType: IPv4, endpoints: [], ports: []}"
	service := "{apiVersion: v1, kind: Service, metadata: {name: %s}, spec: {selector: {app: evil}, ports: [{port: 80}]}}"
	return []attempt{
		{deployer, "patch services shop", selector, true},
		{deployer, "create services", fmt.Sprintf(service, "shop-canary"), true},
		{deployer, "delete services shop", "", true},
		{deployer, "create endpointslices", fmt.Sprintf(slice, "shop-canary"), false},

		{mallory, "delete services shop", "", false},
		{mallory, "patch services shop", selector, false},
		{mallory, "patch services shop", elsewhere, false},
		{mallory, "patch services shop", `{"spec":{"externalIPs":["192.0.2.7"]}}`, false},
		{mallory, "patch services shop", `{"spec":{"publishNotReadyAddresses":true}}`, false},
		{mallory, "patch services shop", `{"metadata":{"labels":{"team":"payments"}}}`, true},
		{mallory, "create services", fmt.Sprintf(service, "shop-canary"), false},
		{mallory, "create services", fmt.Sprintf(service, "shop-guard-webhook"), false},
		{mallory, "create services", fmt.Sprintf(service, "other"), true},
		{mallory, "create endpointslices", fmt.Sprintf(slice, "shop"), false},
		{mallory, "create endpointslices", fmt.Sprintf(slice, "shop-guard-webhook"), false},
		{mallory, "create endpointslices", fmt.Sprintf(slice, "other"), true},

		{guards, "patch services shop", selector, true},
		{guards, "patch services shop", elsewhere, false},
		{guards, "delete services shop", "", false},
	}
}

// workloads are attempts on the tracks, and on what makes pods that look like theirs.
func workloads() []attempt {
	serving := map[string]string{"app": "shop", "traffic": "enabled"}
	list := []attempt{
		{deployer, "patch deployments shop-stable", three, true},
		{deployer, "patch deployments/scale shop-stable", three, true},
		{deployer, "create deployments", deploymentOf("shop-v2", map[string]string{"app": "shop", "track": "canary"}), true},
		{deployer, "delete deployments shop-stable", "", true},
		{deployer, "patch deployments guard", three, true},

		{mallory, "patch deployments shop-stable", three, false},
		{mallory, "patch deployments/scale shop-stable", three, false},
		{mallory, "delete deployments shop-stable", "", false},
		{mallory, "create deployments", deploymentOf("shop-x", map[string]string{"app": "shop", "track": "canary"}), false},
		// Without the guard nobody takes a bad canary out.
		{mallory, "patch deployments guard", three, false},
		{mallory, "patch deployments/scale guard", three, false},
		{mallory, "delete deployments guard", "", false},
		{mallory, "patch deployments other", three, true},
		{mallory, "patch deployments/scale other", three, true},
		{mallory, "create jobs", workloadOf("batch/v1", "Job", map[string]string{"app": "shop"}), true},

		{guards, "patch deployments/scale shop-stable", three, true},
		{guards, "patch deployments shop-stable", three, false},
		{guards, "create jobs", workloadOf("batch/v1", "Job", serving), false},
	}
	// The cluster's controllers make the pods, no matter who asks for them.
	for kind, api := range map[string]string{"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1",
		"DaemonSet": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1", "ReplicationController": "v1"} {
		list = append(list,
			attempt{mallory, "create " + resourceFor(kind), workloadOf(api, kind, serving), false},
			attempt{mallory, "create " + resourceFor(kind), workloadOf(api, kind, nil), true},
			attempt{deployer, "create " + resourceFor(kind), workloadOf(api, kind, serving), true})
	}
	return list
}
