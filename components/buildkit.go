package components

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/names"
)

// buildKitVersion is the version of Pulumi's Docker Build provider whose inputs these are. Its Go SDK would make every
// stack ask for the plugin, also those that build nothing.
const buildKitVersion = "0.0.22"

// buildKitImage is a resource docker-build:index:Image.
type buildKitImage struct {
	pulumi.CustomResourceState

	// Digest is that of the pushed image, or of the index over its platforms.
	Digest pulumi.StringOutput `pulumi:"digest"`
}

// withBuildKit builds the image with the Docker Build provider.
func (a *ImageArgs) withBuildKit(ctx *pulumi.Context, name string,
	opts ...pulumi.ResourceOption) (ref pulumi.StringOutput, err error) {
	inputs := pulumi.Map{
		"tags":       pulumi.ToStringArray([]string{a.Name}),
		"push":       pulumi.Bool(true),
		"context":    pulumi.StringMap{"location": pulumi.String(a.Build.Context)},
		"dockerfile": pulumi.StringMap{"location": pulumi.String(dockerfile(a.Build))},
		"platforms":  pulumi.ToStringArray(a.Build.Platforms()),
		// A preview shows that the image would be built, as with the Docker provider.
		"buildOnPreview": pulumi.Bool(false),
	}
	if a.Build.Target != "" {
		inputs["target"] = pulumi.String(a.Build.Target)
	}
	if len(a.Build.Args) > 0 {
		inputs["buildArgs"] = pulumi.ToStringMap(a.Build.Args)
	}
	if len(a.Build.Secrets) > 0 {
		secrets := pulumi.StringMap{}
		for id, value := range a.Build.Secrets {
			secrets[id] = secretText(value)
		}
		inputs["secrets"] = secrets
	}
	if caches := cacheEntries(a.Build.CacheFrom, ""); len(caches) > 0 {
		inputs["cacheFrom"] = caches
	}
	if caches := cacheEntries(a.Build.CacheTo, ",mode=max"); len(caches) > 0 {
		inputs["cacheTo"] = caches
	}
	if a.Registry.Username != "" {
		inputs["registries"] = pulumi.Array{pulumi.StringMap{
			"address": pulumi.String(a.Registry.Server), "username": pulumi.String(a.Registry.Username),
			"password": secretText(a.Registry.Password),
		}}
	}
	built := &buildKitImage{}
	opts = append(opts, pulumi.Version(buildKitVersion), pulumi.AdditionalSecretOutputs([]string{"secrets", "registries"}))
	if err := ctx.RegisterResource("docker-build:index:Image", name, inputs, built, opts...); err != nil {
		return ref, err
	}
	return pulumi.Sprintf("%s@%s", names.Repository(a.Name), built.Digest), nil
}

// cacheEntries are images of layers as the flags of the docker command name them.
func cacheEntries(images []string, options string) pulumi.MapArray {
	var entries pulumi.MapArray
	for _, image := range images {
		entries = append(entries, pulumi.Map{"raw": pulumi.String("type=registry,ref=" + image + options)})
	}
	return entries
}
