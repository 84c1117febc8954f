//go:build unix

package stack

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/scope"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// named turns the rollout of the stack production into one with a name.
func named(t *testing.T, dir, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "Pulumi.production.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	configure(t, dir, "production", strings.ReplaceAll(string(text), "shop:", name+":")+"  payments:app: orders\n")
}

func TestANamedRolloutReadsAndWritesItsNamespace(t *testing.T) {
	dir := project(t)
	named(t, dir, "payments")
	add(t, dir, "  shop:region: here\n  payments:week: 3\n")
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if stack.Settings.Week != 3 || stack.Settings.App != "orders" || stack.Owner() != "shop/production" {
		t.Errorf("week %d of %s, owned by %s", stack.Settings.Week, stack.Settings.App, stack.Owner())
	}
	if want := (scope.Scope{Config: "payments", Output: "payments"}); stack.Scope() != want {
		t.Errorf("scope %+v", stack.Scope())
	}
	values, err := stack.Values([]string{"week", "region"})
	if diff := cmp.Diff(map[string]string{"week": "3", "region": ""}, values); diff != "" || err != nil {
		t.Errorf("values %v (-want +got):\n%s", err, diff)
	}
	if err := stack.Write(map[string]any{"replicas": 12}); err != nil {
		t.Fatal(err)
	}
	if given, err := stack.Given(); err != nil || given["replicas"] != 12.0 || given["region"] != nil {
		t.Errorf("given %v: %v", given, err)
	}
	calls := cli(t, dir, "")
	if err := stack.Set(t.Context(), map[string]string{"canaryWeight": "0", "override.weight": ""}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"payments:canaryWeight=0", "payments:override.weight"} {
		if !slices.ContainsFunc(calls(), func(call string) bool { return strings.Contains(call, want) }) {
			t.Errorf("no call with %s: %q", want, calls())
		}
	}
}

func TestSecretsOfANamedRollout(t *testing.T) {
	dir := project(t)
	named(t, dir, "payments")
	stack := production(t, dir)
	cli(t, dir, strings.ReplaceAll(configured(password), `"shop:`, `"payments:`))
	revealed, err := stack.WithSecrets(t.Context())
	if err != nil || !slices.Contains(revealed.Revealed(), password) {
		t.Errorf("the secrets are not decrypted: %v", err)
	}
}

// Outputs begin with the rollout's name, which the program may have set apart from that of its configuration.
func TestOutputsOfANamedRollout(t *testing.T) {
	dir := project(t)
	named(t, dir, "payments")
	for name, tt := range map[string]struct{ outputs, want string }{
		"its own":      {`{"payments.verifiedImage":"a","invoices.verifiedImage":"b","verifiedImage":"c"}`, "a"},
		"another name": {`{"pay.configuration":"payments","pay.verifiedImage":"a","verifiedImage":"c"}`, "a"},
		"none yet":     {`{"verifiedImage":"c"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			stack := production(t, dir)
			cli(t, dir, "*'stack output'*) echo '"+tt.outputs+"' ;;\n")
			outputs, err := stack.OutputsOf(t.Context(), "staging")
			got, _ := outputs["verifiedImage"].(string)
			if err != nil || got != tt.want {
				t.Errorf("%q: %v", got, err)
			}
		})
	}
}

// The same rollout is meant in the stack that verifies, and when the file is read again.
func TestASiblingIsTheSameRollout(t *testing.T) {
	dir := project(t)
	text, err := os.ReadFile(filepath.Join(dir, "Pulumi.production.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	own, _ := strings.CutPrefix(string(text), "config:\n")
	both := "config:\n" + strings.ReplaceAll(own, "shop:", "payments:") + strings.ReplaceAll(own, "shop:", "invoices:") +
		"  payments:app: payments\n  invoices:app: invoices\n  payments:week: 1\n  invoices:week: 2\n"
	both = strings.Replace(both, "  aws:region: eu-west-1\n", "", 1)
	configure(t, dir, "production", both)
	configure(t, dir, "staging", both)
	_, err = Open(t.Context(), Options{Stack: "production", Dir: dir})
	testkit.WantError(t, err, "invoices, payments", "rollout status -s production --rollout invoices")
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir, Rollout: "invoices"})
	if err != nil {
		t.Fatal(err)
	}
	if want := (scope.Scope{Config: "invoices", Output: "invoices", Rollout: "invoices"}); stack.Scope() != want {
		t.Errorf("scope %+v", stack.Scope())
	}
	sibling, err := stack.Sibling(t.Context(), "staging")
	if err != nil || sibling.Settings.Week != 2 || sibling.Name != "staging" {
		t.Errorf("the sibling is %+v: %v", sibling, err)
	}
	again, err := stack.Reopen(t.Context())
	if err != nil || again.Settings.Week != 2 {
		t.Errorf("opened again: %v", err)
	}
}
