package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// onStack are the commands on a stack, each with what it cannot do without.
var onStack = [][]string{
	{"status"}, {"advance", "--yes"}, {"finish", "--yes"}, {"rollback", "--yes", "--report", "-"},
	{"unlatch", "--reason", "x", "--yes"}, {"rehearse", "--yes"},
	{"smoke"}, {"logs"}, {"evidence", "list"}, {"evidence", "get"}, {"attest", "security-audit", "--ref", "x"},
	{"approve"}, {"advance", "--when-ready"},
	{"diagnose"}, {"report"},
}

// refused runs commands that must end with a code and words, and change nothing.
func (w *world) refused(code int, words []string, commands ...[]string) {
	w.t.Helper()
	for _, args := range commands {
		got, printed := called(w.t, args...)
		if got != code {
			w.t.Errorf("rollout %s ends with %d, want %d:\n%s", strings.Join(args, " "), got, code, printed)
		}
		for _, word := range words {
			if !strings.Contains(printed, word) {
				w.t.Errorf("rollout %s does not say %q:\n%s", strings.Join(args, " "), word, printed)
			}
		}
	}
	w.expectUnchanged()
	if holder := w.holder(); holder != "" && !strings.HasPrefix(holder, "anna") {
		w.t.Errorf("%s still holds the Lease", holder)
	}
}

// with adds arguments to each command.
func with(commands [][]string, more ...string) [][]string {
	var longer [][]string
	for _, args := range commands {
		longer = append(longer, append(append([]string{}, args...), more...))
	}
	return longer
}

func TestEveryCommandRefusesAnUnknownStack(t *testing.T) {
	newWorld(t).refused(terminal.ExitUsage, []string{`no stack "prod"`, "production, staging"},
		with(onStack, "-s", "prod")...)
}

func TestEveryCommandNamesAClusterThatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.at(10)
	w.refused(terminal.ExitFailed, []string{"the API server " + w.unreachable(), "does not answer",
		"check that the cluster runs"}, with(onStack, "-s", "production")...)
}

func TestEveryCommandRefusesAnotherCluster(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*world)
		words   []string
	}{
		"no such context": {
			func(w *world) {
				w.write("Pulumi.production.yaml", w.production()+"  shop:kubeContext: elsewhere\n")
			},
			[]string{`"elsewhere"`, "it has test"},
		},
		"no such namespace": {(*world).withoutNamespace,
			[]string{"there is no namespace orders at", "not the cluster", "kubeContext"}},
		"a namespace of no stack": {func(w *world) { w.ownedBy("") },
			[]string{"belongs to no stack", "not the cluster"}},
		"a namespace of another stack": {func(w *world) { w.ownedBy("shop/eu") },
			[]string{"belongs to shop/eu, not to shop/production", "--stack"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.prepare(w)
			w.refused(terminal.ExitFailed, tt.words, with(onStack, "-s", "production")...)
		})
	}
}

func TestErrorsListTheNamesThatExist(t *testing.T) {
	w := newWorld(t)
	w.at(10)
	w.refused(terminal.ExitUsage, []string{`release "week9"`, "week1"},
		[]string{"rollback", "-s", "production", "--release", "week9", "--yes"},
		[]string{"report", "-s", "production", "--release", "week9"})
	w.refused(terminal.ExitUsage, []string{"orders-week1 has no revision 7", "1 (orders@" + older + ")", "2 (orders@" +
		digest + ")"},
		[]string{"rollback", "-s", "production", "--option", "undo", "--to-revision", "7", "--yes"})
	w.refused(terminal.ExitUsage, []string{"no latch keeps"}, []string{"unlatch", "-s", "production", "--reason", "x",
		"--yes"})
	w.refused(terminal.ExitUsage, []string{"is at 10 %", "needs 100 %"},
		[]string{"finish", "-s", "production", "--yes"})
}

// question waits until a command has asked.
type question struct {
	mu    sync.Mutex
	text  bytes.Buffer
	asked chan struct{}
}

func (q *question) Write(text []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := strings.Contains(q.text.String(), "[y/N]")
	q.text.Write(text)
	if !before && strings.Contains(q.text.String(), "[y/N]") {
		close(q.asked)
	}
	return len(text), nil
}

func (q *question) String() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.text.String()
}

// Whatever asks is left by Ctrl-C, by a no and where nobody can answer, and has changed nothing then.
func TestEveryQuestionCanBeDeclined(t *testing.T) {
	latched := func(w *world) {
		w.at(10)
		w.note(ledger.Entry{Kind: ledger.RollbackBegun, Who: "anna", Release: "week1", Image: digest},
			ledger.Entry{Kind: ledger.RolledBack, Who: "anna", Release: "week1", Image: digest})
	}
	for name, tt := range map[string]struct {
		prepare func(*world)
		args    []string
		asks    string
	}{
		"advance":  {func(*world) {}, []string{"advance", "--to", "10"}, "enter from 0 % to 10 %?"},
		"finish":   {func(w *world) { w.at(100) }, []string{"finish", "--override", "x"}, "from 100 % to 0 %?"},
		"rollback": {func(w *world) { w.at(10) }, []string{"rollback", "--report", "-"}, "Roll back?"},
		"unlatch":  {latched, []string{"resume", "--reason", "it was the database"}, "because: it was the database?"},
		"rehearse": {func(*world) {}, []string{"rehearse"}, "Rehearse a rollback in orders-staging"},
	} {
		t.Run(name, func(t *testing.T) {
			silent, _ := io.Pipe()
			for answer, in := range map[string]io.Reader{"no": strings.NewReader("n\n"), "nobody": strings.NewReader(""),
				"Ctrl-C": silent} {
				w := newWorld(t)
				tt.prepare(w)
				ctx, interrupt := context.WithCancel(t.Context())
				out := &question{asked: make(chan struct{})}
				if answer == "Ctrl-C" {
					go func() {
						select {
						case <-out.asked:
						case <-time.After(time.Minute):
						}
						interrupt()
					}()
				}
				root := rootCommand()
				root.SetArgs(append(tt.args, "-s", "production"))
				root.SetIn(in)
				root.SetOut(out)
				root.SetErr(out)
				want, words := terminal.ExitFailed, "not confirmed; nothing was changed"
				if answer == "nobody" {
					want, words = terminal.ExitUsage, "pass --yes"
				}
				code := execute(ctx, root)
				interrupt()
				if printed := out.String(); code != want || !strings.Contains(printed, words) ||
					!strings.Contains(printed, tt.asks) {
					t.Errorf("%s: exit code %d, want %d with %q and %q:\n%s", answer, code, want, tt.asks, words, printed)
				}
				w.expectUnchanged()
				if holder := w.holder(); holder != "" {
					t.Errorf("%s: %s still holds the Lease", answer, holder)
				}
			}
		})
	}
}

const anna = "anna@desk (rollout advance, process 7)"

func TestASecondOperatorLearnsOfTheFirst(t *testing.T) {
	words := []string{"another operator changes this rollout: " + anna + " is at it, since",
		"rollout status -s production", "expires after 30s"}
	w := newWorld(t)
	w.heldBy(anna)
	w.refused(terminal.ExitFailed, words, []string{"advance", "-s", "production", "--to", "10", "--yes"})
	w.at(100)
	w.refused(terminal.ExitFailed, words, []string{"finish", "-s", "production", "--override", "x", "--yes"})
	w.note(ledger.Entry{Kind: ledger.RollbackBegun, Release: "week1", Image: digest},
		ledger.Entry{Kind: ledger.RolledBack, Release: "week1", Image: digest})
	w.refused(terminal.ExitFailed, words, []string{"unlatch", "-s", "production", "--reason", "x", "--yes"})
	if holder := w.holder(); holder != anna {
		t.Errorf("%q holds the Lease now", holder)
	}
}

// A rollback waits for nobody, and says whom it overtakes.
func TestARollbackNamesTheOperatorWhomItOvertakes(t *testing.T) {
	w := newWorld(t)
	root, out := rollbackCommand(), &bytes.Buffer{}
	root.SetErr(out)
	root.SetContext(t.Context())
	s, err := (&common{stack: "production", format: terminal.FormatTable}).begin(root)
	if err != nil {
		t.Fatal(err)
	}
	release, err := s.lock(t.Context(), "rollback", true)
	if err != nil || out.Len() > 0 {
		t.Fatalf("alone, it says %q: %v", out, err)
	}
	release()
	w.heldBy(anna)
	if release, err = s.lock(t.Context(), "rollback", true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), anna+" is at it, since") || !strings.Contains(w.holder(), "rollout rollback") {
		t.Errorf("it says %q, and %q holds the Lease", out, w.holder())
	}
	release()
	if holder := w.holder(); holder != "" {
		t.Errorf("%s still holds the Lease", holder)
	}
}
