// Command plugin stands in for Pulumi's resource plugins in tests that run the real engine. The name that it is called
// by says for which:
//
//   - pulumi-resource-docker and pulumi-resource-docker-build build and push images through a real Docker daemon, by
//     the rules of those providers that matter to a program: where they look for the Dockerfile, what they ask of the
//     machine, when they build again, what they report, and what a preview knows. They know the classic builder alone:
//     no cache, no platform, and no secret reaches a build.
//   - pulumi-resource-kubernetes takes every object as it is, and reports it back. It has no cluster.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func main() {
	if err := serve(strings.TrimPrefix(filepath.Base(os.Args[0]), "pulumi-resource-")); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// serve tells the engine its port on standard output, and ends with the engine.
func serve(name string) error {
	server, err := serverOf(name)
	if err != nil {
		return err
	}
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Init: func(s *grpc.Server) error {
			pulumirpc.RegisterResourceProviderServer(s, server)
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}

func serverOf(name string) (pulumirpc.ResourceProviderServer, error) {
	switch name {
	case "docker":
		return &images{daemon: newDaemon(os.Getenv("DOCKER_HOST")), rules: docker{}}, nil
	case "docker-build":
		return &images{daemon: newDaemon(os.Getenv("DOCKER_HOST")), rules: dockerBuild{}}, nil
	case "kubernetes":
		return &mirror{}, nil
	}
	return nil, fmt.Errorf("no plugin is called %q", name)
}
