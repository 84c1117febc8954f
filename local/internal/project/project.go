// Package project derives a Pulumi project for the local cluster from the committed one: the same program and the
// same stacks, but for the short list of overrides that one small node forces, and generated secrets. The committed
// files stay untouched: the derived project is a separate folder whose Pulumi.yaml points back to the program.
package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"
)

// Stacks are the stacks of the project in the order in which a release goes through them.
var Stacks = []string{"staging", "production"}

const prefix = "finance-rollout:"

// Options describe the project to derive.
type Options struct {
	// Repo is the checkout with the committed project, Dir the folder to write.
	Repo, Dir string
	// Kubeconfig and Context name the cluster.
	Kubeconfig, Context string
	// Prometheus is the gates' Prometheus, in the form of the prometheus key.
	Prometheus string
	// Image is the release's image and StableImage that of the stable track.
	Image, StableImage string
	// Program is the compiled Pulumi program; empty to let Pulumi compile it when it changed, as the committed project
	// does.
	Program string
	// Guard is the image of the rollout command, for the guard; empty for none.
	Guard string
	// Suffix is appended to the names of the namespaces, so that two projects can share a cluster.
	Suffix string
	// WithoutBake leaves the bake out, for a cluster without traffic.
	WithoutBake bool
	// NodePorts are the node ports of the stacks' Services; a stack without one gets a ClusterIP Service.
	NodePorts map[string]int
	// Secrets are the secrets of every stack by their path, for example secrets.finance-db.password.
	Secrets map[string]string
}

// Pulumi runs the Pulumi CLI in the derived project with an input and returns its output.
type Pulumi func(ctx context.Context, input string, args ...string) (string, error)

// Write derives the project. It keeps the encrypted values of an existing stack file and rewrites everything else.
func Write(options Options) error {
	if err := os.MkdirAll(options.Dir, 0o755); err != nil {
		return fmt.Errorf("make the project folder: %w", err)
	}
	if err := options.writeProject(); err != nil {
		return err
	}
	for _, stack := range Stacks {
		if err := options.writeStack(stack); err != nil {
			return fmt.Errorf("derive stack %s: %w", stack, err)
		}
	}
	return nil
}

// Init creates the stacks in the backend and encrypts the secrets that are missing or differ. A
// secret goes to the CLI by its input: every user of the machine can read the arguments of a process.
func Init(ctx context.Context, options Options, pulumi Pulumi) error {
	for _, stack := range Stacks {
		if _, err := pulumi(ctx, "", "stack", "select", "--create", "--stack", stack); err != nil {
			return fmt.Errorf("make stack %s: %w", stack, err)
		}
		known, err := secrets(ctx, stack, pulumi)
		if err != nil {
			return err
		}
		for _, path := range slices.Sorted(maps.Keys(options.Secrets)) {
			if value := options.Secrets[path]; known[path] != value {
				if _, err := pulumi(ctx, value, "config", "set", "--secret", "--stack", stack, "--path", path); err != nil {
					return fmt.Errorf("encrypt %s of stack %s: %w", path, stack, err)
				}
			}
		}
	}
	return nil
}

// secrets reads the secrets of a stack by their path. Its errors contain nothing of the CLI's output.
func secrets(ctx context.Context, stack string, pulumi Pulumi) (map[string]string, error) {
	printed, err := pulumi(ctx, "", "config", "--show-secrets", "--json", "--stack", stack)
	if err != nil {
		return nil, fmt.Errorf("read the secrets of stack %s: %w", stack, err)
	}
	var config map[string]struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal([]byte(printed), &config); err != nil {
		return nil, fmt.Errorf("read the secrets of stack %s: what pulumi config printed is no JSON", stack)
	}
	values := map[string]string{}
	encoded := config[prefix+"secrets"].Value
	if encoded == "" {
		return values, nil
	}
	var named map[string]map[string]string
	if err := json.Unmarshal([]byte(encoded), &named); err != nil {
		return nil, fmt.Errorf("read the secrets of stack %s: they are no texts by name and key", stack)
	}
	for name, entries := range named {
		for key, value := range entries {
			values["secrets."+name+"."+key] = value
		}
	}
	return values, nil
}

func (o Options) writeProject() error {
	project, err := read(filepath.Join(o.Repo, "Pulumi.yaml"))
	if err != nil {
		return err
	}
	program, err := filepath.Rel(o.Dir, o.Repo)
	if err != nil {
		return fmt.Errorf("find the program from %s: %w", o.Dir, err)
	}
	project["main"] = program
	if o.Program != "" {
		project["runtime"] = map[string]any{"name": "go", "options": map[string]any{"binary": o.Program}}
	}
	return write(filepath.Join(o.Dir, "Pulumi.yaml"), project)
}

func (o Options) writeStack(stack string) error {
	file, err := read(filepath.Join(o.Repo, "Pulumi."+stack+".yaml"))
	if err != nil {
		return err
	}
	config, ok := file["config"].(map[string]any)
	if !ok {
		return errors.New("the committed file holds no config")
	}
	namespace, _ := config[prefix+"namespace"].(string)
	for _, override := range o.overrides(stack, namespace) {
		config[prefix+override.Key] = override.Value
	}
	path := filepath.Join(o.Dir, "Pulumi."+stack+".yaml")
	before, err := read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	keep(before, file)
	return write(path, file)
}

// keep copies the encrypted values of the existing file.
func keep(before, file map[string]any) {
	if salt, ok := before["encryptionsalt"]; ok {
		file["encryptionsalt"] = salt
	}
	if config, ok := before["config"].(map[string]any); ok && config[prefix+"secrets"] != nil {
		file["config"].(map[string]any)[prefix+"secrets"] = config[prefix+"secrets"]
	}
}

func read(path string) (map[string]any, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read project file: %w", err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	return file, nil
}

func write(path string, file map[string]any) error {
	raw, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, raw, 0o600)
}
