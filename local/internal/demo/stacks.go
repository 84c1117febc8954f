// Package demo brings the example service onto a cluster through the Pulumi program, with the commands that a user
// types, and sums up what happened. It talks to the program only through the Pulumi CLI.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vextrus/finance-rollout/build/images"
	"github.com/vextrus/finance-rollout/build/progress"
	"github.com/vextrus/finance-rollout/build/toolchain"
	"github.com/vextrus/finance-rollout/local/internal/cluster"
	"github.com/vextrus/finance-rollout/local/internal/project"
	"github.com/vextrus/finance-rollout/local/internal/registry"
)

// NodePorts are the ports of 127.0.0.1 that reach the stacks' Services.
var NodePorts = map[string]int{"staging": 30081, "production": 30080}

const (
	repository = "vextrus/finance"
	origin     = "https://app.vextrus.example"
)

// Demo is the demo in one checkout.
type Demo struct {
	Cluster  *cluster.Cluster
	Root     string
	Progress *progress.Reporter
	Out      io.Writer
	// Dir is the folder of the derived project, by default .local/project. With another one, Suffix, Ports and Backend
	// keep its stacks apart from those of the demo.
	Dir, Suffix, Backend string
	Ports                map[string]int
	// Compiled makes updates run the program as Prepare compiles it, without asking go whether it has changed.
	Compiled bool
}

// Prepare provides everything that `pulumi up` needs: the compiled program, the example's images in the registry, the
// derived project and its stacks.
func (d *Demo) Prepare(ctx context.Context) error {
	program := filepath.Join(d.Root, "bin", "finance-rollout")
	if d.Dir == "" {
		d.Dir, d.Ports = d.Cluster.Dir("project"), NodePorts
	}
	err := d.Progress.Run("compile the Pulumi program and the rollout command", func(*progress.Task) error {
		if err := d.compile(ctx, program, "", "."); err != nil {
			return err
		}
		return d.compile(ctx, d.Cluster.Binary("rollout"), "-s -w", "./cmd/rollout")
	})
	if err != nil {
		return err
	}
	options, err := d.options(ctx)
	if err != nil {
		return err
	}
	if d.Compiled {
		options.Program = program
	}
	return d.Progress.Run("derive the stacks", func(*progress.Task) error { return d.writeStacks(ctx, options) })
}

func (d *Demo) options(ctx context.Context) (project.Options, error) {
	secrets, err := d.secrets()
	if err != nil {
		return project.Options{}, err
	}
	options := project.Options{
		Repo: d.Root, Dir: d.Dir, Suffix: d.Suffix,
		Kubeconfig: d.Cluster.Kubeconfig(), Context: cluster.Name,
		Prometheus: "monitoring/prometheus-operated:9090", NodePorts: d.Ports, Secrets: secrets,
	}
	err = d.Progress.Run("build and push the example service", func(*progress.Task) error {
		if options.StableImage, err = d.push(ctx, "v1"); err != nil {
			return err
		}
		options.Image, err = d.push(ctx, "v2")
		return err
	})
	if err != nil {
		return options, err
	}
	err = d.Progress.Run("build and push the guard", func(*progress.Task) error {
		options.Guard, err = d.pushGuard(ctx)
		return err
	})
	return options, err
}

// push builds a version of the example service and pushes it to the local registry. The reference is by digest.
func (d *Demo) push(ctx context.Context, version string) (string, error) {
	return d.pushTo(ctx, cluster.Registry, repository, version)
}

func (d *Demo) pushTo(ctx context.Context, host, name, version string) (string, error) {
	binary := d.Cluster.Binary("finance-service-" + version)
	if err := d.compile(ctx, binary, "-s -w -X main.version="+version, "./examples/finance-service"); err != nil {
		return "", err
	}
	built, err := images.Image{Binary: binary, Path: "/bin/finance-service"}.Build()
	if err != nil {
		return "", fmt.Errorf("image of %s: %w", binary, err)
	}
	return registry.Push(ctx, built, host, name, version)
}

// pushGuard builds the guard's image and pushes it to the local registry.
func (d *Demo) pushGuard(ctx context.Context) (string, error) {
	binary := d.Cluster.Binary("rollout-guard")
	if err := d.compile(ctx, binary, "-s -w", "./cmd/guard"); err != nil {
		return "", err
	}
	built, err := images.Image{Binary: binary, Path: "/bin/rollout", Roots: true}.Build()
	if err != nil {
		return "", fmt.Errorf("image of %s: %w", binary, err)
	}
	return registry.Push(ctx, built, cluster.Registry, "vextrus/rollout", "local")
}

func (d *Demo) compile(ctx context.Context, output, linkerFlags, pkg string) error {
	args := []string{"build", "-buildvcs=false"}
	if linkerFlags != "" {
		args = append(args, "-ldflags", linkerFlags)
	}
	command := exec.CommandContext(ctx, "go", append(args, "-o", output, pkg)...)
	command.Dir = d.Root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", toolchain.CompilerMemory())
	if message, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("compile %s: %w\n%s", pkg, err, message)
	}
	return nil
}

func (d *Demo) secrets() (map[string]string, error) {
	values := map[string]string{ //nolint:gosec // names; the values that are secret come below
		"secrets.finance-db.host":                       "postgres.data.svc",
		"secrets.finance-db.username":                   cluster.DatabaseUser,
		"secrets.finance-secrets.eventstore-connection": "memory://",
		"secrets.finance-secrets.cors-origin":           origin,
	}
	for path, name := range map[string]string{
		"secrets.finance-db.password":        "postgres-password",
		"secrets.finance-secrets.jwt-secret": "jwt-secret",
		// The example encrypts nothing: any value will do.
		"secrets.finance-secrets.encryption-key": "jwt-secret",
	} {
		value, err := d.Cluster.Secret(name)
		if err != nil {
			return nil, err
		}
		values[path] = value
	}
	return values, nil
}

func (d *Demo) writeStacks(ctx context.Context, options project.Options) error {
	if err := project.Write(options); err != nil {
		return err
	}
	return project.Init(ctx, options, d.pulumiWith)
}

// pulumi runs the Pulumi CLI in the environment of .local/env and returns its output.
func (d *Demo) pulumi(ctx context.Context, args ...string) (string, error) {
	return d.pulumiWith(ctx, "", args...)
}

// pulumiWith runs the Pulumi CLI with an input.
func (d *Demo) pulumiWith(ctx context.Context, input string, args ...string) (string, error) {
	var output, problem bytes.Buffer
	command := d.command(ctx, "pulumi", args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &output, &problem
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("pulumi %s: %w\n%s%s", args[0], err, output.String(), problem.String())
	}
	return output.String(), nil
}

// run runs a command with its output.
func (d *Demo) run(ctx context.Context, stdout, stderr io.Writer, name string, args ...string) error {
	command := d.command(ctx, name, args...)
	command.Stdout, command.Stderr = stdout, stderr
	return command.Run()
}

// command is one in the environment of .local/env, as a user's shell has it.
func (d *Demo) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	words := []string{"-c", `. "$0" && exec env "$@"`, d.Cluster.EnvFile()}
	if d.Backend != "" {
		words = append(words, "PULUMI_BACKEND_URL="+d.Backend, "PULUMI_OPTION_CWD="+d.Dir)
	}
	command := exec.CommandContext(ctx, "sh", append(append(words, name), args...)...)
	command.Dir = d.Root
	// An interrupted `pulumi up` is given the time to write its state.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	return command
}
