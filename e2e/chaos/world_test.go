//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

const (
	app       = "orders"
	namespace = "orders"
	stackName = "production"
	owner     = "finance-rollout/" + stackName
)

// imageOf is a version of the service.
func imageOf(version string) string {
	return "orders@sha256:" + strings.Repeat(version, 64)
}

// world is a stack with its cluster, and another cluster that it does not belong to.
type world struct {
	*cluster.Cluster
	t         *testing.T
	elsewhere *cluster.Cluster
	dir       string
	env       []string
	// onWrite is called before the cluster carries a write out; nil for none.
	onWrite atomic.Pointer[func()]
	// exported is the state that the last export wrote; empty before the first one.
	exported string
	// log is what the steps printed.
	log strings.Builder
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), Cluster: newCluster(t, "the-cluster"), elsewhere: newCluster(t, "elsewhere")}
	source, err := stacks()
	w.must(err)
	w.must(os.CopyFS(w.dir, os.DirFS(source)))
	w.env = append(environment(w.dir), "KUBECONFIG="+w.kubeconfig("main"))
	w.React("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		switch action.GetVerb() {
		case "create", "update", "patch", "delete":
			if action.GetResource().Resource == "selfsubjectreviews" {
				break
			}
			if call := w.onWrite.Load(); call != nil {
				(*call)()
			}
		}
		return false, nil, nil
	})
	return w
}

// newCluster is a cluster whose pods answer the smoke suite.
func newCluster(t *testing.T, uid types.UID) *cluster.Cluster {
	t.Helper()
	c := cluster.New(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: uid}})
	fine := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	for _, release := range []string{names.Stable, "week1", "week2", "week3", "week4"} {
		c.HandlePod(namespace, app+"-"+release, fine)
	}
	return c
}

// kubeconfig writes a kubeconfig with a context for each address, and gives its path. The current one is named.
func (w *world) kubeconfig(current string) string {
	w.t.Helper()
	const text = `apiVersion: v1
kind: Config
current-context: %q
clusters:
- {name: main, cluster: {server: %q}}
- {name: alias, cluster: {server: %q}}
- {name: elsewhere, cluster: {server: %q}}
users: [{name: test, user: {token: of-the-test}}]
contexts:
- {name: main, context: {cluster: main, user: test}}
- {name: alias, context: {cluster: alias, user: test}}
- {name: elsewhere, context: {cluster: elsewhere, user: test}}
`
	path := filepath.Join(w.dir, "kubeconfig")
	alias := strings.Replace(w.Server(), "127.0.0.1", "localhost", 1)
	w.must(os.WriteFile(path, fmt.Appendf(nil, text, current, w.Server(), alias, w.elsewhere.Server()), 0o600))
	return path
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// root is the checkout.
var root = sync.OnceValues(func() (string, error) { return filepath.Abs(filepath.Join("..", "..")) })

// binaries is a folder in which the test's binary has the names of what it holds.
var binaries = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "chaos-bin-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{programName, providerName, commandName} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// environment is that of a command in a project's folder.
func environment(dir string) []string {
	checkout, _ := root()
	own, _ := binaries()
	path := strings.Join([]string{own, filepath.Join(checkout, ".local", "bin"), os.Getenv("PATH")},
		string(os.PathListSeparator))
	return append(os.Environ(), "PATH="+path, "PULUMI_BACKEND_URL=file://"+filepath.Join(dir, "state"),
		"PULUMI_HOME="+filepath.Join(dir, "home"), "PULUMI_CONFIG_PASSPHRASE=of-the-test", "ROLLOUT_USER=operator",
		"PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true", "PULUMI_STACK=",
		"PULUMI_OPTION_CWD=")
}

// stepLimit bounds one command.
const stepLimit = 3 * time.Minute

// run runs a command in the project's folder and gives all that it printed.
func (w *world) run(name string, args ...string) (string, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), stepLimit)
	defer cancel()
	command := w.command(ctx, name, args...)
	output, err := command.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("%s %v was not done within %v: %w", name, args, stepLimit, ctx.Err())
	}
	fmt.Fprintf(&w.log, "$ %s %s\n%s\n", name, strings.Join(args, " "), output)
	return string(output), err
}

func (w *world) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, executable(name), args...)
	command.Dir, command.Env = w.dir, w.env
	command.WaitDelay = 10 * time.Second
	return command
}

// executable is the path of a command: one that the test's binary holds, or a tool of the local cluster.
func executable(name string) string {
	own, _ := binaries()
	if path := filepath.Join(own, name); name == commandName {
		return path
	}
	checkout, _ := root()
	return filepath.Join(checkout, ".local", "bin", name)
}

// pulumi runs the Pulumi CLI on the stack.
func (w *world) pulumi(args ...string) (string, error) {
	w.t.Helper()
	return w.run("pulumi", append([]string{"--non-interactive", "--color", "never"},
		append(args, "--stack", stackName)...)...)
}

// set sets values of the configuration by the paths of their keys.
func (w *world) set(values ...string) {
	w.t.Helper()
	args := []string{"config", "set-all", "--path"}
	for _, value := range values {
		args = append(args, "--plaintext", value)
	}
	if output, err := w.pulumi(args...); err != nil {
		w.t.Fatalf("pulumi %v: %v\n%s", args, err, output)
	}
}

// ledgerStore is the stack's ledger.
func (w *world) ledgerStore() ledger.InConfigMap {
	return ledger.InConfigMap{Cluster: w.Client, Namespace: namespace, Name: names.Ledger(app), Record: names.Record(app)}
}

// state is where the rollout stands.
func (w *world) state() ledger.State {
	w.t.Helper()
	history, err := ledger.Read(w.t.Context(), w.ledgerStore())
	w.must(err)
	return history.State()
}
