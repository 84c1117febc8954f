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
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is the local cluster with the stacks of one test.
type cluster struct {
	root string // the checkout
	dir  string // the folder of the derived project
	// staging and production are the namespaces of the stacks; production answers at nodePort of 127.0.0.1.
	staging, production string
	nodePort            int
	// app is the service that production rolls out.
	app string

	env        []string
	kubernetes kubernetes.Interface
	// logged collects everything that the commands of the test print.
	logged bytes.Buffer
}

// derived returns the folder of the stacks that every test copies. All tests share the images, the configuration, the
// encrypted secrets and one compiled program.
var derived = sync.OnceValues(func() (dir string, err error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(root, ".local", "e2e", "derived")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	command := exec.Command(filepath.Join(root, ".local", "bin", "local"), "stacks", "--root", root, "--dir", dir,
		"--suffix", "-derived", "--node-port", "30100", "--compiled")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("derive stacks: %w\n%s", err, output)
	}
	return dir, nil
})

// open creates the stacks of a test on the cluster that the environment of `make e2e` describes. Namespaces that end in
// the name, and the node ports nodePort and nodePort+1, keep them apart from the demo's stacks and from other tests'.
func open(t *testing.T, name string, nodePort int) *cluster {
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
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, ".local", "e2e", name)
	c := &cluster{
		root: root, dir: dir, kubernetes: client, nodePort: nodePort, app: "finance-service",
		staging: "vextrus-staging-" + name, production: "vextrus-production-" + name,
	}
	c.env = append(os.Environ(), "PULUMI_OPTION_CWD="+dir, "PULUMI_BACKEND_URL=file://"+filepath.Join(dir, "state"))
	c.deleteNamespaces(t, true)
	c.copyStacks(t)
	t.Cleanup(func() {
		c.deleteNamespaces(t, false)
		if !t.Failed() {
			_ = os.RemoveAll(dir) // what stays is removed by the next run
		}
	})
	return c
}

// copyStacks copies the derived stacks and gives them namespaces and node ports of their own.
func (c *cluster) copyStacks(t *testing.T) {
	t.Helper()
	source, err := derived()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(c.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(c.dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	for stack, namespace := range map[string]string{"staging": c.staging, "production": c.production} {
		c.configOf(t, stack, "namespace", namespace)
	}
	suite := c.patientSuite(t)
	for _, stack := range []string{"staging", "production"} {
		c.configOf(t, stack, "smoke.suite", suite)
	}
	c.configOf(t, "production", "service.nodePort", fmt.Sprint(c.nodePort))
	c.configOf(t, "staging", "service.nodePort", fmt.Sprint(c.nodePort+1))
}

// patientSuite writes the smoke suite with another limit of its latency check, which measures from this machine and
// would fail healthy pods while other tests keep the processors busy. It returns the file's path.
func (c *cluster) patientSuite(t *testing.T) string {
	t.Helper()
	suite, err := os.ReadFile(filepath.Join(c.root, "internal", "smoke", "suites", "finance-service.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const limit = "percentile: 95, max: 500ms"
	if !bytes.Contains(suite, []byte(limit)) {
		t.Fatalf("the smoke suite does not contain %q", limit)
	}
	path := filepath.Join(c.dir, "finance-service.yaml")
	patient := bytes.ReplaceAll(suite, []byte(limit), []byte("percentile: 95, max: 5s"))
	if err := os.WriteFile(path, patient, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// deleteNamespaces removes the test's stacks from the cluster, also those that a killed run left behind.
func (c *cluster) deleteNamespaces(t *testing.T, wait bool) {
	t.Helper()
	if output, err := c.run(t, "kubectl", "delete", "namespace", "--ignore-not-found", c.staging, c.production,
		"--timeout=180s", fmt.Sprintf("--wait=%t", wait)); err != nil {
		t.Fatalf("delete the namespaces: %v\n%s", err, output)
	}
}

// run runs a command and returns everything that it printed.
func (c *cluster) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	// Cleanup commands run after the test's context has ended.
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

// update updates a stack. A gate that could not look is asked again once, as its error says: Prometheus can lose a new
// pod when its configuration is loaded anew at the same moment, which the stacks of other tests make it do.
func (c *cluster) update(t *testing.T, stack string) (string, error) {
	t.Helper()
	up := []string{"up", "--stack", stack, "--yes", "--skip-preview"}
	output, err := c.pulumi(t, up...)
	if err != nil && strings.Contains(output, "verdict error") && strings.Contains(output, "is the pod still scraped?") {
		t.Logf("Prometheus does not scrape a pod; the gate looks again:\n%s", tail(output))
		output, err = c.pulumi(t, up...)
	}
	return output, err
}

// up updates a stack, fails the test if the update fails, and returns its output.
func (c *cluster) up(t *testing.T, stack string) string {
	t.Helper()
	output, err := c.update(t, stack)
	if err != nil {
		t.Fatalf("pulumi up -s %s: %v\n%s", stack, err, tail(output))
	}
	return output
}

// latchEntry matches the number of the latch in a refusal.
var latchEntry = regexp.MustCompile(`latch\.release (\d+)`)

// releaseLatch releases the latch that the refusal names and updates the production stack.
func (c *cluster) releaseLatch(t *testing.T, refusal string) string {
	t.Helper()
	groups := latchEntry.FindStringSubmatch(refusal)
	if groups == nil {
		t.Fatalf("the refusal does not say how to release the latch:\n%s", tail(refusal))
	}
	c.config(t, "latch.release", groups[1])
	c.config(t, "latch.reason", "the test fixed it")
	output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview")
	if err != nil {
		t.Fatalf("pulumi up -s production: %v\n%s", err, tail(output))
	}
	return output
}

// refused updates the production stack, which must fail, checks that the output contains each of the words, and returns
// it.
func (c *cluster) refused(t *testing.T, words ...string) string {
	t.Helper()
	output, err := c.update(t, "production")
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

// outputs returns the outputs of the production stack.
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

// tail returns the end of a long output, where the diagnostics are.
func tail(output string) string {
	const most = 8000
	if len(output) > most {
		return "…" + output[len(output)-most:]
	}
	return output
}
