package components

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// TrackArgs are the arguments of NewTrack.
type TrackArgs struct {
	App App
	// Name is the name of the Deployment, for example finance-service-stable.
	Name string
	// Track is names.Stable or names.Canary.
	Track string
	// Renamed tells that stacks of earlier versions hold this Deployment under the name of the track. It is false for a
	// canary that follows another one: what is held there is the other's then.
	Renamed bool
	// Version is the pods' version label: the release on the canary.
	Version string
	// Image is the image by digest.
	Image pulumi.StringInput
	// Replicas are the track's pods; 0 keeps the Deployment without any. With an autoscaler they are the fewest.
	Replicas int
	// Autoscale lets an autoscaler choose the pods; nil for none.
	Autoscale *settings.Autoscale
	// Autoscaled tells that the autoscaler has pods to choose from already: the Deployment's replicas are its own then,
	// and are left as they are. The first ones are made by the Deployment, because an autoscaler leaves one without pods
	// alone.
	Autoscaled bool
	// Port is the container's port.
	Port int
	// Pod is what the track's container is given.
	Pod PodSpec
	// RollingUpdate is how pods are replaced; the zero value keeps every pod until its successor is ready.
	RollingUpdate settings.RollingUpdate
	// ServiceAccount is the name of the pods' service account.
	ServiceAccount pulumi.StringInput
	// Identity is the short form of what the pods are made of; empty where it is unknown.
	Identity string
	// Objects are the names of the Secrets and ConfigMaps of the release, by the names that the pods are configured with.
	Objects map[string]string
	// Frozen keeps the pods as they are, whatever else the arguments say of them: the engine keeps the template of its
	// state.
	Frozen bool
	// Checksum changes when a secret or a configuration value changes; the pods are replaced then.
	Checksum string
	// Interruption is the number of the ledger's last entry that left the cluster in a state that the stack does not
	// know, 0 for none. A new number writes the Deployment again and restores the pods that a rollback took from it.
	Interruption int
	// StagingVerified is the digest of the image when staging has verified it, for the policies to see; nil for none.
	StagingVerified pulumi.StringInput
	// ProgressTimeout bounds how long the Deployment may take to become ready.
	ProgressTimeout time.Duration
	// Protect refuses every update that would delete or replace the Deployment.
	Protect bool
	// DependsOn is what the pods cannot start without.
	DependsOn []pulumi.Resource
	// Hooks run before the Deployment changes. A shrinking track waits in one until the other has grown.
	Hooks *pulumi.ResourceHookBinding
}

// PodSpec is what a track's container is given.
type PodSpec struct {
	Resources settings.Resources
	Probes    settings.Probes
	Shutdown  settings.Shutdown
	// Env are plain values; SecretEnv are references into secrets, by the secret's name in the cluster.
	Env       map[string]string
	SecretEnv map[string]settings.SecretRef
	// ConfigMap holds further plain values; empty for none.
	ConfigMap string
	// SpreadAcross are the topology keys that the pods spread over.
	SpreadAcross []string
	// What follows is left out of checksums where it is not set: each means the default then.

	// User is who the processes run as.
	User settings.User `json:",omitzero"`
	// Writable are folders that the container may write to, beside /tmp. TmpSize bounds each of them.
	Writable []string          `json:",omitempty"`
	TmpSize  settings.Quantity `json:",omitempty"`
	// Command and Args replace those of the image.
	Command []string `json:",omitempty"`
	Args    []string `json:",omitempty"`
	// Annotations are the user's on the pods.
	Annotations map[string]string `json:",omitempty"`
	// EnvFrom are Secrets and ConfigMaps that exist already; each of their keys is a variable.
	EnvFrom []settings.EnvSource `json:",omitempty"`
	// Overlays are laid on the template, one after the other.
	Overlays []settings.Overlay `json:",omitempty"`
}

func (a *TrackArgs) validate() error {
	switch {
	case a.Name == "" || a.Version == "" || a.Image == nil || a.Port == 0 || a.ServiceAccount == nil:
		return errors.New("track: Name, Version, Image, Port and ServiceAccount are required")
	case a.Track != names.Stable && a.Track != names.Canary:
		return fmt.Errorf("track: Track is %q: allowed are %s and %s", a.Track, names.Stable, names.Canary)
	case a.Replicas < 0:
		return fmt.Errorf("track: Replicas is %d: allowed is 0 or more", a.Replicas)
	case a.Autoscale != nil && (a.Autoscale.Max < max(a.Replicas, 1) || a.Autoscale.CPUPercent < 1):
		return fmt.Errorf("track: Autoscale is %+v: Max must be at least Replicas, which is %d, and CPUPercent at least 1",
			*a.Autoscale, a.Replicas)
	}
	return nil
}

// Track is one Deployment of the service with its disruption budget and, where it is wanted, its autoscaler.
type Track struct {
	pulumi.ResourceState

	// Name is the name of the Deployment.
	Name pulumi.StringOutput
	// Replicas are the pods that the Deployment holds, as the cluster reports them.
	Replicas pulumi.IntOutput
	// Image is the image that the Deployment runs, by digest.
	Image pulumi.StringOutput
	// Deployment is what to depend on where something waits for the pods: the SDK may expand a dependency on the component
	// before its children are there.
	Deployment *appsv1.Deployment
}

// NewTrack makes a track.
//
// A canary's resources are called after its Deployment, and stable's after the track. Two releases therefore never
// share a URN: with a shared one, the engine replaces one release by the other, and the delete half of a replacement
// that failed removes a Deployment by its name, which may be the live one again by then.
func NewTrack(ctx *pulumi.Context, name string, args *TrackArgs, opts ...pulumi.ResourceOption) (*Track, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	template, err := args.podTemplate()
	if err != nil {
		return nil, fmt.Errorf("track %s: %w", args.Name, err)
	}
	track := &Track{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Track", name, args.inputs(), track,
		opts...); err != nil {
		return nil, err
	}
	resources := []pulumi.ResourceOption{pulumi.Parent(track)}
	if args.Renamed {
		resources = append(resources, pulumi.Aliases([]pulumi.Alias{{Name: pulumi.String(name)}}))
	}
	if args.Track == names.Canary {
		name = args.App.Prefix + args.Name
	}
	options := slices.Concat(resources,
		[]pulumi.ResourceOption{pulumi.DependsOn(args.DependsOn), pulumi.ResourceHooks(args.Hooks),
			pulumi.Protect(args.Protect)})
	options = append(options, pulumi.IgnoreChanges(args.ignored()))
	deployment, err := appsv1.NewDeployment(ctx, name, nil, append(options, asData(args.deployment(template)))...)
	if err != nil {
		return nil, err
	}
	if err := args.autoscaler(ctx, name, resources, deployment); err != nil {
		return nil, err
	}
	_, err = policyv1.NewPodDisruptionBudget(ctx, name, &policyv1.PodDisruptionBudgetArgs{
		Metadata: args.App.metadata(args.Name),
		Spec: policyv1.PodDisruptionBudgetSpecArgs{
			MaxUnavailable: pulumi.Int(1),
			Selector:       metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(args.selector())},
			// A pod that is not ready takes no requests: it must not keep a node from being drained.
			UnhealthyPodEvictionPolicy: pulumi.String(evictUnhealthy),
		},
	}, resources...)
	if err != nil {
		return nil, err
	}
	track.Deployment, track.Name = deployment, deployment.Metadata.Name().Elem()
	track.Replicas = deployment.Spec.Replicas().Elem()
	track.Image = imageOf(deployment, args.App.Name)
	return track, ctx.RegisterResourceOutputs(track, pulumi.Map{
		"name": track.Name, "replicas": track.Replicas, "image": track.Image,
	})
}

// ignored are the fields of the Deployment that stay as they are.
func (a *TrackArgs) ignored() []string {
	var fields []string
	if a.Autoscaled && a.Autoscale != nil && a.Replicas > 0 {
		fields = append(fields, "spec.replicas")
	}
	if a.Frozen {
		fields = append(fields, "spec.template")
	}
	return fields
}

// imageOf is the image of the service's own container.
func imageOf(deployment *appsv1.Deployment, service string) pulumi.StringOutput {
	containers := deployment.Spec.Template().Spec().Containers()
	return containers.ApplyT(func(containers []corev1.Container) string {
		for _, container := range containers {
			if container.Name == service && container.Image != nil {
				return *container.Image
			}
		}
		return ""
	}).(pulumi.StringOutput)
}

// evictUnhealthy lets pods that are not ready be evicted whatever the budget says. By default a budget of one
// unavailable pod refuses their eviction for as long as they are not ready.
const evictUnhealthy = "AlwaysAllow"

func (a *TrackArgs) selector() map[string]string {
	selector := map[string]string{names.App: a.App.Name, names.Track: a.Track}
	if a.Track == names.Canary {
		selector[names.Version] = a.Version
	}
	return selector
}

func (a *TrackArgs) labels() pulumi.StringMap {
	return a.App.labelsWith(map[string]string{names.Track: a.Track, names.Version: a.Version})
}

func (a *TrackArgs) podLabels() map[string]string {
	return a.App.plainLabels(map[string]string{
		names.Track: a.Track, names.Version: a.Version, names.Traffic: names.Enabled,
	})
}

// deployment is the Deployment as data: the typed arguments of the SDK cannot hold a template that an overlay was laid
// on.
func (a *TrackArgs) deployment(template object) kubernetes.UntypedArgs {
	metadata := a.App.metadata(a.Name)
	metadata.Labels = a.labels()
	annotations := takenBack()
	annotations["pulumi.com/timeoutSeconds"] = pulumi.String(strconv.Itoa(int(a.ProgressTimeout.Seconds())))
	if a.Interruption > 0 {
		annotations[names.Interruption] = number(a.Interruption)
	}
	if a.Identity != "" {
		annotations[names.Identity] = pulumi.String(a.Identity)
	}
	if a.StagingVerified != nil {
		annotations[names.StagingVerified] = a.StagingVerified
	}
	metadata.Annotations = annotations
	rolling := cmp.Or(a.RollingUpdate, settings.DefaultRollingUpdate())
	return kubernetes.UntypedArgs{
		"apiVersion": "apps/v1",
		"kind":       "Deployment",
		"metadata":   metadata,
		"spec": object{
			"replicas":                a.Replicas,
			"revisionHistoryLimit":    10,
			"progressDeadlineSeconds": int(a.ProgressTimeout.Seconds()),
			"selector":                object{"matchLabels": textsOf(a.selector())},
			"strategy": object{
				"type": "RollingUpdate",
				"rollingUpdate": object{
					"maxUnavailable": replacement(rolling.MaxUnavailable), "maxSurge": replacement(rolling.MaxSurge),
				},
			},
			"template": template,
		},
	}
}

// asData registers a resource with these inputs in place of its typed arguments, and keeps everything else that the SDK
// says of it, such as its earlier types.
func asData(inputs kubernetes.UntypedArgs) pulumi.ResourceOption {
	return pulumi.Transformations([]pulumi.ResourceTransformation{
		func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			return &pulumi.ResourceTransformationResult{Props: inputs, Opts: args.Opts}
		},
	})
}
