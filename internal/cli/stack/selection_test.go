//go:build unix

package stack

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/terminal"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// ls is a case of the script for cli: the stacks that the CLI lists.
func ls(stacks string) string { return "*'stack ls'*) echo '" + stacks + "' ;;\n" }

func TestTheStackThatIsMeant(t *testing.T) {
	for name, tt := range map[string]struct {
		option, variable, want string
	}{
		"named":        {"production", "staging", "production"},
		"the variable": {"", "acme/shop/production", "production"},
		"the selected": {"", "", "staging"},
		"no option":    {"", "staging", "staging"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t)
			configure(t, dir, "staging", "config:\n  shop:image: orders:2\n  shop:strategy: single\n"+
				"  shop:namespace: orders-staging\n  shop:prometheus: http://prometheus:9090\n"+
				"  shop:secretEnv: { PASSWORD: db/password }\n  shop:secrets: { db: { password: { secure: x } } }\n"+
				"  shop:smoke: { tokenFrom: \"\", originFrom: \"\" }\n")
			t.Setenv("PULUMI_STACK", tt.variable)
			cli(t, dir, ls(`[{"name":"production"},{"name":"staging","current":true}]`))
			stack, err := Open(t.Context(), Options{Stack: tt.option, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if stack.Name != tt.want || stack.Settings.Environment != tt.want {
				t.Errorf("opened %s with the settings of %s", stack.Name, stack.Settings.Environment)
			}
		})
	}
}

func TestNoStackIsMeant(t *testing.T) {
	for name, tt := range map[string]struct {
		cases string
		want  []string
	}{
		"none selected": {ls("[]"), []string{"none is selected", "--stack", "`pulumi stack select`", "broken, production"}},
		"no login":      {refuses("stack ls", "not logged in"), []string{"cannot be read: not logged in: name a stack"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t)
			cli(t, dir, tt.cases)
			_, err := Open(t.Context(), Options{Dir: dir})
			testkit.WantError(t, err, tt.want...)
			if terminal.ExitCode(err) != terminal.ExitUsage {
				t.Errorf("exit code %d", terminal.ExitCode(err))
			}
		})
	}
}

// The file of a stack is named after the stack alone: another project's stack of that name must not be taken for this
// one.
func TestAStackOfAnotherProjectIsRefused(t *testing.T) {
	dir := project(t)
	for _, name := range []string{"acme/bank/production", "acme/webshop/production"} {
		stack, err := Open(t.Context(), Options{Stack: name, Dir: dir})
		if stack != nil {
			t.Errorf("%s: opened %s", name, stack.Owner())
		}
		testkit.WantError(t, err, name, "belongs to another project", "shop", "--cwd")
		if terminal.ExitCode(err) != terminal.ExitUsage {
			t.Errorf("%s: exit code %d", name, terminal.ExitCode(err))
		}
	}
	if stack, err := Open(t.Context(), Options{Stack: "acme/production", Dir: dir}); err != nil ||
		stack.Name != "production" {
		t.Errorf("organization and stack: %v", err)
	}
}

// A configuration in a Pulumi ESC environment is read by the CLI, without the secrets.
func TestAnEnvironmentIsReadByTheCLI(t *testing.T) {
	dir := project(t)
	configure(t, dir, "production", "environment: [payments]\nconfig:\n  shop:image: orders:2\n")
	_, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	testkit.WantError(t, err, "Pulumi CLI")
	calls := cli(t, dir, configured("[secret]"))
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if stack.Settings.Namespace != "from-esc" {
		t.Errorf("namespace %s", stack.Settings.Namespace)
	}
	if got := calls(); !slices.Equal(got, []string{"config --json --stack production"}) {
		t.Errorf("calls %q", got)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for name, tt := range map[string]struct {
		file, text string
		want       []string
	}{
		"the stack's": {"Pulumi.production.yaml", "config: [", []string{"read ", "Pulumi.production.yaml"}},
		"the project": {"Pulumi.yaml", "name: [", []string{"read the project"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := project(t)
			if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
			testkit.WantError(t, err, tt.want...)
		})
	}
	if stacks := Stacks(t.TempDir()); len(stacks) > 0 {
		t.Errorf("stacks outside a project: %s", strings.Join(stacks, ", "))
	}
}
