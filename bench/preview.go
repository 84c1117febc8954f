package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

// pulumi times the CLI.
type pulumi struct{ measure.Shell }

// preview previews a stack without changes and returns how long that took.
func (p pulumi) preview(ctx context.Context, stack string) (time.Duration, error) {
	return measure.Time(func() error {
		_, err := p.Pulumi(ctx, "preview", "--expect-no-changes", "--suppress-progress", "--color", "never", "--stack", stack)
		return err
	})
}

// build builds a program whose packages are compiled and returns how long that took, which is mostly linking.
func (p pulumi) build(ctx context.Context, pkg string) (time.Duration, error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	command := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, "program"), pkg)
	command.Dir = p.Root
	start := time.Now()
	if output, err := command.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build %s: %w\n%s", pkg, err, output)
	}
	return time.Since(start), nil
}

// measurePreviews previews the production stack and the empty program in turn, so that other load on the machine
// affects both.
func measurePreviews(ctx context.Context, production pulumi, runs int) (report, error) {
	empty := pulumi{measure.Shell{Root: production.Root, Project: filepath.Join(production.Root, ".local", "bench")}}
	if _, err := production.preview(ctx, "production"); err != nil {
		return report{}, fmt.Errorf("the demo's production stack is not deployed as configured: run `make "+
			"demo` first: %w", err)
	}
	if err := deployEmpty(ctx, empty); err != nil {
		return report{}, errors.Join(err, destroyEmpty(ctx, empty))
	}
	measured, err := alternate(ctx, production, empty, runs)
	return measured, errors.Join(err, destroyEmpty(ctx, empty))
}

func alternate(ctx context.Context, production, empty pulumi, runs int) (report, error) {
	if _, err := empty.preview(ctx, "bench"); err != nil {
		return report{}, err
	}
	var measured report
	for i := range runs {
		fmt.Fprintf(os.Stderr, "\rpreview %d of %d ", i+1, runs)
		for _, measure := range []struct {
			into     *[]time.Duration
			timeOnce func() (time.Duration, error)
		}{
			{&measured.Production, func() (time.Duration, error) { return production.preview(ctx, "production") }},
			{&measured.Empty, func() (time.Duration, error) { return empty.preview(ctx, "bench") }},
			{&measured.ProductionBuild, func() (time.Duration, error) { return production.build(ctx, ".") }},
			{&measured.EmptyBuild, func() (time.Duration, error) { return production.build(ctx, "./bench/empty") }},
		} {
			took, err := measure.timeOnce()
			if err != nil {
				return report{}, err
			}
			*measure.into = append(*measure.into, took)
		}
	}
	fmt.Fprintln(os.Stderr)
	return measured, nil
}

// deployEmpty creates the empty program's project, with its own state, and deploys its ConfigMap.
func deployEmpty(ctx context.Context, empty pulumi) error {
	if err := os.MkdirAll(filepath.Join(empty.Project, "state"), 0o755); err != nil {
		return err
	}
	definition, err := emptyProject(empty)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(empty.Project, "Pulumi.yaml"), definition, 0o644); err != nil {
		return err
	}
	if _, err := empty.Pulumi(ctx, "stack", "select", "--create", "--stack", "bench"); err != nil {
		return err
	}
	_, err = empty.Pulumi(ctx, "up", "--yes", "--skip-preview", "--stack", "bench")
	return err
}

// emptyProject returns the Pulumi.yaml of the empty program. Both programs are built in the same way: if the product's
// project has a build target, so has this one.
func emptyProject(empty pulumi) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(empty.Root, "Pulumi.yaml"))
	if err != nil {
		return nil, err
	}
	var product struct {
		Runtime any `json:"runtime"`
	}
	if err := yaml.Unmarshal(raw, &product); err != nil {
		return nil, fmt.Errorf("parse Pulumi.yaml: %w", err)
	}
	runtime, _ := product.Runtime.(map[string]any)
	if options, ok := runtime["options"].(map[string]any); ok && options["buildTarget"] != nil {
		options["buildTarget"] = filepath.Join(empty.Project, "program")
	}
	program, err := filepath.Rel(empty.Project, filepath.Join(empty.Root, "bench", "empty"))
	if err != nil {
		return nil, err
	}
	return yaml.Marshal(map[string]any{"name": "finance-rollout-bench", "runtime": product.Runtime, "main": program})
}

// destroyEmpty removes the ConfigMap, also after an interrupt.
func destroyEmpty(ctx context.Context, empty pulumi) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	_, err := empty.Pulumi(ctx, "destroy", "--yes", "--skip-preview", "--remove", "--stack", "bench")
	return err
}
