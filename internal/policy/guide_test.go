package policy

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// flaws are those of testdata/guide.yaml, each with the policy that catches it: "policy: resource: what is said".
var flaws = []string{
	// Mutable tags, and images from anywhere.
	"image-digest: Deployment finance-service-stable: says latest",
	"image-digest: Deployment finance-service-week1: is not named by digest",
	"image-registry: Deployment finance-service-week1: registry.local/",
	// No security context, or the wrong one.
	"pod-non-root: Deployment finance-service-stable: may run as root",
	"pod-non-root: Deployment finance-service-week1: user 0",
	"pod-privilege-escalation: Deployment finance-service-stable: may gain privileges",
	"pod-privilege-escalation: Deployment finance-service-week1: it is privileged",
	"pod-capabilities: Deployment finance-service-stable: keeps capabilities",
	"pod-capabilities: Deployment finance-service-week1: keeps capabilities",
	"pod-seccomp: Deployment finance-service-stable: without a seccomp profile",
	"pod-seccomp: Deployment finance-service-week1: without a seccomp profile",
	"pod-read-only-root: Deployment finance-service-stable: can be written",
	"pod-read-only-root: Deployment finance-service-week1: can be written",
	"pod-host: Deployment finance-service-week1: hostNetwork",
	"pod-host: Deployment finance-service-week1: volume logs is a path of the node",
	"pod-standard: Deployment finance-service-stable: runAsNonRoot != true",
	"pod-standard: Deployment finance-service-week1: restricted volume type \"hostPath\"",
	"pod-service-account-token: Deployment finance-service-stable: get a token",
	"pod-service-account-token: Deployment finance-service-week1: get a token",
	// What keeps a pod in its place.
	"pod-resources: Deployment finance-service-week1: resources.requests.cpu",
	"pod-probes: Deployment finance-service-week1: livenessProbe",
	"pod-probes: Deployment finance-service-week1: readinessProbe",
	"pod-grace-period: Deployment finance-service-week1: takes 30 s of the 30 s",
	// Credentials in plain sight: the guide's fourth vulnerability.
	"credential-in-env: Deployment finance-service-stable: JWT_SECRET holds a value in the open; " +
		"EVENTSTORE_CONNECTION_STRING holds an address with a password",
	"credential-in-args: Deployment finance-service-week1: command holds a value for --db-password",
	"credential-in-configmap: ConfigMap finance-config: entry REDIS_PASSWORD",
	"credential-in-configmap: ConfigMap finance-config: entry TYPEORM_URL",
	"credential-in-metadata: Deployment finance-service-stable: vextrus.com/deploy-token",
	"secret-encrypted: Secret finance-db-production: stringData.host",
	"secret-encrypted: Secret finance-db-production: stringData.password",
	"secret-encrypted: Secret finance-db-production: stringData.username",
	"secret-encrypted: Secret finance-secrets-production: stringData.cors-origin",
	"secret-encrypted: Secret finance-secrets-production: stringData.eventstore-connection",
	"secret-encrypted: Secret finance-secrets-production: stringData.jwt-secret",
	// Who is let in, and how the event store is reached.
	"cors-origin: Secret finance-secrets-production: plain http",
	"cors-origin: ConfigMap finance-config: lets every site in",
	"cors-origin-set: Deployment finance-service-stable: is given CORS_ORIGIN",
	"eventstore-tls: Secret finance-secrets-production: does not ask for TLS",
	"eventstore-tls: Deployment finance-service-stable: does not ask for TLS",
	// The split.
	"weight-on-stage: ConfigMap finance-service-release: 15 %",
	"split-by-pods: ConfigMap finance-service-release: 2 of 11 pods",
	"no-autoscaler: HorizontalPodAutoscaler finance-service: finance-service-stable",
	"disruption-budget: Deployment finance-service-stable: no PodDisruptionBudget",
	"disruption-budget: Deployment finance-service-week1: no PodDisruptionBudget",
	// Nobody watches.
	"canary-scraped: Deployment finance-service-week1: no ServiceMonitor",
	"canary-alerts: Deployment finance-service-week1: the alert CanaryErrorRateHigh lacks the labels",
	"canary-alerts: Deployment finance-service-week1: no PrometheusRule holds the alert CanaryCrashLoop",
	"canary-guarded: Deployment finance-service-week1: finance-service-guard",
	// Rights.
	"rbac-no-wildcard: Role finance-deployer: apiGroups holds *",
	"rbac-no-wildcard: Role finance-deployer: verbs holds *",
	"rbac-no-secrets: Role finance-deployer: it allows secrets",
	"rbac-no-builtin: ClusterRoleBinding finance-deployer: cluster-admin",
}

func TestTheGuidesOwnPractice(t *testing.T) {
	content, err := os.ReadFile("testdata/guide.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var guide map[string]any
	if err := yaml.Unmarshal(content, &guide); err != nil {
		t.Fatal(err)
	}
	resources := resourcesOf(guide)
	for i, r := range resources {
		resources[i].URN = fmt.Sprintf("%s %s", r.kind(), r.name())
	}
	violations, err := Check(Facts{}, resources)
	if err != nil {
		t.Fatal(err)
	}
	var unexpected []string
	missed := slices.Clone(flaws)
	for _, violation := range violations {
		said := fmt.Sprintf("%s: %s: %s", violation.Policy.Name, violation.URN, violation.Message)
		at := slices.IndexFunc(missed, func(flaw string) bool { return says(said, flaw) })
		if at < 0 {
			unexpected = append(unexpected, said)
			continue
		}
		missed = slices.Delete(missed, at, at+1)
		for _, secret := range []string{"Pr0duction-Passw0rd", "change-me-in-production", "changeit", "redis-passw0rd",
			"dt-0123456789abcdef"} {
			if strings.Contains(said, secret) {
				t.Errorf("the value of a credential is told: %s", said)
			}
		}
	}
	if diff := cmp.Diff([]string{}, append([]string{}, missed...)); diff != "" {
		t.Errorf("flaws that no policy caught:\n%s", diff)
	}
	if len(unexpected) > 0 {
		t.Errorf("violations that are in no list:\n%s", strings.Join(unexpected, "\n"))
	}
}

// says reports whether a violation is the one that a line of flaws describes.
func says(violation, flaw string) bool {
	parts := strings.SplitN(flaw, ": ", 3)
	return strings.HasPrefix(violation, parts[0]+": "+parts[1]+": ") && strings.Contains(violation, parts[2])
}
