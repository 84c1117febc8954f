package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// twoRollouts turns the stack production into one with the rollouts payments, which runs as orders, and invoices.
func twoRollouts(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "invoices",
		Annotations: map[string]string{names.Owner: "shop/production"}}})
	own, _ := strings.CutPrefix(w.production(), "config:\n")
	invoices := strings.NewReplacer("shop:app: orders", "invoices:app: invoices", "namespace: orders",
		"namespace: invoices", "shop:", "invoices:").Replace(own)
	w.write("Pulumi.production.yaml", "config:\n  aws:region: eu-west-1\n"+
		strings.ReplaceAll(own, "shop:", "payments:")+invoices)
	w.prepared(nil)
	return w
}

func TestEveryCommandAsksWhichRolloutIsMeant(t *testing.T) {
	w := twoRollouts(t)
	commands := slices.Concat(onStack, [][]string{{"ledger", "verify"}, {"ledger", "accept", "--reason", "x"},
		{"preflight"}, {"forecast"}, {"adopt", "--plan"}, {"metrics"}, {"dashboard"}, {"admission", "--user", "x"},
		{"simulate", "--rate", "1", "--for", "1m"}})
	w.refused(terminal.ExitUsage, []string{"stack production has 2 rollouts, invoices, payments",
		"rollout status -s production --rollout invoices"}, with(commands, "-s", "production")...)
	w.refused(terminal.ExitUsage, []string{`stack production has no rollout "orders": it has invoices, payments`},
		with(commands, "-s", "production", "--rollout", "orders")...)
}

// Each rollout has a history of its own, and every command that is printed names it.
func TestCommandsWorkOnTheNamedRollout(t *testing.T) {
	w := twoRollouts(t)
	w.at(10)
	w.note(ledger.Entry{Kind: ledger.RollbackBegun, Image: digest, Release: "week1", Who: "guard", Reason: "12 of 90"},
		ledger.Entry{Kind: ledger.RolledBack, Image: digest, Release: "week1", Who: "guard", Reason: "12 of 90"})
	for _, step := range []struct {
		args  []string
		words []string
	}{
		{[]string{"ledger", "verify", "--rollout", "payments"}, []string{"4 entries", "latched are " + digest}},
		{[]string{"ledger", "verify", "--rollout", "invoices"}, []string{"0 entries", "no image is latched"}},
		{[]string{"status", "--rollout", "payments"}, []string{"orders", "-s production --rollout payments"}},
		{[]string{"status", "--rollout", "payments", "-o", "json"}, []string{"-s production --rollout payments"}},
		{[]string{"advance", "--to", "10", "--yes", "--rollout", "payments"},
			[]string{"pulumi config set payments:canaryWeight 0 -s production", "--path payments:latch.release 3"}},
		{[]string{"report", "--rollout", "payments"}, []string{"rollout diagnose -s production --rollout payments"}},
		{[]string{"diagnose", "--rollout", "invoices"}, nil},
		{[]string{"unlatch", "--reason", "a drill", "--yes", "--rollout", "payments"}, []string{"is released"}},
		{[]string{"ledger", "verify", "--rollout", "payments"}, []string{"5 entries", "no image is latched"}},
	} {
		_, printed := called(t, append(step.args, "-s", "production")...)
		for _, word := range step.words {
			if !strings.Contains(printed, word) {
				t.Errorf("rollout %s does not say %q:\n%s", strings.Join(step.args, " "), word, printed)
			}
		}
		if strings.Contains(printed, "config set canaryWeight") || strings.Contains(printed, "--rollout payments --rollout") {
			t.Errorf("rollout %s prints a command without the rollout:\n%s", strings.Join(step.args, " "), printed)
		}
	}
	invoices := ledger.InConfigMap{Cluster: w.Client, Namespace: "invoices", Name: "invoices-ledger"}
	if history, err := ledger.Read(t.Context(), invoices); err != nil || len(history.Entries()) > 0 {
		t.Errorf("the other rollout has entries: %v", err)
	}
}

// The rollback of one rollout takes nothing of the other one out, and names its keys for the steps that are left.
func TestARollbackOfOneRollout(t *testing.T) {
	w := twoRollouts(t)
	w.at(10)
	_, printed := called(t, "rollback", "--yes", "--report", "-", "--watch", "0s", "--rollout", "payments", "-s",
		"production")
	for _, word := range []string{"week1", "payments:canaryWeight 0"} {
		if !strings.Contains(printed, word) {
			t.Errorf("no %q in\n%s", word, printed)
		}
	}
	store := ledger.InConfigMap{Cluster: w.Client, Namespace: "orders", Name: "orders-ledger"}
	history, err := ledger.Read(t.Context(), store)
	w.must(err)
	if _, latched := history.State().Latch(digest); !latched {
		t.Errorf("the image is not latched:\n%s", printed)
	}
}

// One rollout with a name needs none on the command line, and neither does the project's own beside other components.
func TestTheOnlyRolloutIsFound(t *testing.T) {
	for name, namespace := range map[string]string{"a name of its own": "payments:", "the project's own": "shop:"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write("Pulumi.production.yaml", strings.ReplaceAll(w.production(), "shop:", namespace)+
				"  frontend:image: nginx:1\n  frontend:app: web\n  aws:region: eu-west-1\n")
			_, err := ledger.Write(t.Context(), ledger.InConfigMap{Cluster: w.Client, Namespace: "orders",
				Name: "orders-ledger"}, time.Now, ledger.Entry{Kind: ledger.Attested, Name: "backups", Link: "x", Who: "anna"})
			w.prepared(err)
			code, printed := called(t, "ledger", "verify", "-s", "production")
			if code != terminal.ExitDone || !strings.Contains(printed, "1 entries") {
				t.Errorf("ends with %d:\n%s", code, printed)
			}
		})
	}
}

// A mistake in the configuration is told with a command that mends this rollout's.
func TestAMistakeNamesTheKeyOfTheRollout(t *testing.T) {
	w := twoRollouts(t)
	w.write("Pulumi.production.yaml", strings.Replace(w.production(), "payments:week: 1", "payments:week: 9", 1))
	w.refused(terminal.ExitFailed, []string{"pulumi config set payments:week"},
		[]string{"status", "-s", "production", "--rollout", "payments"})
	if _, printed := called(t, "ledger", "verify", "-s", "production", "--rollout", "invoices"); !strings.Contains(printed,
		"0 entries") {
		t.Errorf("the mistake of one rollout stops the other:\n%s", printed)
	}
}

func TestTheFlagCompletesTheRollouts(t *testing.T) {
	twoRollouts(t)
	root, out := rootCommand(), &bytes.Buffer{}
	root.SetArgs([]string{"__complete", "status", "-s", "production", "--rollout", ""})
	root.SetOut(out)
	if err := root.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "invoices\npayments\n") {
		t.Errorf("%v: %s", err, out)
	}
}
