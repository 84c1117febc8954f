//go:build unix

package stack

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The state goes through as it is, its secrets encrypted, and reaches no file.
func TestTheStateIsExchangedEncrypted(t *testing.T) {
	dir := project(t)
	stack := production(t, dir)
	imported := filepath.Join(dir, "imported")
	calls := cli(t, dir, "*'stack export'*) echo '{\"version\":3}' ;;\n"+
		"*'stack import'*) read -r line; echo \"$line\" >'"+imported+"' ;;")
	state, err := stack.ExportState(t.Context())
	if err != nil || strings.TrimSpace(string(state)) != `{"version":3}` {
		t.Fatalf("%s, %v", state, err)
	}
	if err := stack.ImportState(t.Context(), []byte("{\"version\":3,\"deployment\":{}}\n")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(imported)
	if err != nil || strings.TrimSpace(string(text)) != `{"version":3,"deployment":{}}` {
		t.Errorf("imported %s, %v", text, err)
	}
	want := []string{"stack export --stack production", "stack import --stack production"}
	if diff := cmp.Diff(want, calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestDestroy(t *testing.T) {
	dir := project(t)
	stack := production(t, dir)
	calls := cli(t, dir, "*destroy*) ;;")
	if err := stack.Destroy(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(calls(), "\n")
	if !strings.Contains(all, "destroy ") || !strings.Contains(all, "--yes --skip-preview --stack production") {
		t.Errorf("called\n%s", all)
	}
	cli(t, dir, refuses("destroy", "no such cluster")+refuses("stack export", "not logged in"))
	if err := stack.Destroy(t.Context(), io.Discard); err == nil ||
		!strings.Contains(err.Error(), "pulumi destroy -s production failed") {
		t.Errorf("error %v", err)
	}
	if _, err := stack.ExportState(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "pulumi stack export -s production") ||
		!strings.Contains(err.Error(), "not logged in") {
		t.Errorf("error %v", err)
	}
}
