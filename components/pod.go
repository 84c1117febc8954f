package components

import (
	"maps"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// user is the numeric user that the containers run as: "nonroot" of the distroless images. A number is what lets the
// kubelet verify runAsNonRoot.
const user = 65532

func (a *TrackArgs) podTemplate() corev1.PodTemplateSpecArgs {
	return corev1.PodTemplateSpecArgs{
		Metadata: metav1.ObjectMetaArgs{
			Labels:      a.podLabels(),
			Annotations: pulumi.StringMap{names.Checksum: pulumi.String(a.Checksum)},
		},
		Spec: corev1.PodSpecArgs{
			ServiceAccountName:            a.ServiceAccount.ToStringOutput(),
			AutomountServiceAccountToken:  pulumi.Bool(false),
			EnableServiceLinks:            pulumi.Bool(false),
			TerminationGracePeriodSeconds: pulumi.Int(a.Pod.Shutdown.Grace),
			SecurityContext: corev1.PodSecurityContextArgs{
				RunAsNonRoot:   pulumi.Bool(true),
				RunAsUser:      pulumi.Int(user),
				RunAsGroup:     pulumi.Int(user),
				FsGroup:        pulumi.Int(user),
				SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
			},
			TopologySpreadConstraints: a.spread(),
			Volumes: corev1.VolumeArray{corev1.VolumeArgs{
				Name: pulumi.String("tmp"), EmptyDir: corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String("64Mi")},
			}},
			Containers: corev1.ContainerArray{a.container()},
		},
	}
}

func (a *TrackArgs) spread() corev1.TopologySpreadConstraintArray {
	var constraints corev1.TopologySpreadConstraintArray
	for _, key := range a.Pod.SpreadAcross {
		constraints = append(constraints, corev1.TopologySpreadConstraintArgs{
			MaxSkew:           pulumi.Int(1),
			TopologyKey:       pulumi.String(key),
			WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
			LabelSelector:     metav1.LabelSelectorArgs{MatchLabels: a.selector()},
		})
	}
	return constraints
}

func (a *TrackArgs) container() corev1.ContainerArgs {
	container := corev1.ContainerArgs{
		Name:  pulumi.String(a.App.Name),
		Image: a.Image.ToStringOutput(),
		Ports: corev1.ContainerPortArray{corev1.ContainerPortArgs{
			Name: pulumi.String(PortName), ContainerPort: pulumi.Int(a.Port), Protocol: pulumi.String("TCP"),
		}},
		Env:            a.environment(),
		Resources:      resourceRequirements(a.Pod.Resources),
		LivenessProbe:  probe(a.Pod.Probes.Liveness),
		ReadinessProbe: probe(a.Pod.Probes.Readiness),
		Lifecycle: corev1.LifecycleArgs{PreStop: corev1.LifecycleHandlerArgs{
			Sleep: corev1.SleepActionArgs{Seconds: pulumi.Int(a.Pod.Shutdown.PreStop)},
		}},
		SecurityContext: corev1.SecurityContextArgs{
			AllowPrivilegeEscalation: pulumi.Bool(false),
			ReadOnlyRootFilesystem:   pulumi.Bool(true),
			Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
		},
		VolumeMounts: corev1.VolumeMountArray{corev1.VolumeMountArgs{
			Name: pulumi.String("tmp"), MountPath: pulumi.String("/tmp"),
		}},
	}
	if a.Pod.Probes.Startup.FailureThreshold > 0 {
		container.StartupProbe = probe(a.Pod.Probes.Startup)
	}
	if a.Pod.ConfigMap != "" {
		container.EnvFrom = corev1.EnvFromSourceArray{corev1.EnvFromSourceArgs{
			ConfigMapRef: corev1.ConfigMapEnvSourceArgs{Name: pulumi.String(a.Pod.ConfigMap)},
		}}
	}
	return container
}

// environment lists the variables in the order of their names, so that a preview shows a change and nothing else.
func (a *TrackArgs) environment() corev1.EnvVarArray {
	values := maps.Clone(a.Pod.Env)
	if values == nil {
		values = map[string]string{}
	}
	if a.Track == names.Canary {
		values["DEPLOYMENT_TRACK"] = a.Track
		values["DEPLOYMENT_VERSION"] = a.Version
	}
	var variables corev1.EnvVarArray
	for _, name := range slices.Sorted(maps.Keys(values)) {
		variables = append(variables, corev1.EnvVarArgs{Name: pulumi.String(name), Value: pulumi.String(values[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Pod.SecretEnv)) {
		ref := a.Pod.SecretEnv[name]
		variables = append(variables, corev1.EnvVarArgs{
			Name: pulumi.String(name),
			ValueFrom: corev1.EnvVarSourceArgs{SecretKeyRef: corev1.SecretKeySelectorArgs{
				Name: pulumi.String(ref.Secret), Key: pulumi.String(ref.Key),
			}},
		})
	}
	return variables
}

func resourceRequirements(r settings.Resources) corev1.ResourceRequirementsArgs {
	amount := func(q settings.Quantities) pulumi.StringMap {
		return pulumi.StringMap{"cpu": pulumi.String(q.CPU), "memory": pulumi.String(q.Memory)}
	}
	return corev1.ResourceRequirementsArgs{Requests: amount(r.Requests), Limits: amount(r.Limits)}
}

func probe(p settings.Probe) corev1.ProbeArgs {
	return corev1.ProbeArgs{
		HttpGet:             corev1.HTTPGetActionArgs{Path: pulumi.String(p.Path), Port: pulumi.String(PortName)},
		InitialDelaySeconds: pulumi.Int(p.InitialDelay),
		PeriodSeconds:       pulumi.Int(p.Period),
		TimeoutSeconds:      pulumi.Int(p.Timeout),
		FailureThreshold:    pulumi.Int(p.FailureThreshold),
	}
}
