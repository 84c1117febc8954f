package components

import (
	"errors"
	"path/filepath"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// ImageArgs are the arguments of NewImage.
type ImageArgs struct {
	// Name is the image's name with a tag, under which it is pushed.
	Name string
	// Build says what to build.
	Build settings.Build
	// Registry holds the credentials for pushing.
	Registry settings.Registry
}

func (a *ImageArgs) validate() error {
	if a.Name == "" || a.Build.Context == "" {
		return errors.New("image: Name and Build.Context are required")
	}
	return nil
}

// Image is an image that the stack builds and pushes itself.
type Image struct {
	pulumi.ResourceState

	// Ref is the image by digest, as the provider reports it. It is unknown in a preview that would build it.
	Ref pulumi.StringOutput
}

// NewImage builds and pushes the image: with Pulumi's Docker provider, whose builds need a Docker daemon and nothing
// else, or with its Docker Build provider where the build asks for what only BuildKit does.
//
// Neither provider is asked to delete an image: the Docker provider does nothing then, but wants a daemon for it, and
// the other one would take away an image that another stack may run.
func NewImage(ctx *pulumi.Context, name string, args *ImageArgs, opts ...pulumi.ResourceOption) (*Image, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	image := &Image{}
	if err := ctx.RegisterComponentResourceV2("finance-rollout:index:Image", name, args.inputs(), image,
		opts...); err != nil {
		return nil, err
	}
	build := args.withDocker
	if args.Build.NeedsBuildKit() {
		build = args.withBuildKit
	}
	var err error
	image.Ref, err = build(ctx, name, pulumi.Parent(image), pulumi.RetainOnDelete(true))
	if err != nil {
		return nil, err
	}
	return image, ctx.RegisterResourceOutputs(image, pulumi.Map{"ref": image.Ref})
}

// withDocker builds the image with the Docker provider.
func (a *ImageArgs) withDocker(ctx *pulumi.Context, name string,
	opts ...pulumi.ResourceOption) (ref pulumi.StringOutput, err error) {
	build := docker.DockerBuildArgs{
		Context:    pulumi.String(a.Build.Context),
		Dockerfile: pulumi.String(dockerfile(a.Build)),
		Target:     pulumi.String(a.Build.Target),
		Platform:   pulumi.String(a.Build.Platform),
	}
	if len(a.Build.Args) > 0 {
		build.Args = pulumi.ToStringMap(a.Build.Args)
	}
	if len(a.Build.CacheFrom) > 0 {
		build.CacheFrom = docker.CacheFromArgs{Images: pulumi.ToStringArray(a.Build.CacheFrom)}
	}
	image := &docker.ImageArgs{ImageName: pulumi.String(a.Name), Build: build}
	if a.Registry.Username != "" {
		image.Registry = docker.RegistryArgs{
			Server:   pulumi.String(a.Registry.Server),
			Username: pulumi.String(a.Registry.Username),
			Password: secretText(a.Registry.Password),
		}
	}
	built, err := docker.NewImage(ctx, name, image, opts...)
	if err != nil {
		return ref, err
	}
	return built.RepoDigest, nil
}

// dockerfile is the path of the Dockerfile as the providers read it: from the program's folder, not from the context.
func dockerfile(build settings.Build) string {
	if build.Dockerfile == "" || filepath.IsAbs(build.Dockerfile) {
		return build.Dockerfile
	}
	return filepath.Join(build.Context, build.Dockerfile)
}

// secretText is a value that the engine encrypts and never shows.
func secretText(value settings.Secret) pulumi.StringOutput {
	return pulumi.ToSecret(pulumi.String(value.Reveal())).(pulumi.StringOutput)
}
