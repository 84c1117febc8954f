//go:build chaos

package chaos

import (
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// destroyOnPurpose destroys the stack by the commands of the guide.
func (w *world) destroyOnPurpose() {
	w.t.Helper()
	for _, args := range [][]string{{"state", "unprotect", "--all", "--yes"}, {"destroy", "--yes", "--skip-preview"}} {
		if output, err := w.pulumi(args...); err != nil {
			w.t.Fatalf("pulumi %v: %v\n%s", args, err, output)
		}
	}
	deployments, err := w.Clientset.AppsV1().Deployments(namespace).List(w.t.Context(), metav1.ListOptions{})
	w.must(err)
	if len(deployments.Items) > 0 {
		w.t.Errorf("%d Deployments are left", len(deployments.Items))
	}
}

// A destroy on purpose leaves the history, and the next update goes on from it: what was rolled back stays out, also
// where the state is another one.
func TestAnUpdateAfterADestroyGoesOnFromTheHistory(t *testing.T) {
	t.Parallel()
	for name, anew := range map[string]bool{"the same stack": false, "the stack made anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.take("up")
			w.take("guard")
			before := w.look()
			w.destroyOnPurpose()
			if after := w.look(); after.entries != before.entries {
				t.Fatalf("the ledger had %d entries and has %d", before.entries, after.entries)
			}
			if anew {
				for _, args := range [][]string{{"stack", "rm", "--yes", "--preserve-config"}, {"stack", "init"}} {
					if output, err := w.pulumi(args...); err != nil {
						t.Fatalf("pulumi %v: %v\n%s", args, err, output)
					}
				}
			}
			if output, err := w.pulumi(up...); err == nil || !strings.Contains(output, "was rolled back at") {
				t.Errorf("the latched image enters: %v\n%s", err, output)
			}
			w.checkLatches(w.state())
			w.settles()
			w.take("image 3")
			w.weight("10")
			if output, err := w.pulumi(up...); err != nil {
				t.Errorf("another image: %v\n%s", err, output)
			}
			w.converges()
			if t.Failed() {
				w.report(nil)
			}
		})
	}
}

// A release that was on trial when its stack was destroyed goes on, or its update says how it can.
func TestAReleaseOnTrialOutlivesADestroy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.take("up")
	w.destroyOnPurpose()
	w.play()
}

// With other settings than stable's, an update after a destroy is refused and names the way on.
func TestOtherSettingsAfterADestroy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.take("up")
	w.destroyOnPurpose()
	for _, change := range []string{"stableImage=" + imageOf("4"), "env.FLAG=2"} {
		w.set("canaryWeight=0", change)
		output, err := w.pulumi(up...)
		t.Logf("%s: %v\n%s", change, err, output)
		if strings.Contains(output, "already exists") {
			t.Errorf("%s:\n%s", change, output)
		}
	}
}

// `pulumi destroy --run-program` and `pulumi refresh --run-program` run the program, which writes nothing: neither what
// the record does not have yet nor an Event about a ledger that has lost entries.
func TestTheProgramWritesInUpdatesAlone(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"the head is not kept": func(w *world) {
			w.must(w.AnnotateConfigMap(w.t.Context(), namespace, names.Record(app), ledger.HeadAnnotation, ""))
		},
		"the ledger is gone": func(w *world) {
			w.must(w.DeleteConfigMap(w.t.Context(), namespace, names.Ledger(app)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.take("up")
			head, err := w.ConfigMapAnnotation(t.Context(), namespace, names.Record(app), ledger.HeadAnnotation)
			if err != nil || head == "" {
				t.Fatalf("an update does not keep the head: %v", err)
			}
			spoil(w)
			var writes atomic.Int64
			count := func() { writes.Add(1) }
			w.onWrite.Store(&count)
			for _, args := range [][]string{
				{"refresh", "--run-program", "--yes", "--skip-preview"},
				{"destroy", "--run-program", "--yes", "--skip-preview"},
			} {
				output, err := w.pulumi(args...)
				if refused := args[0] == "destroy"; (err != nil) != refused {
					t.Errorf("pulumi %v: %v\n%s", args, err, output)
				}
				if n := writes.Load(); n > 0 {
					t.Errorf("pulumi %v writes %d times\n%s", args, n, output)
				}
			}
			w.onWrite.Store(nil)
		})
	}
}
