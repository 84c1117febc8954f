package scope

import (
	"errors"
	"testing"
)

var payments = Scope{Config: "payments", Rollout: "payments", Output: "payments"}

func TestCommandsNameTheRollout(t *testing.T) {
	for text, want := range map[string]string{
		"to fix: pulumi config set week 2 -s a":              "to fix: pulumi config set payments:week 2 -s a",
		"`pulumi config set --path staging.stack NAME -s a`": "`pulumi config set --path payments:staging.stack NAME -s a`",
		"pulumi config set --secret --path 'secrets.db' -s a && pulumi config rm week -s a": "pulumi config set --secret " +
			"--path 'payments:secrets.db' -s a && pulumi config rm payments:week -s a",
		"pulumi config get payments:week -s a":              "pulumi config get payments:week -s a",
		"`pulumi stack output verifiedImage -s org/shop/a`": "`pulumi stack output payments.verifiedImage -s org/shop/a`",
		"`rollout status -s production`.":                   "`rollout status -s production --rollout payments`.",
		"rollout unlatch --reason WHY -s production":        "rollout unlatch --reason WHY -s production --rollout payments",
		"rollout unlatch -s production --reason WHY":        "rollout unlatch -s production --rollout payments --reason WHY",
		"rollout status -s production --rollout payments":   "rollout status -s production --rollout payments",
		"the rollout waits: `pulumi up -s production`":      "the rollout waits: `pulumi up -s production`",
		"this rollout is late, try pulumi up -s production": "this rollout is late, try pulumi up -s production",
		"the rollout goes on: rollout status -s a":          "the rollout goes on: rollout status -s a --rollout payments",
		"`rollout rollback -s a` or `rollout finish -s a`": "`rollout rollback -s a --rollout payments` or " +
			"`rollout finish -s a --rollout payments`",
		"pulumi up -s a && rollout status -s a/b/c":     "pulumi up -s a && rollout status -s a/b/c --rollout payments",
		"rollout ledger verify --rollout payments -s a": "rollout ledger verify --rollout payments -s a",
		"nothing to do": "nothing to do",
	} {
		once := payments.Commands(text)
		if once != want {
			t.Errorf("%q became %q, want %q", text, once, want)
		}
		if twice := payments.Commands(once); twice != once {
			t.Errorf("%q became %q the second time", once, twice)
		}
		if alone := (Scope{}).Commands(text); alone != text {
			t.Errorf("the only rollout of a stack changes %q to %q", text, alone)
		}
	}
}

func TestAnErrorStaysTheErrorThatItIs(t *testing.T) {
	cause := errors.New("refused: rollout status -s a")
	err := payments.Error(cause)
	if err.Error() != "refused: rollout status -s a --rollout payments" || !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if payments.Error(nil) != nil || (Scope{}).Error(cause) != cause { //nolint:errorlint // the very same error is meant
		t.Error("there is an error in the place of none, or another one")
	}
}
