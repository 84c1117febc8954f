//go:build chaos

package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// violated notes that an invariant does not hold.
func (w *world) violated(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf(format, args...)
}

// snapshot is what a step must not lose.
type snapshot struct {
	// objects are the UIDs of what must not go, by kind and name.
	objects map[string]types.UID
	state   ledger.State
	// entries is the number of the ledger's last entry.
	entries int
}

// exists is true once the stack's namespace is there.
func (w *world) exists() bool {
	_, there, err := w.NamespaceOwner(w.t.Context(), namespace)
	w.must(err)
	return there
}

// look takes a snapshot: the namespace, the stable track, the Service, and the canary that lives.
func (w *world) look() snapshot {
	w.t.Helper()
	ctx := w.t.Context()
	seen := snapshot{objects: map[string]types.UID{}, state: w.state()}
	note := func(kind, name string, object metav1.Object, err error) {
		if apierrors.IsNotFound(err) {
			return
		}
		w.must(err)
		seen.objects[kind+" "+name] = object.GetUID()
	}
	history, err := ledger.Read(ctx, w.ledgerStore())
	w.must(err)
	if all := history.Entries(); len(all) > 0 {
		seen.entries = all[len(all)-1].Seq
	}
	found, err := w.Clientset.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	note("namespace", namespace, found, err)
	service, err := w.Clientset.CoreV1().Services(namespace).Get(ctx, app, metav1.GetOptions{})
	note("service", app, service, err)
	for _, track := range []string{names.Stable, seen.state.Living()} {
		if track == "" {
			continue
		}
		name := names.CanaryDeployment(app, track)
		deployment, err := w.Clientset.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		note("deployment", name, deployment, err)
	}
	return seen
}

// check checks the invariants after a step.
func (w *world) check(before snapshot) {
	w.t.Helper()
	after := w.look()
	if after.entries < before.entries {
		w.violated("the ledger went back from entry %d to %d", before.entries, after.entries)
	}
	for object, uid := range before.objects {
		canary := object == "deployment "+names.CanaryDeployment(app, before.state.Living())
		if canary && after.state.Living() != before.state.Living() {
			continue
		}
		if now, there := after.objects[object]; !there || now != uid {
			w.violated("%s was deleted or replaced: it had the UID %s and has %q", object, uid, now)
		}
	}
	w.checkLatches(after.state)
	w.checkWeights(after.state)
}

// checkLatches looks for requests of a latched image. Stable may keep the image that it has.
func (w *world) checkLatches(state ledger.State) {
	w.t.Helper()
	taking := map[string]int{}
	for _, pod := range w.taking() {
		taking[names.Digest(pod.Spec.Containers[0].Image)]++
	}
	for image, pods := range taking {
		if latch, latched := state.Latch(image); latched && image != state.Stable {
			w.violated("%d pods of %s take requests, which was rolled back by %s", pods, image, latch.Who)
		}
	}
}

// taking lists the pods behind the Service.
func (w *world) taking() []corev1.Pod {
	w.t.Helper()
	found, err := w.Endpoints(w.t.Context(), namespace, app)
	w.must(err)
	pods, err := w.AllPods(w.t.Context(), namespace, map[string]string{names.App: app})
	w.must(err)
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !slices.Contains(found, pod.Name) })
}

// checkWeights compares the pods of the tracks with the weight in the ledger. Where they differ, the status has to say
// why.
func (w *world) checkWeights(state ledger.State) {
	w.t.Helper()
	if !w.exists() || state.Stable == "" {
		return
	}
	canary, all := 0, 0
	for _, pod := range w.taking() {
		all++
		if pod.Labels[names.Track] == names.Canary {
			canary++
		}
	}
	if all > 0 && canary*100 == state.Weight*all {
		return
	}
	w.explained(fmt.Sprintf("%d of %d pods take requests as the canary at %d %%", canary, all, state.Weight))
}

// explained looks whether the status says why the pods are others than the weight asks for.
func (w *world) explained(found string) {
	w.t.Helper()
	output, err := w.run(commandName, "status", "-s", stackName, "-o", "json")
	var shown status.Status
	text := output[max(0, strings.Index(output, "{")):]
	if failed := json.NewDecoder(strings.NewReader(text)).Decode(&shown); failed != nil {
		w.violated("%s, and the status is none: %v, %v\n%s", found, err, failed, output)
		return
	}
	if len(shown.Notes) == 0 && shown.Phase != status.PhaseShifting {
		w.violated("%s, and the status says nothing of it: %s, %s", found, shown.Phase, shown.Summary)
	}
}

// refusals are words of an update that was refused for a reason, with the way on.
var refusals = []string{"is refused", "was rolled back by", "is not a legal move", "belongs to another cluster"}

// converges runs an unchanged update. One that passes leaves the pods that the configuration asks for, and a second one
// changes nothing; one that does not is refused for a reason, or names the command that goes on.
func (w *world) converges() {
	w.t.Helper()
	output, err := w.pulumi(up...)
	if err != nil && strings.Contains(output, "`pulumi up --refresh`") {
		output, err = w.pulumi(append(slices.Clone(up), "--refresh")...)
	}
	if err != nil {
		if !slices.ContainsFunc(refusals, func(words string) bool { return strings.Contains(output, words) }) {
			w.violated("an unchanged update neither passes nor is refused: %v\n%s", err, output)
		}
		return
	}
	w.planned()
	if output, err := w.pulumi(append(slices.Clone(up), "--expect-no-changes")...); err != nil {
		w.violated("a second unchanged update finds changes: %v\n%s", err, output)
	}
}

// planned checks that the pods behind the Service are those of the configured position. Labels that somebody has
// changed by hand stay: the status tells.
func (w *world) planned() {
	w.t.Helper()
	text, err := w.pulumi("stack", "output", "--json")
	var outputs struct {
		Weight, StableReplicas, CanaryReplicas int
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &outputs)
	}
	if err != nil {
		w.violated("the outputs: %v\n%s", err, text)
		return
	}
	tracks := map[string]int{}
	for _, pod := range w.taking() {
		tracks[pod.Labels[names.Track]]++
	}
	stable := outputs.StableReplicas
	if outputs.Weight == 100 {
		stable = 0 // its pods stand by
	}
	if tracks[names.Stable] != stable || tracks[names.Canary] != outputs.CanaryReplicas {
		w.explained(fmt.Sprintf("after an update that passed, %v take requests; the outputs say %+v", tracks, outputs))
	}
}

// settles goes the way out that is always open: the stable image that runs, and 0 %.
func (w *world) settles() {
	w.t.Helper()
	state := w.state()
	if state.Stable == "" {
		return
	}
	w.set("canaryWeight=0", "stableImage=orders@"+state.Stable)
	output, err := w.pulumi(append(slices.Clone(up), "--refresh")...)
	if err != nil {
		w.violated("the way down to 0 %% is not open: %v\n%s", err, output)
		return
	}
	if state := w.state(); state.Weight != 0 || state.Begun != nil || state.Unfinished != nil {
		w.violated("after the way down the ledger says %d %%, begun %v, unfinished %v", state.Weight, state.Begun,
			state.Unfinished)
	}
	for _, pod := range w.taking() {
		if pod.Labels[names.Track] != names.Stable {
			w.violated("pod %s takes requests at 0 %%", pod.Name)
		}
	}
	if taking := len(w.taking()); taking != 10 {
		w.violated("%d pods take requests at 0 %%", taking)
	}
}

// play takes the steps one after the other and checks the invariants after each, then whether the stack converges and
// settles.
func (w *world) play(steps ...step) {
	w.t.Helper()
	for i, s := range steps {
		before := w.look()
		w.take(s)
		w.check(before)
		if w.t.Failed() {
			w.report(steps[:i+1])
			return
		}
	}
	for _, end := range []func(){w.converges, w.settles} {
		before := w.look()
		end()
		w.check(before)
		if w.t.Failed() {
			w.report(steps)
			return
		}
	}
	if testing.Verbose() {
		w.report(steps)
	}
}

// report prints the sequence as the arguments of a named test, and the end of what its steps printed.
func (w *world) report(steps []step) {
	var quoted []string
	for _, s := range steps {
		quoted = append(quoted, fmt.Sprintf("%q", s))
	}
	text := w.log.String()
	const most = 30_000
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	w.t.Logf("sequence: %s\n%s", strings.Join(quoted, ", "), text)
}
