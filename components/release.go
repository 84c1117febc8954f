package components

import (
	"errors"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// ReleaseArgs are the arguments of NewRelease.
type ReleaseArgs struct {
	App App
	// Name is the name of the record, a ConfigMap.
	Name string
	// Release names the release on trial.
	Release string
	// Position is what the tracks were brought to.
	Position plan.Position
	// Image and StableImage are what the tracks report to run, by digest. On a stack with one track both are the same.
	Image, StableImage pulumi.StringInput
	// Identity is the short form of what is judged; nil where it is unknown.
	Identity pulumi.StringInput
	// Checksum changes whenever the pods of the release do.
	Checksum string
	// Interruption is that of the tracks: what a rollback or an interrupted update left passes its gates anew.
	Interruption int
	// Cluster is the identity of the cluster; empty where it is unknown.
	Cluster string
	// Protect refuses every update that would delete or replace the record, and with it a destroy of whatever the record
	// depends on: the engine deletes the record first.
	Protect bool
	// DependsOn is everything that the gates look at; the record is written after it.
	DependsOn []pulumi.Resource
	// Hooks run before the record is written. A hook that fails leaves the record as it was, so that the next update of
	// the stack runs the hook again.
	Hooks *pulumi.ResourceHookBinding
}

func (a *ReleaseArgs) validate() error {
	if a.Name == "" || a.Release == "" || a.Image == nil || a.StableImage == nil {
		return errors.New("release: Name, Release, Image and StableImage are required")
	}
	return nil
}

// Release is the record of what passed its gates: which image stands at which weight. It is written last and only
// when the verify hook has passed, and the stack's outputs are read from it, so that they never tell of a position
// that was asked for and not reached.
type Release struct {
	pulumi.ResourceState

	// Week, Weight and the pods of each track are the position that passed.
	Week, Weight, StableReplicas, CanaryReplicas pulumi.IntOutput
	// Name is the release's name; Image and StableImage are its images by digest.
	Name, Image, StableImage pulumi.StringOutput
	// Identity is the short form of what passed; empty where it is unknown.
	Identity pulumi.StringOutput
}

// NewRelease writes the record.
func NewRelease(ctx *pulumi.Context, name string, args *ReleaseArgs, opts ...pulumi.ResourceOption) (*Release, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	release := &Release{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Release", name, args.inputs(), release,
		opts...); err != nil {
		return nil, err
	}
	data := pulumi.StringMap{
		"release":        pulumi.String(args.Release),
		"week":           number(args.Position.Week),
		"weight":         number(args.Position.Weight),
		"stableReplicas": number(args.Position.Stable),
		"canaryReplicas": number(args.Position.Canary),
		"image":          args.Image.ToStringOutput(),
		"stableImage":    args.StableImage.ToStringOutput(),
		"checksum":       pulumi.String(args.Checksum),
	}
	if args.Identity != nil {
		data["identity"] = args.Identity.ToStringOutput()
	}
	if args.Cluster != "" {
		data["cluster"] = pulumi.String(args.Cluster)
	}
	if args.Interruption > 0 {
		data["interruption"] = number(args.Interruption)
	}
	record, err := corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata: args.App.metadata(args.Name), Data: data,
	}, pulumi.Parent(release), pulumi.DependsOn(args.DependsOn), pulumi.ResourceHooks(args.Hooks),
		pulumi.Protect(args.Protect))
	if err != nil {
		return nil, err
	}
	text := func(key string) pulumi.StringOutput { return record.Data.MapIndex(pulumi.String(key)) }
	release.Name, release.Image, release.StableImage = text("release"), text("image"), text("stableImage")
	release.Identity = text("identity")
	release.Week, release.Weight = integer(text("week")), integer(text("weight"))
	release.StableReplicas, release.CanaryReplicas = integer(text("stableReplicas")), integer(text("canaryReplicas"))
	return release, ctx.RegisterResourceOutputs(release, pulumi.Map{
		"release": release.Name, "week": release.Week, "weight": release.Weight, "image": release.Image,
	})
}

func number(n int) pulumi.String { return pulumi.String(strconv.Itoa(n)) }

func integer(text pulumi.StringOutput) pulumi.IntOutput {
	return text.ApplyT(strconv.Atoi).(pulumi.IntOutput)
}
