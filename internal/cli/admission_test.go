package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/terminal"
)

func TestThePoliciesOfAStack(t *testing.T) {
	w := newWorld(t)
	w.refused(terminal.ExitUsage, []string{"--user or --group is missing"}, []string{"admission", "-s", "production"})
	w.refused(terminal.ExitUsage, []string{"is no name of an account"},
		[]string{"admission", "-s", "production", "--user", " x"})
	code, printed := called(t, "admission", "-s", "production", "--user", "deployer")
	if code != terminal.ExitDone || strings.Count(printed, "  name: orders.orders.records\n") != 2 {
		t.Errorf("ends with %d:\n%s", code, printed)
	}
	code, printed = called(t, "admission", "-s", "production", "--group", "deployers", "-o", "json")
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(printed), &list); err != nil || code != terminal.ExitDone || len(list.Items) != 12 {
		t.Errorf("ends with %d, %v, %d items:\n%s", code, err, len(list.Items), printed)
	}
	for _, word := range []string{`\"orders-ledger\", \"orders-notified\"`, `\"deployers\"`,
		"system:serviceaccount:orders:orders-guard"} {
		if !strings.Contains(printed, word) {
			t.Errorf("does not print %q:\n%s", word, printed)
		}
	}
}
