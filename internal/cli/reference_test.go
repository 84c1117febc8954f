package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "write docs/cli.md and the golden files anew")

const preamble = `# The rollout command

Every command with its flags, as ` + "`--help`" + ` shows them. This file is generated from the commands by ` + "`make docs`" + `.

Exit codes: 0 done or in order, 1 failed or not in order, 2 wrong usage, 3 not enough evidence to decide.
`

// seeAlso are the links between the pages that the library expects; all commands are on one page here.
var seeAlso = regexp.MustCompile(`(?s)### SEE ALSO.*$`)

// reference is one page of all commands.
func reference(t *testing.T) string {
	t.Helper()
	var page strings.Builder
	page.WriteString(preamble)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.DisableAutoGenTag = true
		var text bytes.Buffer
		if err := doc.GenMarkdown(cmd, &text); err != nil {
			t.Fatal(err)
		}
		if cmd.HasParent() && cmd.Name() != "completion" && cmd.Name() != "help" {
			page.WriteString("\n" + strings.TrimSpace(seeAlso.ReplaceAllString(text.String(), "")) + "\n")
		}
		for _, below := range cmd.Commands() {
			if cmd.Name() != "completion" {
				walk(below)
			}
		}
	}
	walk(rootCommand())
	return page.String()
}

func TestTheReferenceIsWhatTheCommandsSay(t *testing.T) {
	path, want := filepath.Join("..", "..", "docs", "cli.md"), reference(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(committed)); diff != "" {
		t.Errorf("docs/cli.md is out of date; run `make docs` (-generated +committed):\n%s", diff)
	}
}
