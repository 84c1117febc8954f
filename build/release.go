package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/build/internal/release"
)

// releaseCommand builds a release of the rollout command.
func releaseCommand(open opener) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Build the rollout command, its image and bills of materials twice, and write them if both are equal",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if err := c.builder().Provide(cmd.Context(), "cyclonedx-gomod"); err != nil {
				return err
			}
			if out == "" {
				out = c.local("release")
			}
			return release.Make(cmd.Context(), release.Options{
				Root: c.root, Out: out, Package: "./cmd/rollout", Name: "rollout", Platforms: release.Platforms,
				ImagePackage: "./cmd/guard", ImageName: "rollout-guard",
				VersionPackage: "github.com/vextrus/finance-rollout/internal/version",
				Source:         "https://github.com/vextrus/finance-rollout",
				Materials: func(ctx context.Context, binary, file string) error {
					_, err := run(ctx, c.root, c.binary("cyclonedx-gomod"), "bin", "-json", "-noserial", "-notimestamp", "-output",
						file, binary)
					return err
				},
				Say: func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) },
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the folder to write (default .local/release)")
	return cmd
}
