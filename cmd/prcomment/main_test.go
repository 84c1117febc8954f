package main

import (
	"bytes"
	"errors"
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

// The judge lets through what policies judged and nothing refuses, and nothing else: what it reads may be forged, a
// link or missing.
func TestTheJudge(t *testing.T) {
	const judged = `{"policyAnalyzeSummaryEvent":{"resourceUrn":"u","policyPackName":"p","policyPackVersion":"1","passed":["a"]}}` +
		"\n"
	const ended = `{"summaryEvent":{"resourceChanges":{"same":22},"result":"succeeded"}}`
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.json", judged+ended)
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file    string
		refused bool
	}{
		"good":        {good, false},
		"missing":     {good + ".missing", true},
		"a link":      {link, true},
		"a folder":    {dir, true},
		"empty":       {write("empty.json", ""), true},
		"no policies": {write("free.json", ended), true},
		"cut off":     {write("cut.json", judged), true},
		"no JSON":     {write("text.json", "succeeded"), true},
		"failed":      {write("failed.json", judged+`{"summaryEvent":{"result":"failed"}}`), true},
		"an error": {write("error.json", judged+`{"diagnosticEvent":{"severity":"error","message":"the gate refuses"}}`+"\n"+
			ended), true},
		"a violation": {write("violation.json", judged+`{"policyEvent":{"policyName":"a","enforcementLevel":"mandatory"}}`+
			"\n"+ended), true},
		"advice": {write("advice.json", judged+`{"policyEvent":{"policyName":"a","enforcementLevel":"advisory"}}`+
			"\n"+ended), false},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := run("--judge", "staging="+good, "production="+tt.file)
			if errors.Is(err, errRefused) != tt.refused || !strings.Contains(out, prcomment.Marker) {
				t.Errorf("%v:\n%s", err, out)
			}
			if _, err := run("production=" + tt.file); err != nil {
				t.Errorf("without --judge: %v", err)
			}
		})
	}
}

// Where the previews come from decides whether they count.
func TestTheJudgeAsksWhoWroteThePreview(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	preview := write("preview.json", `{"policyAnalyzeSummaryEvent":{"resourceUrn":"u","policyPackName":"p",`+
		`"policyPackVersion":"1","passed":["a"]}}`+"\n"+
		`{"summaryEvent":{"resourceChanges":{"same":22},"result":"succeeded"}}`)
	write("approvals.json", `[]`)
	write("artifacts.json", `{"artifacts":[{"name":"preview-production","digest":"sha256:aa",`+
		`"workflow_run":{"head_sha":"01"}}]}`)
	judge := func(files string) error {
		write("compare.json", files)
		_, err := run("--judge", "--commit", "01", "--author", "mallory", "--origin", dir, "production="+preview)
		return err
	}
	if err := judge(`{"files":[{"filename":"README.md"}]}`); err != nil {
		t.Errorf("a document: %v", err)
	}
	if err := judge(`{"files":[{"filename":"main.go"}]}`); !errors.Is(err, errRefused) {
		t.Errorf("another program: %v", err)
	}
	if err := judge(`{}`); err == nil || errors.Is(err, errRefused) {
		t.Errorf("no comparison: %v", err)
	}
	if _, err := run("--origin", dir, "production="+preview); err == nil {
		t.Error("an origin without a commit is accepted")
	}
}
