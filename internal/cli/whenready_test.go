package cli

import (
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// A schedule is not to fail while there is nothing to do, and its log has one line that says why.
func TestTheScheduledCommandSaysInOneLineWhyItDoesNothing(t *testing.T) {
	auto := func(w *world) { w.write("Pulumi.production.yaml", w.production()+"  shop:advance: auto\n") }
	for name, tt := range map[string]struct {
		prepare func(*world)
		code    int
		want    string
	}{
		"manual": {func(*world) {}, terminal.ExitDone, "nothing to do: advance is manual"},
		"another operator": {func(w *world) { auto(w); w.heldBy(anna) }, terminal.ExitDone,
			"nothing to do: another operator changes this rollout: " + anna},
		"soaking": {func(w *world) { auto(w); w.at(10) }, terminal.ExitDone, "advance from 10 % to 30 % waits: "},
		"lowered": {func(w *world) {
			auto(w)
			w.at(30)
			w.moved(30, 10)
		}, terminal.ExitDone, "only a person raises"},
		"not approved": {func(w *world) {
			w.write("Pulumi.production.yaml", w.production()+"  shop:advance: { mode: auto, approval: [10] }\n")
		}, terminal.ExitDone, "enter from 0 % to 10 % waits: not approved"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.prepare(w)
			for _, args := range [][]string{{"advance", "-s", "production", "--when-ready"},
				{"advance", "-s", "production", "--when-ready", "--set-only"}} {
				code, printed := called(t, args...)
				var lines []string
				for line := range strings.Lines(printed) {
					if !strings.HasPrefix(line, "reading the evidence") {
						lines = append(lines, line)
					}
				}
				if code != tt.code || len(lines) != 1 || !strings.Contains(printed, tt.want) {
					t.Errorf("exit code %d, want %d with one line that says %q:\n%s", code, tt.code, tt.want, printed)
				}
			}
			w.expectUnchanged()
			if holder := w.holder(); holder != "" && holder != anna {
				t.Errorf("%s still holds the Lease", holder)
			}
		})
	}
}

func TestTheScheduledCommandForPrograms(t *testing.T) {
	newWorld(t)
	code, printed := called(t, "advance", "-s", "production", "--when-ready", "--set-only", "-o", "json")
	for _, word := range []string{`"action": "wait"`, `"reason": "advance is manual`, `"made": false`} {
		if code != terminal.ExitDone || !strings.Contains(printed, word) {
			t.Errorf("exit code %d, no %s in:\n%s", code, word, printed)
		}
	}
}

func TestFlagsOfTheScheduledCommand(t *testing.T) {
	w := newWorld(t)
	w.refused(terminal.ExitUsage, []string{"--when-ready"},
		[]string{"advance", "-s", "production", "--set-only"},
		[]string{"advance", "-s", "production", "--when-ready", "--to", "30"},
		[]string{"advance", "-s", "production", "--when-ready", "--override", "x"})
}

func TestApprove(t *testing.T) {
	w := newWorld(t)
	w.refused(terminal.ExitUsage, []string{"no stage needs an approval", "advance.approval[0]", "-s production"},
		[]string{"approve", "-s", "production"})
	w.write("Pulumi.production.yaml", w.production()+"  shop:advance: { approval: [30, 100] }\n")
	w.at(10)
	w.refused(terminal.ExitUsage, []string{"allowed are the stages of advance.approval above 10 %: 30, 100"},
		[]string{"approve", "-s", "production", "--to", "60"}, []string{"approve", "-s", "production", "--to", "10"})
	w.refused(terminal.ExitUsage, []string{"--to 0"}, []string{"approve", "-s", "production", "--to", "0"})
	w.refused(terminal.ExitUsage, []string{"the finish needs no approval", "'advance.approval[2]' 0 -s production"},
		[]string{"approve", "-s", "production", "--finish"})
	w.refused(terminal.ExitUsage, []string{"--to and --finish exclude each other"},
		[]string{"approve", "-s", "production", "--finish", "--to", "30"})
	t.Setenv("ROLLOUT_USER", "anna")
	code, printed := called(t, "approve", "-s", "production", "--note", "figures reviewed")
	if code != terminal.ExitDone || !strings.Contains(printed, "approved week1 for 30 % (figures reviewed)") {
		t.Fatalf("exit code %d:\n%s", code, printed)
	}
	state := w.state()
	entry, approved := state.Approval(digest, 30)
	if !approved || entry.Who != "anna" || entry.Reason != "figures reviewed" {
		t.Errorf("%+v, %t", entry, approved)
	}
	// Once more changes nothing, and the next one is the other stage.
	if code, printed = called(t, "approve", "-s", "production", "--to", "30"); code != terminal.ExitDone ||
		!strings.Contains(printed, "approved already") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
	w.moved(10, 30)
	if code, printed = called(t, "approve", "-s", "production"); code != terminal.ExitDone ||
		!strings.Contains(printed, "for 100 %") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
}

// The finish can be asked to wait for a person as well: it takes the way back away.
func TestApproveTheFinish(t *testing.T) {
	w := newWorld(t)
	w.write("Pulumi.production.yaml", w.production()+"  shop:advance: { approval: [0] }\n")
	w.at(10)
	t.Setenv("ROLLOUT_USER", "anna")
	for range 2 { // once more changes nothing
		code, printed := called(t, "approve", "-s", "production", "--finish")
		if code != terminal.ExitDone || !strings.Contains(printed, "approved week1 for the finish") {
			t.Fatalf("exit code %d:\n%s", code, printed)
		}
	}
	if entry, approved := w.state().Approval(digest, 0); !approved || entry.Who != "anna" {
		t.Errorf("%+v, %t", entry, approved)
	}
}

// moved lets anna move the release from a weight to another one.
func (w *world) moved(from, to int) {
	w.t.Helper()
	begun := ledger.Entry{Kind: ledger.ShiftBegun, Who: "anna", Release: "week1", Image: digest, Stable: older, From: from,
		To: to}
	reached := begun
	reached.Kind = ledger.ShiftReached
	w.note(begun, reached)
}

// state is that of the ledger.
func (w *world) state() ledger.State {
	w.t.Helper()
	history, err := ledger.Read(w.t.Context(), ledger.InConfigMap{Cluster: w.Client, Namespace: "orders",
		Name: "orders-ledger"})
	w.must(err)
	return history.State()
}
