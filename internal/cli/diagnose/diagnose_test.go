package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/names"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const podName = "finance-service-week1-6b665bfbcc-4hc96"

func TestTheCauseComesFirst(t *testing.T) {
	for _, tt := range situations {
		t.Run(tt.name, func(t *testing.T) {
			s := well()
			tt.change(&s)
			diagnosis := Diagnose(s)
			if len(diagnosis.Findings) == 0 || diagnosis.Findings[0].Cause != tt.cause ||
				!strings.Contains(diagnosis.Findings[0].Summary, tt.words) {
				t.Fatalf("want %s with %q first:\n%s", tt.cause, tt.words, diagnosis)
			}
			for _, finding := range diagnosis.Findings {
				if len(finding.Evidence) == 0 || len(finding.Next) == 0 || finding.Workload != "finance-service-week1" {
					t.Errorf("a finding says too little, or is about the wrong track: %+v", finding)
				}
			}
		})
	}
}

// Every cause has a place in the order, and a situation above; what is well has none.
func TestEveryCauseIsCovered(t *testing.T) {
	if diagnosis := Diagnose(well()); len(diagnosis.Findings) > 0 {
		t.Errorf("a rollout that is well: %s", diagnosis)
	}
	for cause := range ranks {
		if !slices.ContainsFunc(situations, func(s situation) bool { return s.cause == cause }) &&
			cause != CauseConfigMapKey {
			t.Errorf("no situation has the cause %s", cause)
		}
	}
	for _, s := range situations {
		if ranks[s.cause] == 0 {
			t.Errorf("%s has no rank", s.cause)
		}
	}
}

// The settings of the service's container do not change a sidecar's.
func TestASidecarIsChangedByItsOverlay(t *testing.T) {
	s := well()
	s.pod().Labels[names.App] = "app"
	s.crashed("OOMKilled", 137)
	s.status().Name = "proxy"
	s.pod().Spec.Containers = append(s.pod().Spec.Containers, corev1.Container{Name: "proxy"})
	findings := Diagnose(s).Findings
	if len(findings) == 0 || findings[0].Cause != CauseMemory {
		t.Fatalf("findings %+v", findings)
	}
	for _, finding := range findings[:1] {
		next := strings.Join(finding.Next, "\n")
		if strings.Contains(next, "resources.limits.memory") || !strings.Contains(next, "pulumi config get pod -s ") {
			t.Errorf("to raise the memory of a sidecar: %s", next)
		}
	}
}

// Pods that are meant to end are not told of, and neither is what an old pod would miss if it started now.
func TestNormalEventsAreNoFindings(t *testing.T) {
	for name, change := range map[string]func(*Snapshot){
		"a pod that is being deleted": func(s *Snapshot) {
			s.crashed("Error", 1)
			s.pod().DeletionTimestamp = &metav1.Time{Time: now}
		},
		"a secret that went after the start": func(s *Snapshot) { s.Secrets["finance-db-production"] = nil },
		"a restart that is history": func(s *Snapshot) {
			s.status().RestartCount = 1
			s.status().LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1,
				FinishedAt: metav1.NewTime(now.Add(-time.Hour))}
		},
		"few errors": func(s *Snapshot) { s.Workloads[0].Traffic.Requests = gate.Counts{N: 20, K: 1} },
		"old log lines of a dependency that is up": func(s *Snapshot) {
			s.pod().Logs = []Log{{Container: "app",
				Lines: []string{"connection refused"}}}
		},
		"throttling that slows nothing": func(s *Snapshot) { s.pod().Usage.Throttled = 0.5 },
		"a report in other words":       func(s *Snapshot) { s.pod().Health.Dependencies["database"] = "UP" },
		"no Prometheus, no health report, silent logs": func(s *Snapshot) {
			s.Workloads[0].Traffic, s.pod().Health,
				s.pod().Usage = nil, nil, nil
		},
		"optional references": func(s *Snapshot) {
			s.pod().Spec.Volumes = []corev1.Volume{
				{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "x", Optional: ptr(true)}}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := well()
			change(&s)
			if diagnosis := Diagnose(s); len(diagnosis.Findings) > 0 {
				t.Errorf("found %s", diagnosis)
			}
		})
	}
}

// A number of pods that is not the plan's is another weight: the finding says who sets it, which weight it is and what
// to set.
func TestAWebhookThatScalesIsNamed(t *testing.T) {
	s := well()
	for _, situation := range situations {
		if situation.cause == CauseScaled {
			situation.change(&s)
		}
	}
	text := Diagnose(s).String()
	for _, want := range []string{"pulumi-kubernetes-1a2b", "mutating webhook", "18.2 % of the pods in place of 10 %",
		"pulumi config set replicas 20 -s production", "kubectl get mutatingwebhookconfigurations"} {
		if !strings.Contains(text, want) {
			t.Errorf("the diagnosis does not say %q:\n%s", want, text)
		}
	}
	*s.Workloads[0].Deployment.Spec.Replicas = 1
	if diagnosis := Diagnose(s); len(diagnosis.Findings) > 0 {
		t.Errorf("the planned number of pods: %s", diagnosis)
	}
}

func ptr[T any](value T) *T { return &value }

// A dependency that neither track can use has a problem itself.
func TestTheOtherTrackIsAWitness(t *testing.T) {
	s := well()
	s.down("database", "database: connection refused")
	if text := Diagnose(s).String(); !strings.Contains(text, "the 1 pods of the other track use their database") {
		t.Errorf("the canary alone: %s", text)
	}
	s.Workloads[1].Pods[0].Health = s.pod().Health
	diagnosis := Diagnose(s)
	if text := diagnosis.String(); len(diagnosis.Findings) != 2 ||
		!strings.Contains(text, "the database has a problem") {
		t.Errorf("both tracks: %s", text)
	}
}

// Several pods with the same trouble are one finding.
func TestPodsAreMerged(t *testing.T) {
	s := well()
	s.crashed("OOMKilled", 137)
	for i := range 12 {
		pod := *s.pod()
		pod.Name = fmt.Sprintf("%s-%d", podName, i)
		s.Workloads[0].Pods = append(s.Workloads[0].Pods, pod)
	}
	diagnosis := Diagnose(s)
	if len(diagnosis.Findings) != 1 || len(diagnosis.Findings[0].Pods) != 13 ||
		len(diagnosis.Findings[0].Evidence) != 1 || len(diagnosis.Findings[0].Next) != 2 {
		t.Errorf("%s", diagnosis)
	}
}

func TestReferences(t *testing.T) {
	spec := workload("x", "y").Pods[0].Spec
	spec.Volumes = []corev1.Volume{
		{Name: "keys", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys"}}},
		{Name: "files",
			VolumeSource: corev1.VolumeSource{
				ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "files"}}}},
	}
	secrets, configMaps := References(spec)
	if !cmp.Equal(secrets, []string{"finance-db-production", "finance-secrets-production", "keys"}) ||
		!cmp.Equal(configMaps, []string{"finance-service-env", "files"}) {
		t.Errorf("secrets %q, configmaps %q", secrets, configMaps)
	}
}

// A ConfigMap's key is checked as a Secret's is.
func TestKeyOfAConfigMap(t *testing.T) {
	s := well()
	s.pod().Spec.Containers[0].Env = append(s.pod().Spec.Containers[0].Env,
		corev1.EnvVar{Name: "LEVEL", ValueFrom: &corev1.EnvVarSource{
			ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "finance-service-env"}, Key: "LEVEL"}}})
	s.waits("CreateContainerConfigError", "couldn't find key LEVEL in ConfigMap vextrus-production/finance-service-env")
	if diagnosis := Diagnose(s); diagnosis.Findings[0].Cause != CauseConfigMapKey {
		t.Errorf("%s", diagnosis)
	}
	s.ConfigMaps = nil
	if diagnosis := Diagnose(s); diagnosis.Findings[0].Cause != CauseConfigMapKey {
		t.Errorf("by the kubelet: %s", diagnosis)
	}
}

// The text of several findings, as people read it.
func TestText(t *testing.T) {
	s := well()
	s.waits("CreateContainerConfigError", `couldn't find key password in Secret vextrus-production/finance-db-production`)
	s.Secrets["finance-db-production"] = []string{"host", "username"}
	s.Workloads[1].Traffic.Requests = gate.Counts{N: 2900, K: 70}
	s.Workloads[1].Pods[0].Logs = []Log{{Container: "app", Lines: []string{
		`{"level":"ERROR","msg":"cannot post","error":"timeout after 3001 ms"}`,
		`{"level":"ERROR","msg":"cannot post","error":"timeout after 3002 ms"}`,
		`{"level":"INFO","msg":"request","status":200}`,
	}}}
	s.Unseen = []string{"log of finance-service-stable-2: forbidden"}
	golden.Compare(t, "diagnosis.txt", Diagnose(s).String()+"\n"+Diagnose(well()).String())
}
