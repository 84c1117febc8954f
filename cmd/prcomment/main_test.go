package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/prcomment"
)

func run(args ...string) (string, error) {
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.Execute()
	return out.String(), err
}

func TestStacksThatCannotBeReadAreTold(t *testing.T) {
	good := filepath.Join(t.TempDir(), "staging.json")
	if err := os.WriteFile(good, []byte(`{"summaryEvent":{"resourceChanges":{"same":22},"result":"succeeded"}}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run("--commit", "0123", "staging="+good, "production="+good+".missing")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{prcomment.Marker, "0123", "`staging`: nothing to change",
		"`production`: no preview", "no such file"} {
		if !strings.Contains(out, word) {
			t.Errorf("the comment does not hold %q:\n%s", word, out)
		}
	}
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{{}, {"production"}, {"=file"}, {"production="}} {
		if out, err := run(args...); err == nil || strings.Contains(out, prcomment.Marker) {
			t.Errorf("%q is accepted: %s", args, out)
		}
	}
}
