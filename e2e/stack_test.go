//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is the local cluster as the tests see it.
type cluster struct {
	root string // the checkout
	dir  string // the folder of the derived project
	// staging and production are the namespaces of the stacks, nodePort is the port of 127.0.0.1 that reaches production.
	staging, production string
	nodePort            int

	env        []string
	kubernetes kubernetes.Interface
	// logged is everything that the commands of the tests printed.
	logged bytes.Buffer
}

// open derives stacks for a test on the cluster that the environment of `make e2e` describes. The suffix of the
// namespaces and the two node ports from nodePort on keep them apart from those of the demo and of other tests.
func open(t *testing.T, suffix string, nodePort int) *cluster {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" || os.Getenv("PULUMI_CONFIG_PASSPHRASE") == "" {
		t.Fatal("the environment does not describe the local cluster: run `make e2e`, or `make cluster` and `. " +
			".local/env` first")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".local", strings.TrimPrefix(suffix, "-"))
	c := &cluster{
		root: root, dir: dir, kubernetes: client, nodePort: nodePort,
		staging: "vextrus-staging" + suffix, production: "vextrus-production" + suffix,
	}
	c.env = append(os.Environ(), "PULUMI_OPTION_CWD="+dir, "PULUMI_BACKEND_URL=file://"+filepath.Join(dir, "state"))
	c.destroyLeftovers(t)
	if output, err := c.run(t, filepath.Join(root, ".local", "bin", "local"), "stacks", "--root", root, "--dir", dir,
		"--suffix", suffix, "--node-port", fmt.Sprint(nodePort)); err != nil {
		t.Fatalf("derive stacks: %v\n%s", err, output)
	}
	return c
}

// destroyLeftovers removes what a killed run left behind.
func (c *cluster) destroyLeftovers(t *testing.T) {
	t.Helper()
	if output, err := c.run(t, "kubectl", "delete", "namespace", "--ignore-not-found", c.staging, c.production,
		"--timeout=120s"); err != nil {
		t.Fatalf("remove leftovers: %v\n%s", err, output)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
}

// run runs a command and gives all that it printed.
func (c *cluster) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	// Cleaning up goes on when the test has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 8*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Env = c.root, c.env
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 30 * time.Second
	output, err := command.CombinedOutput()
	c.logged.Write(output)
	return string(output), err
}

func (c *cluster) pulumi(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return c.run(t, "pulumi", append([]string{"--color", "never", "--non-interactive"}, args...)...)
}

// up updates a stack and fails the test when the update fails.
func (c *cluster) up(t *testing.T, stack string) string {
	t.Helper()
	output, err := c.pulumi(t, "up", "--stack", stack, "--yes", "--skip-preview")
	if err != nil {
		t.Fatalf("pulumi up -s %s: %v\n%s", stack, err, tail(output))
	}
	return output
}

// latchEntry finds the number of the latch in the text of a refusal.
var latchEntry = regexp.MustCompile(`latch\.release (\d+)`)

// releaseLatch lets the image in again that the refusal tells of, and updates the production stack.
func (c *cluster) releaseLatch(t *testing.T, refusal string) string {
	t.Helper()
	found := latchEntry.FindStringSubmatch(refusal)
	if found == nil {
		t.Fatalf("the refusal does not say how to release the latch:\n%s", tail(refusal))
	}
	c.config(t, "latch.release", found[1])
	c.config(t, "latch.reason", "the test mended it")
	output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview")
	if err != nil {
		t.Fatalf("pulumi up -s production: %v\n%s", err, tail(output))
	}
	return output
}

// refused updates the production stack, expects the update to fail, and expects the output to hold each of the words.
func (c *cluster) refused(t *testing.T, words ...string) string {
	t.Helper()
	output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview")
	if err == nil {
		t.Fatalf("pulumi up -s production passed:\n%s", tail(output))
	}
	for _, word := range words {
		if !strings.Contains(output, word) {
			t.Errorf("pulumi up -s production does not say %q:\n%s", word, tail(output))
		}
	}
	return output
}

// set changes a configuration value of the production stack by its path and restores it when the test ends.
func (c *cluster) set(t *testing.T, path, value string) {
	t.Helper()
	c.config(t, path, value)
	t.Cleanup(func() {
		if output, err := c.pulumi(t, "config", "rm", "--stack", "production", "--path", path); err != nil {
			t.Errorf("restore %s: %v\n%s", path, err, output)
		}
	})
}

func (c *cluster) config(t *testing.T, path, value string) {
	t.Helper()
	if output, err := c.pulumi(t, "config", "set", "--stack", "production", "--path", path, "--", value); err != nil {
		t.Fatalf("pulumi config set %s %s: %v\n%s", path, value, err, output)
	}
}

// outputs gives the outputs of the production stack.
func (c *cluster) outputs(t *testing.T) map[string]any {
	t.Helper()
	text, err := c.pulumi(t, "stack", "output", "--stack", "production", "--json")
	if err != nil {
		t.Fatalf("pulumi stack output: %v\n%s", err, text)
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		t.Fatalf("outputs: %v\n%s", err, text)
	}
	return values
}

// tail keeps the end of a long output, where the diagnostics are.
func tail(output string) string {
	const most = 8000
	if len(output) > most {
		return "…" + output[len(output)-most:]
	}
	return output
}
