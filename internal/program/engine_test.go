//go:build e2e

package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// plugins is the folder of the plugins that stand in for the providers.
var plugins = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join("..", "..", ".local", "e2e", "plugins"))
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "pulumi-resource-docker")
	if output, err := exec.Command("go", "build", "-o", binary, "../testkit/plugin").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the plugins: %w\n%s", err, output)
	}
	for _, name := range []string{"docker-build", "kubernetes"} {
		link := filepath.Join(dir, "pulumi-resource-"+name)
		_ = os.Remove(link)
		if err := os.Link(binary, link); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// engine runs a program by the real Pulumi engine, with plugins that stand in for the providers.
type engine struct {
	// dir is the program's folder, backend that of the state.
	dir, backend string
	stack        auto.Stack
}

// newEngine makes a stack of the program. The variables are added to those that the engine and the plugins have.
func newEngine(t *testing.T, stack string, program pulumi.RunFunc, variables map[string]string) *engine {
	t.Helper()
	if _, err := exec.LookPath("pulumi"); err != nil {
		t.Fatalf("no Pulumi CLI: run `make e2e`, or put .local/bin on the PATH: %v", err)
	}
	folder, err := plugins()
	if err != nil {
		t.Fatal(err)
	}
	dir, state := t.TempDir(), t.TempDir()
	environment := map[string]string{
		"PATH":               folder + string(os.PathListSeparator) + os.Getenv("PATH"),
		"PULUMI_BACKEND_URL": "file://" + state, "PULUMI_CONFIG_PASSPHRASE": "of a test", "PULUMI_SKIP_UPDATE_CHECK": "true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", "PULUMI_OPTION_CWD": dir,
	}
	maps.Copy(environment, variables)
	// Without a folder of its own, the engine takes that of the process for the program's.
	settings := workspace.Project{Name: tokens.PackageName(project), Main: dir,
		Runtime: workspace.NewProjectRuntimeInfo("go", nil)}
	made, err := auto.UpsertStackInlineSource(t.Context(), stack, project, program, auto.WorkDir(dir),
		auto.PulumiHome(state), auto.EnvVars(environment), auto.Project(settings))
	if err != nil {
		t.Fatal(err)
	}
	return &engine{dir: dir, backend: state, stack: made}
}

// configure sets the configuration of the stack's only rollout; the keys after it are encrypted.
func (e *engine) configure(t *testing.T, config map[string]string, secret ...string) {
	t.Helper()
	whole, keys := map[string]string{}, []string{}
	for key, value := range config {
		whole[project+":"+key] = value
	}
	for _, key := range secret {
		keys = append(keys, project+":"+key)
	}
	e.configureAll(t, whole, keys...)
}

// configureAll sets configuration by its keys with their namespaces.
func (e *engine) configureAll(t *testing.T, config map[string]string, secret ...string) {
	t.Helper()
	values := auto.ConfigMap{}
	for key, value := range config {
		values[key] = auto.ConfigValue{Value: value, Secret: slices.Contains(secret, key)}
	}
	if err := e.stack.SetAllConfig(t.Context(), values); err != nil {
		t.Fatal(err)
	}
}

// up updates the stack, and gives all that was printed.
func (e *engine) up(t *testing.T) (string, error) {
	t.Helper()
	var output bytes.Buffer
	_, err := e.stack.Up(t.Context(), optup.ProgressStreams(&output), optup.ErrorProgressStreams(&output),
		optup.Color("never"))
	return output.String(), err
}

// mustUp updates the stack, and fails the test if the update fails.
func (e *engine) mustUp(t *testing.T) string {
	t.Helper()
	output, err := e.up(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return output
}

// preview previews an update, and gives all that was printed.
func (e *engine) preview(t *testing.T, options ...optpreview.Option) (string, error) {
	t.Helper()
	var output bytes.Buffer
	_, err := e.stack.Preview(t.Context(), append(options, optpreview.ProgressStreams(&output),
		optpreview.ErrorProgressStreams(&output), optpreview.Color("never"))...)
	return output.String(), err
}

func (e *engine) destroy(t *testing.T) (string, error) {
	t.Helper()
	var output bytes.Buffer
	_, err := e.stack.Destroy(t.Context(), optdestroy.ProgressStreams(&output), optdestroy.ErrorProgressStreams(&output),
		optdestroy.Color("never"))
	return output.String(), err
}

// output is one of the stack's outputs, as a text.
func (e *engine) output(t *testing.T, name string) string {
	t.Helper()
	var stored struct {
		Checkpoint struct {
			Latest struct {
				Resources []struct {
					Type    string         `json:"type"`
					Outputs map[string]any `json:"outputs"`
				} `json:"resources"`
			} `json:"latest"`
		} `json:"checkpoint"`
	}
	if err := json.Unmarshal([]byte(e.state(t)), &stored); err != nil {
		t.Fatal(err)
	}
	for _, each := range stored.Checkpoint.Latest.Resources {
		if each.Type == "pulumi:pulumi:Stack" {
			text, _ := each.Outputs[name].(string)
			return text
		}
	}
	return ""
}

// state is the stack's state as it is stored, with its secrets encrypted.
func (e *engine) state(t *testing.T) string {
	t.Helper()
	stored, err := os.ReadFile(filepath.Join(e.backend, ".pulumi", "stacks", project, e.stack.Name()+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(stored)
}

// answering is a cluster whose Deployments all have one pod, which answers every request well.
type answering struct {
	*shifttest.Cluster
	pods *httptest.Server
}

func newAnswering(t *testing.T) *answering {
	t.Helper()
	pods := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	}))
	t.Cleanup(pods.Close)
	return &answering{Cluster: shifttest.New(), pods: pods}
}

// ReadyPods implements Cluster.
func (a *answering) ReadyPods(_ context.Context, namespace, deployment string) ([]corev1.Pod, error) {
	return []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: deployment + "-0"}}}, nil
}

// PodClient implements Cluster.
func (a *answering) PodClient(context.Context, string, string, int) (client *http.Client, address string, done func(),
	err error) {
	return a.pods.Client(), a.pods.URL, func() {}, nil
}

// suiteOf writes a smoke suite of one check, and gives its path.
func suiteOf(t *testing.T) string {
	t.Helper()
	const suite = `name: one-check
description: the pod answers
maxRequests: 10
timeout: 5s
checks:
  - name: health
    description: the process answers
    request: {path: /health}
    expect: {status: [200]}
`
	path := filepath.Join(t.TempDir(), "suite.yaml")
	if err := os.WriteFile(path, []byte(suite), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func has(t *testing.T, output string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(output, word) {
			t.Errorf("no %q in\n%s", word, output)
		}
	}
}
