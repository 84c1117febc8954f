//go:build chaos

package chaos

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// A pipeline deploys with its kubeconfig, and a laptop that has another file, at another path and behind one that does
// not exist, rolls back.
func TestALaptopRollsBackWhatAPipelineDeployed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if output, err := w.pulumi(up...); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if weight := w.state().Weight; weight != 10 {
		t.Fatalf("the pipeline left %d %%", weight)
	}
	state, err := w.pulumi("stack", "export")
	if err != nil || strings.Contains(state, filepath.Join(w.dir, "kubeconfig")) {
		t.Fatalf("the state holds the pipeline's path, or cannot be read: %v", err)
	}
	laptop := filepath.Join(t.TempDir(), "config")
	w.must(os.Rename(filepath.Join(w.dir, "kubeconfig"), laptop))
	w.env = append(w.env, "KUBECONFIG="+filepath.Join(w.dir, "none")+string(os.PathListSeparator)+laptop)
	output, err := w.run(commandName, "rollback", "-s", stackName, "--yes", "--watch", "0s", "--report", "-")
	if err != nil {
		t.Fatalf("rollout rollback: %v\n%s", err, output)
	}
	w.settles()
	w.converges()
	if _, latched := w.state().Latch("sha256:" + strings.Repeat("2", 64)); !latched {
		t.Error("the image is not latched")
	}
}

// Another namespace in the configuration would delete the live one.
func TestAChangedNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.play("up")
	before := w.look()
	w.set("namespace=another")
	for _, args := range [][]string{{"preview"}, up} {
		if output, err := w.pulumi(args...); err == nil || !strings.Contains(output, "protect") {
			t.Errorf("pulumi %v: %v\n%s", args, err, output)
		}
	}
	w.check(before)
}

// A renamed stack keeps its environment, or says what a change would do; nothing is replaced in silence.
func TestARenamedStackKeepsItsEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.take("up")
	before := w.look()
	const renamed = "eu"
	if output, err := w.pulumi("stack", "rename", renamed); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	onRenamed := func(args ...string) (string, error) {
		return w.run("pulumi", append(append([]string{"--non-interactive", "--color", "never"}, args...), "--stack",
			renamed)...)
	}
	output, err := onRenamed(up...)
	if err == nil || !strings.Contains(output, "kubectl annotate namespace "+namespace) {
		t.Fatalf("the namespace of the stack's old name: %v\n%s", err, output)
	}
	found, err := w.Clientset.CoreV1().Namespaces().Get(t.Context(), namespace, metav1.GetOptions{})
	w.must(err)
	found.Annotations[names.Owner] = "finance-rollout/" + renamed
	_, err = w.Clientset.CoreV1().Namespaces().Update(t.Context(), found, metav1.UpdateOptions{})
	w.must(err)
	output, err = onRenamed(up...)
	if keep := "pulumi config set environment " + stackName + " -s " + renamed; err == nil ||
		!strings.Contains(output, keep) {
		t.Fatalf("the environment of the stack's new name: %v\n%s", err, output)
	}
	if output, err := onRenamed("config", "set", "environment", stackName); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if output, err := onRenamed(up...); err != nil {
		t.Fatalf("with the environment of before: %v\n%s", err, output)
	}
	w.check(before)
	if t.Failed() {
		w.report(nil)
	}
}

// Found by a random sequence: namespace, stable track and Service were protected, and a destroy took the live canary
// all the same.
func TestADestroyLeavesTheCanary(t *testing.T) {
	t.Parallel()
	newWorld(t).play("up", "destroy")
}

// `pulumi destroy --run-program` runs the program: it neither takes a checkpoint nor rolls back.
func TestADestroyTakesNoCheckpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.take("up")
	w.env = append(w.env, clockVariable+"=1h") // a checkpoint is due
	before := w.look()
	if output, err := w.pulumi("destroy", "--run-program", "--yes", "--skip-preview"); err == nil {
		t.Errorf("destroyed:\n%s", output)
	}
	w.check(before)
	if after := w.look(); after.entries != before.entries {
		t.Errorf("the ledger grew from entry %d to %d", before.entries, after.entries)
	}
	if output, err := w.pulumi(up...); err != nil || !strings.Contains(output, "checkpoint at 10 %") {
		t.Errorf("an update takes the checkpoint: %v\n%s", err, output)
	}
	if after := w.look(); after.entries != before.entries+1 {
		t.Errorf("the ledger grew from entry %d to %d", before.entries, after.entries)
	}
	w.converges()
	if t.Failed() {
		w.report(nil)
	}
}

// An update without the record moves the pods and leaves out the gate: status and the next preview say so, and the
// next update verifies.
func TestAGateThatWasLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	output, err := w.pulumi(append(slices.Clone(up), "--exclude", "**ConfigMap::release")...)
	if canary := w.state().Begun; err != nil || canary == nil || canary.To != 10 {
		t.Fatalf("the record is excluded: %v, begun %+v\n%s", err, canary, output)
	}
	const never = "never verified at 10 %"
	if output, _ := w.run(commandName, "status", "-s", stackName); !strings.Contains(output, never) {
		t.Errorf("the status does not say %q:\n%s", never, output)
	}
	if output, err := w.pulumi("preview"); err != nil || !strings.Contains(output, never) {
		t.Errorf("the preview does not say %q: %v\n%s", never, err, output)
	}
	if output, err := w.pulumi(up...); err != nil || !strings.Contains(output, "passed its gate") {
		t.Errorf("the next update verifies nothing: %v\n%s", err, output)
	}
	if output, err := w.pulumi("preview"); err != nil || strings.Contains(output, never) {
		t.Errorf("the preview still says %q: %v\n%s", never, err, output)
	}
}

// Found by a random sequence: pods that somebody isolates by their label take no requests, and the status said that
// they soak.
func TestPodsThatAreIsolatedByHand(t *testing.T) {
	t.Parallel()
	newWorld(t).play("up", "kubectl-label")
}
