package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/build/images"
	"github.com/vextrus/finance-rollout/local/internal/cluster"
	"github.com/vextrus/finance-rollout/local/internal/process"
	"github.com/vextrus/finance-rollout/local/internal/registry"
)

func pushCommand(open opener) *cobra.Command {
	var binary, name, tag, entrypoint string
	cmd := &cobra.Command{
		Use:     "push --binary FILE --name REPOSITORY --tag TAG",
		Short:   "Make an image from a static binary, push it to the local registry and print its reference by digest",
		Example: "  local push --binary bin/finance-service --name vextrus/finance --tag week1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			if entrypoint == "" {
				entrypoint = "/bin/" + filepath.Base(binary)
			}
			if !path.IsAbs(entrypoint) {
				return fmt.Errorf("--entrypoint %q: give an absolute path inside the image, such as /bin/%s", entrypoint,
					filepath.Base(binary))
			}
			built, err := images.Image{Binary: binary, Path: entrypoint}.Build()
			if err != nil {
				return err
			}
			reference, err := registry.Push(cmd.Context(), built, cluster.Registry, name, tag)
			if err != nil {
				return fmt.Errorf("%w; check that the local cluster runs with `make status` in %s", err, c.Root())
			}
			fmt.Fprintln(cmd.OutOrStdout(), reference)
			return nil
		},
	}
	cmd.Flags().StringVar(&binary, "binary", "", "the statically linked program")
	cmd.Flags().StringVar(&name, "name", "", "the repository in the registry, for example vextrus/finance")
	cmd.Flags().StringVar(&tag, "tag", "latest", "the tag")
	cmd.Flags().StringVar(&entrypoint, "entrypoint", "", "the program's path in the image (default /bin/<file name>)")
	for _, required := range []string{"binary", "name"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// registryCommand runs in the background; up starts it.
func registryCommand() *cobra.Command {
	var listen, dir string
	cmd := &cobra.Command{
		Use:    "registry",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			handler, err := registry.New(dir, log.New(os.Stderr, "", log.LstdFlags))
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return err
			}
			server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
			go func() {
				<-cmd.Context().Done()
				_ = server.Close()
			}()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", cluster.RegistryListen, "address")
	cmd.Flags().StringVar(&dir, "dir", "", "where images are kept")
	return cmd
}

// launchCommand becomes one of the cluster's background processes.
func launchCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "launch REQUEST",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return process.Launch(args[0]) },
	}
}
