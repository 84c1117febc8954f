package cli

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// cutAtTen is a rollout at 10 % whose ledger has lost its last entry, by the head in the release record.
func cutAtTen(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	_, err := w.Clientset.CoreV1().ConfigMaps("orders").Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "orders-release"}}, metav1.CreateOptions{})
	w.must(err)
	w.at(10)
	store := ledger.InConfigMap{Cluster: w.Client, Namespace: "orders", Name: "orders-ledger", Record: "orders-release"}
	_, err = ledger.Write(t.Context(), store, time.Now,
		ledger.Entry{Kind: ledger.RollbackBegun, Image: digest, Who: "guard", Reason: "12 of 90 failed"})
	w.must(err)
	live, err := w.Clientset.CoreV1().ConfigMaps("orders").Get(t.Context(), "orders-ledger", metav1.GetOptions{})
	w.must(err)
	lines := strings.SplitAfter(strings.TrimSuffix(live.Data["history"], "\n"), "\n")
	live.Data["history"] = strings.Join(lines[:len(lines)-1], "")
	_, err = w.Clientset.CoreV1().ConfigMaps("orders").Update(t.Context(), live, metav1.UpdateOptions{})
	w.prepared(err)
	return w
}

func TestVerifyTellsOfALossAndAcceptGoesOn(t *testing.T) {
	cutAtTen(t)
	for _, step := range []struct {
		args  []string
		code  int
		words []string
	}{
		{[]string{"ledger", "verify"}, terminal.ExitFailed, []string{"has lost entries",
			"it had number 3, and ends with number 2",
			"no image is latched", "rollout ledger accept --reason WHY -s production", "stack's outputs"}},
		{[]string{"unlatch", "--reason", "x", "--yes"}, terminal.ExitFailed, []string{"has lost entries"}},
		{[]string{"ledger", "accept", "--yes"}, terminal.ExitUsage, []string{"--reason is missing"}},
		{[]string{"ledger", "accept", "--yes", "--reason", "a drill"}, terminal.ExitDone,
			[]string{"entry 4: accepted the loss of entries up to 3 (a drill)"}},
		{[]string{"ledger", "verify"}, terminal.ExitDone, []string{"the ledger is in order: 3 entries up to number 4"}},
		{[]string{"ledger", "accept", "--yes", "--reason", "a drill"}, terminal.ExitUsage, []string{"has lost nothing"}},
	} {
		code, printed := called(t, append(step.args, "-s", "production")...)
		if code != step.code {
			t.Errorf("rollout %s ends with %d, want %d:\n%s", strings.Join(step.args, " "), code, step.code, printed)
		}
		for _, word := range step.words {
			if !strings.Contains(printed, word) {
				t.Errorf("rollout %s does not say %q:\n%s", strings.Join(step.args, " "), word, printed)
			}
		}
	}
}

func TestTheLedgerOfAStackWithOneTrack(t *testing.T) {
	newWorld(t).refused(terminal.ExitUsage, []string{"has one track"},
		[]string{"ledger", "verify", "-s", "staging"}, []string{"ledger", "accept", "--reason", "x", "-s", "staging"})
}

// A ledger that nobody has signed is told from one that is in order, and needs the stack's key to be signed.
func TestALedgerThatNobodyHasSigned(t *testing.T) {
	w := newWorld(t)
	_, public := testkit.SigningKey(t)
	w.write("Pulumi.production.yaml", strings.Replace(w.production(), "{ db: {",
		"{ ledger: { operator: { secure: not-decrypted } }, db: {", 1)+
		"  shop:ledger: { publicKeys: [\""+public+"\"], signingKey: ledger/operator }\n")
	w.at(10)
	code, printed := called(t, "ledger", "verify", "-s", "production", "-o", "json")
	if code != terminal.ExitFailed || !strings.Contains(printed, `"signed": false`) ||
		!strings.Contains(printed, `"inOrder": false`) {
		t.Errorf("ends with %d:\n%s", code, printed)
	}
	w.refused(terminal.ExitFailed, []string{"is not signed by a trusted key", "rollout ledger accept"},
		[]string{"ledger", "verify", "-s", "production"})
	code, printed = called(t, "ledger", "accept", "--yes", "--reason", "the key is new", "-s", "production")
	if code != terminal.ExitFailed || !strings.Contains(printed, "sign the ledger") ||
		!strings.Contains(printed, "decrypt the ledger's key") {
		t.Errorf("ends with %d:\n%s", code, printed)
	}
}
