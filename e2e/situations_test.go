//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vextrus/finance-rollout/internal/cli/diagnose"
	"github.com/vextrus/finance-rollout/internal/names"
)

// situation is one way to break a Deployment of the example service.
type situation struct {
	name  string
	cause diagnose.Cause
	// change breaks the pods of a healthy Deployment.
	change func(b *brokenPods, pod *corev1.PodSpec)
	labels map[string]string
	// load is a GraphQL request that is sent to the pod perSecond times a second; empty for none.
	load      string
	perSecond int
}

// brokenPods holds what the situations have in common.
type brokenPods struct {
	image, prefix string // the image by digest, and its repository
	proxy         string // where the database is slow, as host and port
}

func variable(pod *corev1.PodSpec, name, value string) {
	env := &pod.Containers[0].Env
	for i := range *env {
		if (*env)[i].Name == name {
			(*env)[i] = corev1.EnvVar{Name: name, Value: value}
			return
		}
	}
	*env = append(*env, corev1.EnvVar{Name: name, Value: value})
}

func fromSecret(pod *corev1.PodSpec, name, secret, key string) {
	variable(pod, name, "")
	for i := range pod.Containers[0].Env {
		if v := &pod.Containers[0].Env[i]; v.Name == name {
			v.ValueFrom = &corev1.EnvVarSource{
				SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key}}
		}
	}
}

const (
	graphQL  = `{"query":"{ __typename }"}`
	invoices = `{"query":"{ invoices { number } }"}`
)

// situations holds one entry for each cause. All of them run at the same time, each in its own Deployment beside a
// healthy one.
var situations = []situation{
	{name: "secret", cause: diagnose.CauseSecret, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		fromSecret(pod, "DATABASE_PASSWORD", "finance-absent-e2e", "password")
	}},
	{name: "secret-key", cause: diagnose.CauseSecretKey, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		fromSecret(pod, "DATABASE_PASSWORD", "finance-db-e2e", "passphrase")
	}},
	{name: "configmap", cause: diagnose.CauseConfigMap, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Containers[0].EnvFrom = []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "absent"}}}}
	}},
	{name: "volume", cause: diagnose.CauseSecret, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Volumes = []corev1.Volume{{Name: "keys",
			VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "absent-keys"}}}}
		pod.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "keys", MountPath: "/keys"}}
	}},
	{name: "image", cause: diagnose.CauseImageMissing, change: func(b *brokenPods,
		pod *corev1.PodSpec) {
		pod.Containers[0].Image = b.prefix + ":never-built"
	}},
	{name: "registry", cause: diagnose.CauseRegistry, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Containers[0].Image = "localhost:5999/vextrus/finance:v2"
	}},
	{name: "memory", cause: diagnose.CauseMemory, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("4Mi")
		pod.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("4Mi")
	}},
	{name: "configuration", cause: diagnose.CauseConfiguration, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		variable(pod, "NODE_ENV", "prod")
		variable(pod, "JWT_SECRET", "")
	}},
	{name: "liveness", cause: diagnose.CauseLiveness, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: get("/alive", 3014), PeriodSeconds: 1,
			FailureThreshold: 3}
	}},
	{name: "readiness-path", cause: diagnose.CauseReadiness, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Containers[0].ReadinessProbe.ProbeHandler = get("/ready", 3014)
	}},
	{name: "readiness-port", cause: diagnose.CauseReadiness, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Containers[0].ReadinessProbe.ProbeHandler = get("/health/ready", 3015)
	}},
	{name: "startup", cause: diagnose.CauseStartup, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		variable(pod, "FAULTS", "not-live")
		pod.Containers[0].StartupProbe = &corev1.Probe{ProbeHandler: get("/health/live", 3014), PeriodSeconds: 1,
			FailureThreshold: 600}
	}},
	{name: "unschedulable", cause: diagnose.CauseUnschedulable, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		pod.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("500")
		pod.Containers[0].Resources.Limits = nil
	}},
	{name: "pod-security", cause: diagnose.CausePodSecurity, change: func(_ *brokenPods,
		pod *corev1.PodSpec) {
		pod.HostNetwork = true
	}},
	{name: "service-account", cause: diagnose.CauseServiceAccount,
		change: func(_ *brokenPods, pod *corev1.PodSpec) { pod.ServiceAccountName = "absent" }},
	{name: "quota", cause: diagnose.CauseQuota, change: func(_ *brokenPods,
		pod *corev1.PodSpec) {
		pod.Containers[0].Resources = corev1.ResourceRequirements{}
	}},
	{name: "command", cause: diagnose.CauseCommand, change: func(_ *brokenPods,
		pod *corev1.PodSpec) {
		pod.Containers[0].Command = []string{"/bin/financed"}
	}},
	{name: "crash", cause: diagnose.CauseCrash, change: func(_ *brokenPods,
		pod *corev1.PodSpec) {
		variable(pod, "FAULTS", "crash=2s")
	}},
	{name: "database-host", cause: diagnose.CauseUnknownName, change: func(_ *brokenPods,
		pod *corev1.PodSpec) {
		variable(pod, "DATABASE_HOST", "postgres.nowhere.svc")
	}},
	{name: "database-port", cause: diagnose.CauseUnreachable, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		variable(pod, "DATABASE_HOST", "127.0.0.1")
	}},
	{name: "database-password", cause: diagnose.CauseCredentials, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		variable(pod, "DATABASE_PASSWORD", "not-the-password")
	}},
	{name: "database-name", cause: diagnose.CauseNoDatabase, change: func(_ *brokenPods,
		pod *corev1.PodSpec) {
		variable(pod, "DATABASE_NAME", "vextrus_absent")
	}},
	{name: "connections", cause: diagnose.CauseConnections, change: func(_ *brokenPods,
		pod *corev1.PodSpec) {
		variable(pod, "DATABASE_NAME", fullDatabase)
	}},
	{name: "event-store", cause: diagnose.CauseUnreachable, change: func(_ *brokenPods, pod *corev1.PodSpec) {
		variable(pod, "EVENTSTORE_CONNECTION_STRING", "esdb://127.0.0.1:2113?tls=false")
	}},
	{name: "errors", cause: diagnose.CauseErrors, load: graphQL, perSecond: 8,
		change: func(_ *brokenPods, pod *corev1.PodSpec) { variable(pod, "FAULTS", "errors=0.3") }},
	{name: "throttled", cause: diagnose.CauseThrottled, load: invoices, perSecond: 30,
		change: func(_ *brokenPods, pod *corev1.PodSpec) {
			pod.Containers[0].Resources.Limits[corev1.ResourceCPU] = resource.MustParse("10m")
			pod.Containers[0].LivenessProbe = nil
		}},
	{name: "slow", cause: diagnose.CauseSlow, load: graphQL, perSecond: 8,
		change: func(_ *brokenPods, pod *corev1.PodSpec) { variable(pod, "FAULTS", "latency=800ms") }},
	{name: "slow-database", cause: diagnose.CauseSlowDependency, load: invoices, perSecond: 8,
		change: func(b *brokenPods, pod *corev1.PodSpec) {
			host, port, _ := strings.Cut(b.proxy, ":")
			variable(pod, "DATABASE_HOST", host)
			variable(pod, "DATABASE_PORT", port)
		}},
	{name: "isolated", cause: diagnose.CauseIsolated, labels: map[string]string{names.Traffic: names.Isolated},
		change: func(*brokenPods, *corev1.PodSpec) {}},
}

func get(path string, port int) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt(port)}}
}

const diagnoseApp = "finance-service"

// deployment returns a healthy Deployment of the example service.
func (b *brokenPods) deployment(name string) *appsv1.Deployment {
	one, no, yes := int32(1), false, true
	labels := map[string]string{names.App: diagnoseApp, names.Track: names.Canary, names.Version: name,
		names.Traffic: names.Enabled}
	pod := corev1.PodSpec{
		AutomountServiceAccountToken: &no, TerminationGracePeriodSeconds: new(int64),
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "app", Image: b.image, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 3014}},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"),
					corev1.ResourceMemory: resource.MustParse("24Mi")},
				Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"),
					corev1.ResourceMemory: resource.MustParse("128Mi")},
			},
			ReadinessProbe: &corev1.Probe{ProbeHandler: get("/health/ready", 3014), PeriodSeconds: 1, FailureThreshold: 3},
			LivenessProbe: &corev1.Probe{ProbeHandler: get("/health/live", 3014), PeriodSeconds: 5, FailureThreshold: 12,
				TimeoutSeconds: 5},
		}},
	}
	for name, value := range map[string]string{
		"NODE_ENV": "production", "DATABASE_NAME": "vextrus_finance_staging", "CORS_ORIGIN": "https://app.vextrus.example",
		"EVENTSTORE_CONNECTION_STRING": "memory://",
	} {
		variable(&pod, name, value)
	}
	fromSecret(&pod, "DATABASE_HOST", "finance-db-e2e", "host")
	fromSecret(&pod, "DATABASE_USERNAME", "finance-db-e2e", "username")
	fromSecret(&pod, "DATABASE_PASSWORD", "finance-db-e2e", "password")
	fromSecret(&pod, "JWT_SECRET", "finance-secrets-e2e", "jwt-secret")
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{names.App: diagnoseApp,
				names.Version: name}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
}

// fullDatabase is a database that accepts no connections.
const fullDatabase = "vextrus_diagnose_e2e"

// superuser runs SQL as the database's superuser, which only this machine's user postgres may do.
func superuser(t *testing.T, statements ...string) {
	t.Helper()
	args := []string{"-u", "postgres", "--", "psql", "-h", "/run/finance-rollout-local/postgres", "-U", "postgres", "-X",
		"-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"}
	for _, statement := range statements {
		args = append(args, "-c", statement)
	}
	if output, err := exec.Command("runuser", args...).CombinedOutput(); err != nil {
		t.Fatalf("psql as superuser: %v\n%s", err, output)
	}
}

// slowProxy forwards connections to an address and delays the answers of those that are established. It listens on the
// node's address, where pods reach this machine, until the test ends.
func slowProxy(t *testing.T, node, upstream string, delay time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(node, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(conn, upstream, delay)
		}
	}()
	return listener.Addr().String()
}

func forward(conn net.Conn, upstream string, delay time.Duration) {
	defer conn.Close()
	server, err := net.Dial("tcp", upstream)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, conn) // The end of either side ends both.
		server.Close()
	}()
	buffer := make([]byte, 64<<10)
	for pieces := 0; ; pieces++ {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		// The answers of a login must arrive within the client's timeout.
		if pieces > 8 {
			time.Sleep(delay)
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// databasePassword returns the password of the local cluster's database.
func databasePassword(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(os.Getenv("FINANCE_ROLLOUT_DB_PASSWORD_FILE"))
	if err != nil {
		t.Fatalf("the environment does not describe the local cluster: %v: run `make e2e`, or `make cluster` and `. "+
			".local/env` first", err)
	}
	return strings.TrimSpace(string(raw))
}

// during repeats a request until the context ends: at most perSecond times a second, and as many at the same time.
func during(ctx context.Context, perSecond int, ask func(context.Context)) (wait func()) {
	ticks := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer close(ticks)
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-ticker.C:
				select {
				case ticks <- struct{}{}:
				default: // All are waiting for an answer.
				}
			}
		}
	})
	for range perSecond {
		running.Go(func() {
			for range ticks {
				ask(ctx)
			}
		})
	}
	return running.Wait
}

// pushService builds the example service, pushes it to the local registry and returns its reference by digest and its
// repository.
func pushService(t *testing.T, root string) (image, repository string) {
	t.Helper()
	repository = os.Getenv("FINANCE_ROLLOUT_REGISTRY") + "/vextrus/finance"
	binary := t.TempDir() + "/finance-service"
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-s -w -X main.version=v2", "-o", binary,
		"./examples/finance-service")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the example service: %v\n%s", err, output)
	}
	push := exec.Command(root+"/.local/bin/local", "push", "--binary", binary, "--name", "vextrus/finance", "--tag", "e2e",
		"--entrypoint", "/bin/finance-service")
	push.Dir = root
	output, err := push.Output()
	if err != nil {
		t.Fatalf("push the example service: %v", err)
	}
	image = strings.TrimSpace(string(output))
	if !strings.HasPrefix(image, repository+"@sha256:") {
		t.Fatalf("pushed as %s", image)
	}
	return image, repository
}

// described prints findings one per line, for a failed test.
func described(found []diagnose.Finding) string {
	var lines []string
	for _, finding := range found {
		lines = append(lines, fmt.Sprintf("%s: %s %q", finding.Cause, finding.Summary, finding.Evidence))
	}
	return strings.Join(lines, "\n")
}
