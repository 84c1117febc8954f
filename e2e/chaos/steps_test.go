//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// step is one thing that an operator, the guard or somebody with kubectl does: a verb of the table below, and what it
// takes, such as "weight 30".
type step string

// verb is one kind of step.
type verb struct {
	name string
	// often is how often it comes, beside the others.
	often int
	// with makes up what it takes; nil for nothing.
	with func(*rand.Rand) string
	do   func(w *world, with string)
}

func oneOf(values ...string) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return values[r.IntN(len(values))] }
}

// verbs are all kinds of steps. A command that the product refuses is as good as one that it carries out: the
// invariants tell whether it was right.
func verbs() []verb {
	return []verb{
		{"preview", 1, nil, func(w *world, _ string) { w.try("preview") }},
		{"up", 8, nil, func(w *world, _ string) { w.try(up...) }},
		{"killed-up", 2, func(r *rand.Rand) string { return strconv.Itoa(1 + r.IntN(12)) }, (*world).killedUp},
		{"killed-shift", 5, func(r *rand.Rand) string {
			return oneOf("0", "10", "30", "60", "100")(r) + " " + strconv.Itoa(1+r.IntN(10))
		}, (*world).killedShift},
		{"up-without-record", 2, nil, (*world).withoutRecord},
		{"refresh", 1, nil, func(w *world, _ string) { w.try("refresh", "--yes", "--skip-preview") }},
		{"up-refresh", 2, nil, func(w *world, _ string) { w.try(append(slices.Clone(up), "--refresh")...) }},
		{"weight", 5, oneOf("0", "10", "30", "60", "100"), (*world).weight},
		{"week", 2, oneOf("1", "2", "3", "4"), func(w *world, with string) { w.set("week=" + with) }},
		{"image", 2, oneOf("2", "3", "4"), func(w *world, with string) { w.set("image=" + imageOf(with)) }},
		{"env", 2, oneOf("1", "2"), func(w *world, with string) { w.set("env.FLAG=" + with) }},
		{"finish", 1, nil, (*world).finish},
		{"rollback", 1, nil, func(w *world, _ string) {
			_, _ = w.run(commandName, "rollback", "-s", stackName, "--yes", "--watch", "0s", "--report", "-")
		}},
		{"guard", 2, nil, (*world).guardRollsBack},
		{"kubectl-scale", 1, nil, (*world).scaleCanary},
		{"kubectl-label", 1, nil, (*world).isolateCanary},
		{"unlatch", 2, nil, func(w *world, _ string) {
			_, _ = w.run(commandName, "unlatch", "-s", stackName, "--yes", "--reason", "chaos")
		}},
		{"export", 1, nil, (*world).exportState},
		{"import", 1, nil, (*world).importState},
		{"context", 1, oneOf("alias", "main"), func(w *world, with string) { w.set("kubeContext=" + with) }},
		{"elsewhere", 1, oneOf("up", "up-refresh"), (*world).goElsewhere},
		{"use-context", 1, oneOf("up", "up-refresh"), (*world).useContext},
		{"destroy", 1, nil, (*world).destroy},
	}
}

// up is an update as the workflows run it.
var up = []string{"up", "--yes", "--skip-preview"}

// pick chooses a step.
func pick(r *rand.Rand) step {
	all := verbs()
	sum := 0
	for _, v := range all {
		sum += v.often
	}
	at := r.IntN(sum)
	for _, v := range all {
		if at -= v.often; at >= 0 {
			continue
		}
		if v.with == nil {
			return step(v.name)
		}
		return step(v.name + " " + v.with(r))
	}
	return "up"
}

// take takes a step.
func (w *world) take(s step) {
	w.t.Helper()
	name, with, _ := strings.Cut(string(s), " ")
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == name })
	if i < 0 {
		w.t.Fatalf("there is no step %q", s)
	}
	fmt.Fprintf(&w.log, "== %s\n", s)
	all[i].do(w, with)
}

// try runs the Pulumi CLI and leaves its outcome to the invariants.
func (w *world) try(args ...string) { _, _ = w.pulumi(args...) }

// withoutRecord is an update that leaves the release record out, and with it the gate.
func (w *world) withoutRecord(string) {
	w.try(append(slices.Clone(up), "--exclude", "**ConfigMap::release")...)
}

// weight asks for a weight, with the override that stands in for a soak.
func (w *world) weight(percent string) {
	w.set("canaryWeight="+percent, "override.weight="+percent, "override.reason=no soak in this test")
}

// finish makes the canary's image the stable one, whether it is time for that or not.
func (w *world) finish(string) {
	if image := w.state().Image; image != "" {
		w.set("stableImage=orders@"+image, "canaryWeight=0", "override.weight=0", "override.reason=no soak in this test")
	}
}

// killedShift is a killed update that changes the weight.
func (w *world) killedShift(with string) {
	percent, after, _ := strings.Cut(with, " ")
	w.weight(percent)
	w.killedUp(after)
}

// killedUp is an update whose machine goes away before the cluster carries out its n-th write, and the way on that the
// CLI names.
func (w *world) killedUp(after string) {
	n, err := strconv.Atoi(after)
	w.must(err)
	ctx, cancel := context.WithTimeout(w.t.Context(), stepLimit)
	defer cancel()
	command := w.command(ctx, "pulumi", append(append([]string{"--non-interactive", "--color", "never"}, up...),
		"--stack", stackName)...)
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	w.must(command.Start())
	var writes atomic.Int64
	kill := func() {
		if writes.Add(1) == int64(n) {
			killTree(command.Process.Pid)
		}
	}
	w.onWrite.Store(&kill)
	err = command.Wait()
	w.onWrite.Store(nil)
	fmt.Fprintf(&w.log, "$ pulumi up, killed at write %d of %d: %v\n%s\n", n, writes.Load(), err, output.String())
	w.try("cancel", "--yes")
}

// guardRollsBack is the guard's rollback of the canary.
func (w *world) guardRollsBack(string) {
	state := w.state()
	if state.Living() == "" || state.LivingImage() == "" {
		return
	}
	spec := rollback.Spec{Namespace: namespace, App: app, Release: state.Living(), Service: app,
		StableDeployment: names.StableDeployment(app), Capacity: 10}
	recorder := rollback.InLedger{Store: w.ledgerStore(), Now: time.Now, Who: "guard", Image: state.LivingImage(),
		Release: state.Living()}
	outcome := rollback.Run(w.t.Context(), w.Client, recorder, spec.Options(w.Client, time.Now, "chaos", nil))
	fmt.Fprintf(&w.log, "guard: %s\n", outcome)
}

// scaleCanary is `kubectl scale` of the canary to 0.
func (w *world) scaleCanary(string) {
	if release := w.state().Living(); release != "" {
		err := w.Scale(w.t.Context(), namespace, names.CanaryDeployment(app, release), 0)
		fmt.Fprintf(&w.log, "kubectl scale: %v\n", err)
	}
}

// isolateCanary is `kubectl label` of the canary's pods.
func (w *world) isolateCanary(string) {
	pods, err := w.LabelPods(w.t.Context(), namespace, names.CanaryLabels(app), names.Traffic, names.Isolated)
	fmt.Fprintf(&w.log, "kubectl label: %v, %v\n", pods, err)
}

func (w *world) exportState(string) {
	path := filepath.Join(w.dir, "export.json")
	if _, err := w.pulumi("stack", "export", "--file", path); err == nil {
		w.exported = path
	}
}

// importState brings back the state of an earlier moment, as after a backend that was restored.
func (w *world) importState(string) {
	if w.exported != "" {
		w.try("stack", "import", "--file", w.exported)
	}
}

// context is the configured one; empty for the kubeconfig's.
func (w *world) context() string {
	output, err := w.pulumi("config", "get", "kubeContext")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(output)
}

// goElsewhere updates the stack under the context of another cluster, and goes back.
func (w *world) goElsewhere(how string) {
	before := w.context()
	w.set("kubeContext=elsewhere")
	w.refusedElsewhere(how)
	if before == "" {
		w.try("config", "rm", "kubeContext")
		return
	}
	w.set("kubeContext=" + before)
}

// useContext updates the stack after `kubectl config use-context`, and goes back.
func (w *world) useContext(how string) {
	if w.context() != "" {
		return
	}
	w.kubeconfig("elsewhere")
	w.refusedElsewhere(how)
	w.kubeconfig("main")
}

// refusedElsewhere is an update that reaches the other cluster: it is refused, and makes nothing there.
func (w *world) refusedElsewhere(how string) {
	args := up
	if how == "up-refresh" {
		args = append(slices.Clone(up), "--refresh")
	}
	output, err := w.pulumi(args...)
	if err == nil || !strings.Contains(output, "belongs to another cluster") {
		w.violated("an update of another cluster was not refused: %v", err)
	}
	found, err := w.elsewhere.Clientset.CoreV1().Namespaces().List(w.t.Context(), metav1.ListOptions{})
	w.must(err)
	if len(found.Items) != 1 {
		w.violated("the other cluster has %d namespaces", len(found.Items))
	}
}

// destroy is one that nobody prepared: what is protected stays.
func (w *world) destroy(string) {
	if output, err := w.pulumi("destroy", "--yes", "--skip-preview"); err == nil && w.exists() {
		w.violated("`pulumi destroy` was not refused:\n%s", output)
	}
}

// killTree kills a process and all its descendants, as the end of a machine does.
func killTree(pid int) {
	family := []int{pid}
	for i := 0; i < len(family); i++ {
		family = append(family, children(family[i])...)
	}
	for _, member := range family {
		if process, err := os.FindProcess(member); err == nil {
			_ = process.Kill()
		}
	}
}

// children lists the processes that a process has started, with any of its threads.
func children(pid int) []int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var found []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}
