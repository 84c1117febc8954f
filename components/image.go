package components

import (
	"errors"
	"path/filepath"
	"strings"

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

	// Ref is the image by digest. It is unknown in a preview that would build it.
	Ref pulumi.StringOutput
}

// NewImage builds and pushes the image with the Docker provider.
func NewImage(ctx *pulumi.Context, name string, args *ImageArgs, opts ...pulumi.ResourceOption) (*Image, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	image := &Image{}
	if err := ctx.RegisterComponentResource("finance-rollout:index:Image", name, image, opts...); err != nil {
		return nil, err
	}
	imageArgs := &docker.ImageArgs{
		ImageName: pulumi.String(args.Name),
		Build: docker.DockerBuildArgs{
			Context:    pulumi.String(args.Build.Context),
			Dockerfile: pulumi.String(dockerfile(args.Build)),
			Target:     pulumi.String(args.Build.Target),
			Platform:   pulumi.String(args.Build.Platform),
		},
	}
	if args.Registry.Username != "" {
		imageArgs.Registry = docker.RegistryArgs{
			Server:   pulumi.String(args.Registry.Server),
			Username: pulumi.String(args.Registry.Username),
			Password: pulumi.ToSecret(pulumi.String(args.Registry.Password.Reveal())).(pulumi.StringOutput),
		}
	}
	built, err := docker.NewImage(ctx, name, imageArgs, pulumi.Parent(image))
	if err != nil {
		return nil, err
	}
	image.Ref = built.RepoDigest
	return image, ctx.RegisterResourceOutputs(image, pulumi.Map{"ref": image.Ref})
}

// dockerfile is the path of the Dockerfile as the Docker provider reads it: from the program's folder, and from the
// root of a context that is elsewhere.
func dockerfile(build settings.Build) string {
	if build.Dockerfile == "" || filepath.IsAbs(build.Dockerfile) || strings.Contains(build.Context, "://") {
		return build.Dockerfile
	}
	return filepath.Join(build.Context, build.Dockerfile)
}
