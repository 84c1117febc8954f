package components

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/settings"
)

func app() App {
	return App{Name: "finance-service", Environment: "production", Namespace: pulumi.String("vextrus-production")}
}

func defaultPod() PodSpec {
	d := settings.Defaults()
	return PodSpec{
		Resources: d.Resources, Probes: d.Probes, Shutdown: d.Shutdown, Env: d.Env, SpreadAcross: d.SpreadAcross,
		SecretEnv: map[string]settings.SecretRef{"DATABASE_PASSWORD": {Secret: "finance-db-production", Key: "password"}},
		ConfigMap: "finance-service-config",
	}
}

func trackArgs() *TrackArgs {
	return &TrackArgs{
		App: app(), Name: "finance-service-week1", Track: names.Canary, Version: "week1",
		Image:    pulumi.String("vextrus/finance@sha256:aa"),
		Replicas: 1, Port: 3014, Pod: defaultPod(), ServiceAccount: pulumi.String("finance-service"), Checksum: "abc",
		ProgressTimeout: 10 * time.Minute,
	}
}

func environmentArgs() *EnvironmentArgs {
	return &EnvironmentArgs{
		App: "finance-service", Environment: "production", Namespace: "vextrus-production",
		Stack:       "finance-rollout/production",
		Network:     Network{IngressPorts: []int{3014}, EgressPorts: []int{5432}, IngressNamespaces: []string{"ingress"}},
		PullSecrets: []string{"registry-production"},
	}
}

func secretsArgs() *SecretsArgs {
	return &SecretsArgs{
		App:      app(),
		Secrets:  map[string]map[string]settings.Secret{"finance-db-production": {"password": "s3cr3t-value"}},
		PullName: "registry-production",
		Registry: settings.Registry{Server: "registry.example.com", Username: "robot", Password: "pull-me"},
	}
}

func imageArgs() *ImageArgs {
	build := settings.Defaults().Build
	build.Context = "service"
	return &ImageArgs{Name: "registry.example.com/vextrus/finance:v2", Build: build,
		Registry: settings.Registry{Server: "registry.example.com", Username: "robot", Password: "push-me"}}
}

func trafficArgs() *TrafficArgs {
	return &TrafficArgs{App: app(), ServiceName: "finance-service", Port: 80, Type: "NodePort", NodePort: 30080}
}

func monitoringArgs() *MonitoringArgs {
	d := settings.Defaults()
	return &MonitoringArgs{
		App: app(), Metrics: d.Metrics, Labels: d.Monitoring.Labels, DashboardLabels: d.Monitoring.DashboardLabels,
		Rules: alerts.Params{
			App: "finance-service", Environment: "production", Namespace: "vextrus-production", Release: "week1",
			Deployment: "finance-service-week1", RequestsTotal: d.Metrics.RequestsTotal, StatusLabel: d.Metrics.StatusLabel,
			ErrorPattern: d.Metrics.ErrorPattern, DurationBucket: d.Metrics.DurationBucket, ErrorRate: 0.01, SlowShare: 0.05,
			Latency:     500 * time.Millisecond,
			MinRequests: 50, DashboardUID: "finance-week1",
		},
	}
}

func releaseArgs() *ReleaseArgs {
	return &ReleaseArgs{
		App: app(), Name: "finance-service-release", Release: "week1",
		Position: plan.Position{Week: 1, Weight: 10, Stable: 9, Canary: 1},
		Image:    pulumi.String("b@sha256:bb"), StableImage: pulumi.String("a@sha256:aa"), Checksum: "abc",
	}
}

// all builds every component once.
func all(ctx *pulumi.Context) error {
	_, err1 := NewEnvironment(ctx, "environment", environmentArgs())
	_, err2 := NewSecrets(ctx, "secrets", secretsArgs())
	_, err3 := NewImage(ctx, "image", imageArgs())
	_, err4 := NewTrack(ctx, "canary", trackArgs())
	_, err5 := NewTraffic(ctx, "traffic", trafficArgs())
	_, err6 := NewMonitoring(ctx, "monitoring", monitoringArgs())
	_, err7 := NewRelease(ctx, "release", releaseArgs())
	return errors.Join(err1, err2, err3, err4, err5, err6, err7)
}

const (
	typeNamespace  = "kubernetes:core/v1:Namespace"
	typeAccount    = "kubernetes:core/v1:ServiceAccount"
	typePolicy     = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
	typeSecret     = "kubernetes:core/v1:Secret"
	typeImage      = "docker:index/image:Image"
	typeDeployment = "kubernetes:apps/v1:Deployment"
	typeBudget     = "kubernetes:policy/v1:PodDisruptionBudget"
	typeService    = "kubernetes:core/v1:Service"
	typeMonitor    = "kubernetes:monitoring.coreos.com/v1:ServiceMonitor"
	typeRule       = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
	typeConfigMap  = "kubernetes:core/v1:ConfigMap"
)

func TestInputs(t *testing.T) {
	r := &recorder{}
	if err := run(t, r, all); err != nil {
		t.Fatal(err)
	}
	const container = "spec.template.spec.containers[0]."
	canary := typeDeployment + "/finance-service-week1"
	tests := []struct {
		key, path string
		want      any
	}{
		{typeNamespace + "/environment", `metadata.labels["pod-security.kubernetes.io/enforce"]`, "restricted"},
		{typeNamespace + "/environment", `metadata.annotations["finance-rollout/stack"]`, "finance-rollout/production"},
		{typeAccount + "/environment", "automountServiceAccountToken", false},
		{typeAccount + "/environment", "imagePullSecrets[0].name", "registry-production"},
		{typePolicy + "/environment", "spec.policyTypes", []any{"Ingress", "Egress"}},
		{typePolicy + "/environment", "spec.ingress[0].ports[0].port", 3014.0},
		{typePolicy + "/environment", `spec.ingress[0].from[0].namespaceSelector.matchLabels["kubernetes.io/metadata.name"]`,
			"ingress"},
		{typePolicy + "/environment", "spec.egress[0].ports[0].port", 53.0},
		{typePolicy + "/environment", "spec.egress[1].ports[0].port", 5432.0},
		{typeSecret + "/registry-production", "type", "kubernetes.io/dockerconfigjson"},
		{typeImage + "/image", "build.target", "production"},
		{typeImage + "/image", "build.context", "service"},
		{typeImage + "/image", "build.dockerfile", "service/Dockerfile"},
		{typeImage + "/image", "registry.server", "registry.example.com"},
		{canary, "metadata.name", "finance-service-week1"},
		{canary, "spec.replicas", 1.0},
		{canary, "spec.strategy.rollingUpdate.maxUnavailable", 0.0},
		{canary, "spec.selector.matchLabels", map[string]any{"app": "finance-service", "track": "canary",
			"version": "week1"}},
		{canary, "spec.template.metadata.labels.environment", "production"},
		{canary, "spec.template.metadata.labels.traffic", "enabled"},
		{canary, `spec.template.metadata.annotations["finance-rollout/config-checksum"]`, "abc"},
		{canary, "spec.template.spec.serviceAccountName", "finance-service"},
		{canary, "spec.template.spec.automountServiceAccountToken", false},
		{canary, "spec.template.spec.terminationGracePeriodSeconds", 30.0},
		{canary, "spec.template.spec.securityContext.runAsNonRoot", true},
		{canary, "spec.template.spec.securityContext.seccompProfile.type", "RuntimeDefault"},
		{canary, "spec.template.spec.topologySpreadConstraints[0].topologyKey", "kubernetes.io/hostname"},
		{canary, container + "image", "vextrus/finance@sha256:aa"},
		{canary, container + "securityContext.readOnlyRootFilesystem", true},
		{canary, container + "securityContext.allowPrivilegeEscalation", false},
		{canary, container + "securityContext.capabilities.drop", []any{"ALL"}},
		{canary, container + "lifecycle.preStop.sleep.seconds", 5.0},
		{canary, container + "livenessProbe.httpGet.path", "/health/live"},
		{canary, container + "livenessProbe.initialDelaySeconds", 0.0},
		{canary, container + "readinessProbe.initialDelaySeconds", 0.0},
		{canary, container + "resources.requests", map[string]any{"cpu": "500m", "memory": "1Gi"}},
		{canary, container + "resources.limits", map[string]any{"cpu": "1", "memory": "2Gi"}},
		{canary, container + "envFrom[0].configMapRef.name", "finance-service-config"},
		{typeBudget + "/finance-service-week1", "spec.selector.matchLabels.track", "canary"},
		{typeBudget + "/finance-service-week1", "spec.unhealthyPodEvictionPolicy", "AlwaysAllow"},
		{typeService + "/traffic", "spec.selector", map[string]any{"app": "finance-service", "traffic": "enabled"}},
		{typeService + "/traffic", "spec.sessionAffinity", "None"},
		{typeService + "/traffic", `metadata.labels["finance-rollout/scraped"]`, "enabled"},
		{typeMonitor + "/monitoring-ServiceMonitor", "spec.selector.matchLabels", map[string]any{"app": "finance-service",
			"environment": "production", "finance-rollout/scraped": "enabled"}},
		{typeService + "/traffic", `metadata.annotations["pulumi.com/patchForce"]`, "true"},
		{typeService + "/traffic", "spec.ports[0].nodePort", 30080.0},
		{typeMonitor + "/monitoring-ServiceMonitor", "spec.podTargetLabels", []any{"app", "track", "version"}},
		{typeMonitor + "/monitoring-ServiceMonitor", "spec.endpoints[0].port", "http"},
		{typeMonitor + "/monitoring-ServiceMonitor", "metadata.labels.release", "kube-prometheus-stack"},
		{typeConfigMap + "/monitoring-dashboard", "metadata.labels.grafana_dashboard", "1"},
		{typeConfigMap + "/release", "data.weight", "10"},
		{typeConfigMap + "/release", "data.canaryReplicas", "1"},
		{typeConfigMap + "/release", "data.image", "b@sha256:bb"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, r.path(t, tt.key, tt.path)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.key, tt.path, diff)
		}
	}
}

func TestSecretsReachThePodsAsReferencesOnly(t *testing.T) {
	r := &recorder{}
	if err := run(t, r, all); err != nil {
		t.Fatal(err)
	}
	for key, inputs := range r.inputs {
		open, err := json.Marshal(withoutSecrets(resource.NewObjectProperty(inputs)).Mappable())
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"s3cr3t-value", "pull-me", "push-me"} {
			if strings.Contains(string(open), secret) {
				t.Errorf("%s holds %s in the open: %s", key, secret, open)
			}
		}
	}
	entries := r.path(t, typeDeployment+"/finance-service-week1", "spec.template.spec.containers[0].env").([]any)
	listed := false
	for _, entry := range entries {
		variable := entry.(map[string]any)
		if variable["name"] == "DATABASE_PASSWORD" {
			listed = true
			want := map[string]any{"secretKeyRef": map[string]any{"name": "finance-db-production", "key": "password"}}
			if diff := cmp.Diff(want, variable["valueFrom"]); diff != "" || variable["value"] != nil {
				t.Errorf("DATABASE_PASSWORD: %v %s", variable, diff)
			}
		}
	}
	if !listed {
		t.Errorf("no DATABASE_PASSWORD in %v", entries)
	}
	stored := r.inputs[typeSecret+"/finance-db-production"]["stringData"]
	if !stored.ContainsSecrets() {
		t.Errorf("the data of the secret is not marked as secret: %v", stored)
	}
}

// withoutSecrets replaces everything that the engine encrypts.
func withoutSecrets(value resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret() || value.IsOutput() && value.OutputValue().Secret:
		return resource.NewStringProperty("[secret]")
	case value.IsObject():
		open := resource.PropertyMap{}
		for key, inner := range value.ObjectValue() {
			open[key] = withoutSecrets(inner)
		}
		return resource.NewObjectProperty(open)
	case value.IsArray():
		var open []resource.PropertyValue
		for _, inner := range value.ArrayValue() {
			open = append(open, withoutSecrets(inner))
		}
		return resource.NewArrayProperty(open)
	}
	return value
}

func TestEveryFailingResourceFailsTheProgram(t *testing.T) {
	for _, token := range []string{
		typeNamespace, typeAccount, typePolicy, typeSecret, typeImage, typeDeployment, typeBudget, typeService, typeMonitor,
		typeRule, typeConfigMap,
		"finance-rollout:index:Environment", "finance-rollout:index:Secrets", "finance-rollout:index:Image",
		"finance-rollout:index:Track",
		"finance-rollout:index:Traffic", "finance-rollout:index:Monitoring", "finance-rollout:index:Release",
	} {
		t.Run(token, func(t *testing.T) {
			err := run(t, &recorder{failing: token}, all)
			if err == nil {
				t.Error("the program passed")
			}
		})
	}
}

func TestArgsAreValidatedBeforeAnythingIsRegistered(t *testing.T) {
	tests := map[string]func(*pulumi.Context) error{
		"environment": func(ctx *pulumi.Context) error {
			args := environmentArgs()
			args.Namespace = ""
			_, err := NewEnvironment(ctx, "e", args)
			return err
		},
		"empty secret": func(ctx *pulumi.Context) error {
			args := secretsArgs()
			args.Secrets["finance-db-production"]["password"] = ""
			_, err := NewSecrets(ctx, "s", args)
			return err
		},
		"placeholder": func(ctx *pulumi.Context) error {
			args := secretsArgs()
			args.Secrets["finance-db-production"]["password"] = "<SECURE_PASSWORD>"
			_, err := NewSecrets(ctx, "s", args)
			return err
		},
		"registry": func(ctx *pulumi.Context) error {
			args := secretsArgs()
			args.Registry.Username = ""
			_, err := NewSecrets(ctx, "s", args)
			return err
		},
		"image": func(ctx *pulumi.Context) error {
			args := imageArgs()
			args.Build.Context = ""
			_, err := NewImage(ctx, "i", args)
			return err
		},
		"track": func(ctx *pulumi.Context) error {
			args := trackArgs()
			args.Track = "blue"
			_, err := NewTrack(ctx, "t", args)
			return err
		},
		"replicas": func(ctx *pulumi.Context) error {
			args := trackArgs()
			args.Replicas = -1
			_, err := NewTrack(ctx, "t", args)
			return err
		},
		"traffic": func(ctx *pulumi.Context) error {
			args := trafficArgs()
			args.ServiceName = ""
			_, err := NewTraffic(ctx, "t", args)
			return err
		},
		"monitoring": func(ctx *pulumi.Context) error {
			args := monitoringArgs()
			args.Metrics.Path = ""
			_, err := NewMonitoring(ctx, "m", args)
			return err
		},
		"release": func(ctx *pulumi.Context) error {
			args := releaseArgs()
			args.Release = ""
			_, err := NewRelease(ctx, "r", args)
			return err
		},
	}
	for name, program := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			if err := run(t, r, program); err == nil {
				t.Error("accepted")
			}
			if len(r.inputs) != 0 {
				t.Errorf("registered %v", r.inputs)
			}
		})
	}
}
