//go:build chaos

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"sigs.k8s.io/yaml"
)

// stacks is a project's folder with the stack, its encrypted secret and an empty state, which every world copies.
var stacks = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "chaos-stacks-")
	if err != nil {
		return "", err
	}
	for _, part := range []string{"state", "home"} {
		if err := os.Mkdir(filepath.Join(dir, part), 0o700); err != nil {
			return "", err
		}
	}
	if err := writeProject(dir); err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"stack", "init", stackName},
		{"config", "set", "--stack", stackName, "--secret", "--path", "secrets.db.password", "s3cr3t-of-the-test"},
	} {
		command := exec.Command(executable("pulumi"), append([]string{"--non-interactive"}, args...)...)
		command.Dir, command.Env = dir, environment(dir)
		if output, err := command.CombinedOutput(); err != nil {
			return "", fmt.Errorf("pulumi %v (`make chaos` builds the tools): %w\n%s", args, err, output)
		}
	}
	return dir, nil
})

// configuration is the stack's at the beginning: v2 is to enter at 10 %.
var configuration = map[string]any{
	"app": app, "namespace": namespace, "week": 1, "canaryWeight": "10", "replicas": 10,
	"image": imageOf("2"), "stableImage": imageOf("1"),
	"staging": map[string]any{"required": false},
	// Nothing answers there.
	"prometheus": "http://127.0.0.1:1",
	"monitoring": map[string]any{"enabled": false},
	"bake":       map[string]any{"duration": "0s"},
	"floors":     map[string]any{"bake": "0s", "reason": "no Prometheus in this test"},
	"env":        map[string]any{"FLAG": "0"},
	"secretEnv":  map[string]any{"PASSWORD": "db/password"},
	"smoke":      map[string]any{"suite": "smoke.yaml", "tokenFrom": "", "originFrom": ""},
}

const smokeSuite = `name: orders
description: the service answers
maxRequests: 10
checks:
  - name: liveness
    description: the process answers
    request: {path: /health/live}
    expect: {status: [200]}
`

// writeProject writes the project with the program that this binary holds. A module without dependencies beside it
// keeps the language host from listing all modules at every update.
func writeProject(dir string) error {
	checkout, err := root()
	if err != nil {
		return err
	}
	own, err := binaries()
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(checkout, "Pulumi.yaml"))
	if err != nil {
		return err
	}
	var project map[string]any
	if err := yaml.Unmarshal(raw, &project); err != nil {
		return err
	}
	project["runtime"] = map[string]any{"name": "go",
		"options": map[string]any{"binary": filepath.Join(own, programName)}}
	config := map[string]any{}
	for key, value := range configuration {
		config["finance-rollout:"+key] = value
	}
	for name, content := range map[string]any{"Pulumi.yaml": project,
		"Pulumi." + stackName + ".yaml": map[string]any{"config": config}} {
		text, err := yaml.Marshal(content)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"smoke.yaml": smokeSuite, "go.mod": "module chaos\n\ngo 1.26\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
