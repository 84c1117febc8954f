package diagnose

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// well is a rollout with one pod in each track, and nothing wrong.
func well() Snapshot {
	return Snapshot{
		Now: now, Stack: "production", Environment: "production", Namespace: "vextrus-production",
		Workloads: []Workload{workload("finance-service-week1", podName),
			workload("finance-service-stable", "finance-service-stable-1")},
		Secrets: map[string][]string{
			"finance-db-production": {"host", "password", "username"}, "finance-secrets-production": {"jwt-secret"},
		},
		ConfigMaps: map[string][]string{"finance-service-env": {"LOG_LEVEL"}},
		Limits:     Limits{ErrorRate: 0.005, SlowShare: 0.05, Latency: 500 * time.Millisecond},
	}
}

func workload(name, pod string) Workload {
	variable := func(name, secret, key string) corev1.EnvVar {
		return corev1.EnvVar{Name: name,
			ValueFrom: &corev1.EnvVarSource{
				SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}}}
	}
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path,
			Port: intstr.FromInt(3014)}}, PeriodSeconds: 5, FailureThreshold: 3, TimeoutSeconds: 3}
	}
	spec := corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Image: "registry.example/vextrus/finance@sha256:2b40",
		Ports: []corev1.ContainerPort{{ContainerPort: 3014}},
		Env: []corev1.EnvVar{variable("DATABASE_PASSWORD", "finance-db-production", "password"),
			variable("JWT_SECRET", "finance-secrets-production", "jwt-secret")},
		EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "finance-service-env"}}}},
		LivenessProbe: probe("/health/live"), ReadinessProbe: probe("/health/ready"),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"),
				corev1.ResourceMemory: resource.MustParse("1Gi")},
			Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"),
				corev1.ResourceMemory: resource.MustParse("2Gi")},
		},
	}}}
	started := true
	return Workload{
		Name: name, Deployment: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: spec}}},
		Traffic: &Traffic{Window: 5 * time.Minute, Requests: gate.Counts{N: 3000, K: 3}, Slow: gate.Counts{N: 3000, K: 20}},
		Pods: []Pod{{
			Pod: corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: pod, Labels: map[string]string{names.Traffic: names.Enabled}},
				Spec:       spec,
				Status: corev1.PodStatus{
					Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
					ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Ready: true, Started: &started,
						State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
				},
			},
			Health: &Health{Status: 200, Took: 20 * time.Millisecond,
				Dependencies: map[string]string{"database": "up", "eventstore": "up"}},
			Usage: &Usage{Throttled: 0.01, Memory: 512 << 20},
			Logs:  []Log{{Container: "app", Lines: []string{`{"level":"INFO","msg":"starting"}`}}},
		}},
	}
}

// pod is the canary's.
func (s *Snapshot) pod() *Pod { return &s.Workloads[0].Pods[0] }

func (s *Snapshot) status() *corev1.ContainerStatus { return &s.pod().Status.ContainerStatuses[0] }

// notReady takes the canary's readiness, and with it its report.
func (s *Snapshot) notReady() {
	s.pod().Status.Conditions[0].Status = corev1.ConditionFalse
	s.status().Ready = false
}

// waits lets the canary's container wait.
func (s *Snapshot) waits(reason, message string) {
	s.notReady()
	s.pod().Health, s.pod().Usage, s.pod().Logs = nil, nil, nil
	s.status().State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// crashed lets the canary's container have ended and wait for its next start.
func (s *Snapshot) crashed(reason string, code int32, lines ...string) {
	s.waits("CrashLoopBackOff", "back-off 40s restarting failed container")
	s.status().RestartCount = 4
	s.status().LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Reason: reason, ExitCode: code, StartedAt: metav1.NewTime(now), FinishedAt: metav1.NewTime(now.Add(2 * time.Second)),
	}}
	s.pod().Logs = []Log{{Container: "app", Previous: true, Lines: lines}}
}

func (s *Snapshot) event(reason, message string) {
	s.Events = append(s.Events, corev1.Event{InvolvedObject: corev1.ObjectReference{Name: podName}, Reason: reason,
		Message: message})
}

func (s *Snapshot) refused(message string) {
	s.Workloads[0].Pods = nil
	s.Workloads[0].ReplicaSets = []appsv1.ReplicaSet{{
		ObjectMeta: metav1.ObjectMeta{Name: "finance-service-week1-6b665bfbcc"},
		Status: appsv1.ReplicaSetStatus{Conditions: []appsv1.ReplicaSetCondition{{
			Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: message,
		}}},
	}}
}

// down lets the canary's health report tell of a dependency, and its log.
func (s *Snapshot) down(name string, lines ...string) {
	s.pod().Health = &Health{Status: 503, Dependencies: map[string]string{"database": "up", "eventstore": "up"}}
	s.pod().Health.Dependencies[name] = "down"
	s.pod().Logs = []Log{{Container: "app", Lines: lines}}
}

// situation is one that the rules are for: which cause comes first, and which words its sentence holds.
type situation struct {
	name   string
	change func(*Snapshot)
	cause  Cause
	words  string
}

var situations = []situation{
	{"no deployment", func(s *Snapshot) { s.Workloads[0] = Workload{Name: "finance-service-week1"} }, CauseNoDeployment,
		"no Deployment finance-service-week1"},
	{"quota", func(s *Snapshot) {
		s.refused(
			`pods "x" is forbidden: exceeded quota: compute, requested: requests.cpu=500m, used: requests.cpu=10, limited: requests.cpu=10`)
	}, CauseQuota, "quota"},
	{"pod security", func(s *Snapshot) {
		s.refused(`pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces (hostNetwork=true)`)
	}, CausePodSecurity, "pod security"},
	{"service account", func(s *Snapshot) {
		s.refused(
			`pods "x" is forbidden: error looking up service account vextrus-production/finance: serviceaccount "finance" not found`)
	}, CauseServiceAccount, "service account"},
	{"webhook", func(s *Snapshot) { s.refused(`admission webhook "policy.example.com" denied the request: no`) },
		CauseNotCreated, "refuses"},
	{"unschedulable", func(s *Snapshot) {
		s.waits("", "")
		s.status().State = corev1.ContainerState{}
		s.pod().Status.Conditions = append(s.pod().Status.Conditions,
			corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
				Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available: 3 Insufficient cpu."})
	}, CauseUnschedulable, "no node has enough cpu"},
	{"taints", func(s *Snapshot) {
		s.pod().Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available: 3 node(s) had untolerated taint(s)."}}
	}, CauseUnschedulable, "no node can take"},
	{"secret", func(s *Snapshot) {
		s.waits("CreateContainerConfigError", `secret "finance-db-production" not found`)
		s.Secrets["finance-db-production"] = nil
	}, CauseSecret, "Secret finance-db-production does not exist"},
	{"secret that may not be read", func(s *Snapshot) {
		s.waits("CreateContainerConfigError", `secret "finance-db-production" not found`)
		s.Secrets = nil
	}, CauseSecret, "Secret finance-db-production does not exist"},
	{"key", func(s *Snapshot) {
		s.waits("CreateContainerConfigError", `couldn't find key password in Secret vextrus-production/finance-db-production`)
		s.Secrets["finance-db-production"] = []string{"host", "passwort"}
	}, CauseSecretKey, "Secret finance-db-production has no key password"},
	{"key that may not be read", func(s *Snapshot) {
		s.waits("CreateContainerConfigError", `couldn't find key password in Secret vextrus-production/finance-db-production`)
		s.Secrets = map[string][]string{}
	}, CauseSecretKey, "Secret finance-db-production has no key password"},
	{"configmap", func(s *Snapshot) {
		s.waits("CreateContainerConfigError", `configmap "finance-service-env" not found`)
		s.ConfigMaps["finance-service-env"] = nil
	}, CauseConfigMap, "ConfigMap finance-service-env does not exist"},
	{"volume of a secret", func(s *Snapshot) {
		s.waits("ContainerCreating", "")
		s.event("FailedMount", `MountVolume.SetUp failed for volume "keys" : secret "keys" not found`)
	}, CauseSecret, "Secret keys does not exist"},
	{"volume", func(s *Snapshot) {
		s.waits("ContainerCreating", "")
		s.event("FailedMount", `MountVolume.SetUp failed for volume "data" : timed out waiting for the condition`)
	}, CauseVolume, "volume cannot be mounted"},
	{"runs as root", func(s *Snapshot) {
		s.waits("CreateContainerConfigError", `container has runAsNonRoot and image will run as root`)
	}, CauseContainer, "cannot be created"},
	{"image", func(s *Snapshot) {
		s.waits("ImagePullBackOff",
			`Back-off pulling image "registry.example/vextrus/finance:2.1": ErrImagePull: failed to resolve reference: not found`)
	}, CauseImageMissing, "there is no image registry.example/vextrus/finance@sha256:2b40"},
	{"image refused", func(s *Snapshot) {
		s.waits("ErrImagePull", `failed to pull: pull access denied, repository does not exist or may require authorization`)
	}, CauseImageRefused, "credentials"},
	{"platform", func(s *Snapshot) { s.waits("ErrImagePull", `no match for platform in manifest: not found`) },
		CauseImagePlatform, "nodes' platform"},
	{"registry, by its event", func(s *Snapshot) {
		s.waits("ImagePullBackOff", `Back-off pulling image`)
		s.event("Failed", `Failed to pull image "x": dial tcp 10.0.0.9:5000: connect: connection refused`)
	}, CauseRegistry, "cannot reach the registry"},
	{"pull for no reason known", func(s *Snapshot) { s.waits("ErrImagePull", `something else`) }, CauseImage,
		"cannot be pulled"},
	{"command", func(s *Snapshot) {
		s.waits("CrashLoopBackOff", "")
		s.status().LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "StartError", ExitCode: 128,
			Message: `failed to create shim: exec: "/bin/none": stat /bin/none: no such file or directory`}
	}, CauseCommand, "lacks the program"},
	{"memory at start", func(s *Snapshot) {
		s.waits("RunContainerError", "container init was OOM-killed (memory limit too low?)")
	}, CauseMemory, "more memory than its limit of 2Gi"},
	{"memory before the start", func(s *Snapshot) {
		s.pod().Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("4Mi")}
		s.waits("CrashLoopBackOff", "")
		s.status().LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "StartError", ExitCode: 128,
			Message: `failed to start containerd task "app": cannot start a stopped process: unknown`}
	}, CauseMemory, "more memory than its limit of 4Mi"},
	{"stopped for another reason", func(s *Snapshot) {
		s.waits("CrashLoopBackOff", "")
		s.status().LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "StartError", ExitCode: 128,
			Message: "cannot start a stopped process: unknown"}
	}, CauseContainer, "cannot be started"},
	{"memory", func(s *Snapshot) { s.crashed("OOMKilled", 137) }, CauseMemory, "more memory than its limit of 2Gi"},
	{"configuration", func(s *Snapshot) {
		s.crashed("Error", 1, `finance-service: environment: missing: JWT_SECRET`,
			`NODE_ENV: must be one of staging, production, got "prod"`)
	}, CauseConfiguration, "JWT_SECRET, NODE_ENV"},
	{"configuration, by Joi", func(s *Snapshot) {
		s.crashed("Error", 1, `Error: Config validation error: "DATABASE_HOST" is required. "CORS_ORIGIN" must be a string`,
			`    at ConfigModule.forRoot`)
	}, CauseConfiguration, "DATABASE_HOST, CORS_ORIGIN"},
	{"liveness", func(s *Snapshot) {
		s.crashed("Completed", 0)
		s.event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404")
		s.event("Killing", "Container app failed liveness probe, will be restarted")
	}, CauseLiveness, "its path does not exist (404)"},
	{"startup probe that kills", func(s *Snapshot) {
		s.crashed("Error", 137)
		s.event("Unhealthy", "Startup probe failed: Get \"http://10.0.0.1:3014/\": context deadline exceeded")
		s.event("Killing", "Container app failed startup probe, will be restarted")
	}, CauseStartup, "no answer in time"},
	{"startup probe that waits", func(s *Snapshot) {
		s.notReady()
		s.status().Started = new(bool)
		s.event("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503")
	}, CauseStartup, "answers with status 503"},
	{"crash", func(s *Snapshot) {
		s.crashed("Error", 2, "panic: runtime error: index out of range", "goroutine 1 [running]:")
	}, CauseCrash, "exit code 2"},
	{"node", func(s *Snapshot) { s.crashed("Unknown", 255) }, CauseNode, "the container runtime on it"},
	{"ends for its database", func(s *Snapshot) {
		s.crashed("Error", 1, `Error: getaddrinfo ENOTFOUND postgres.nowhere.svc`)
	}, CauseUnknownName, "exits because of that"},
	{"readiness", func(s *Snapshot) {
		s.notReady()
		s.event("Unhealthy",
			`Readiness probe failed: Get "http://10.0.0.1:3015/": dial tcp 10.0.0.1:3015: connect: connection refused`)
	}, CauseReadiness, "nothing listens"},
	{"not ready yet", func(s *Snapshot) { s.notReady() }, CauseNotReady, "for no known reason yet"},
	{"database refuses", func(s *Snapshot) {
		s.notReady()
		s.down("database",
			`{"level":"WARN","msg":"dependency is down","dependency":"database","error":"FATAL: password authentication failed for user \"ledgerapp\" (SQLSTATE 28P01)"}`)
		s.event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
	}, CauseCredentials, "its database is not usable from the pod's network: it refuses the credentials"},
	{"no database", func(s *Snapshot) {
		s.down("database", `{"dependency":"database","error":"FATAL: database \"absent\" does not exist (SQLSTATE 3D000)"}`)
	}, CauseNoDatabase, "no database of that name"},
	{"migration", func(s *Snapshot) {
		s.down("database", `database: ERROR: relation "invoices" does not exist (SQLSTATE 42P01)`)
	}, CauseSchema, "migration"},
	{"connections", func(s *Snapshot) { s.down("database", `database: FATAL: sorry, too many clients already`) },
		CauseConnections, "all its connections are in use"},
	{"host", func(s *Snapshot) { s.down("database", `database: lookup postgres.nowhere.svc: no such host`) },
		CauseUnknownName, "its name does not resolve"},
	{"event store", func(s *Snapshot) {
		s.down("eventstore", `database is fine`,
			`{"dependency":"eventstore","error":"dial tcp 10.0.0.7:2113: connect: connection refused"}`)
	}, CauseUnreachable, "its eventstore is not usable from the pod's network: it is unreachable"},
	{"down without a word", func(s *Snapshot) { s.down("database", "database: hello") }, CauseDependency,
		"its database is not usable"},
	{"down by the log alone", func(s *Snapshot) {
		s.pod().Health = nil
		s.pod().Logs = []Log{{Container: "app", Lines: []string{"connect ECONNREFUSED 10.0.0.4:5432", "GET / 200"}}}
	}, CauseUnreachable, "a dependency is not usable"},
	{"errors", func(s *Snapshot) {
		s.Workloads[0].Traffic.Requests = gate.Counts{N: 300, K: 30}
		s.pod().Logs = []Log{{Container: "app", Lines: []string{`{"level":"error","msg":"cannot post to ledger 17"}`,
			`{"level":50,"msg":"cannot post to ledger 18"}`, `{"level":"INFO","status":500}`}}}
	}, CauseErrors, "below 0.5 %"},
	{"errors, by the logs", func(s *Snapshot) {
		s.Workloads[0].Traffic = nil
		var lines []string
		for i := range 60 {
			lines = append(lines, fmt.Sprintf(`{"msg":"request","status":%d}`, map[bool]int{true: 500, false: 200}[i%4 == 0]))
		}
		s.pod().Logs = []Log{{Container: "app", Lines: lines}}
	}, CauseErrors, "error rate"},
	{"throttled", func(s *Snapshot) {
		s.Workloads[0].Traffic.Slow = gate.Counts{N: 300, K: 100}
		s.pod().Usage.Throttled, s.pod().Health.Took = 0.8, 2*time.Second
	}, CauseThrottled, "CPU limit"},
	{"memory pressure", func(s *Snapshot) { s.pod().Usage.Memory = 1.9 * (1 << 30) }, CausePressure, "memory limit"},
	{"slow database", func(s *Snapshot) {
		s.Workloads[0].Traffic.Slow, s.pod().Health.Took = gate.Counts{N: 300, K: 100}, 700*time.Millisecond
	}, CauseSlowDependency, "a dependency is slow"},
	{"slow", func(s *Snapshot) { s.Workloads[0].Traffic.Slow = gate.Counts{N: 300, K: 100} }, CauseSlow,
		"the service itself is slow"},
	{"a webhook that sets two pods", func(s *Snapshot) {
		canary, stable := int32(2), int32(9)
		s.Weight, s.Replicas, s.Workloads[0].Planned, s.Workloads[1].Planned = 10, 10, 1, 9
		s.Workloads[0].Deployment.Spec.Replicas, s.Workloads[1].Deployment.Spec.Replicas = &canary, &stable
		s.Workloads[0].Deployment.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "pulumi-kubernetes-1a2b",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:replicas":{}}}`)}}}
	}, CauseScaled, "has 2 pods and shall have 1"},
	{"isolated", func(s *Snapshot) { s.pod().Labels[names.Traffic] = names.Isolated }, CauseIsolated,
		"isolated and get no requests"},
}
