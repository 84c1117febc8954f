package prcomment

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shell is the script of a workflow's step, with its name.
func shell(t *testing.T, file, job, step string) string {
	t.Helper()
	_, document := workflow(t, github+"workflows/"+file)
	for _, raw := range document["jobs"].(map[string]any)[job].(map[string]any)["steps"].([]any) {
		fields := raw.(map[string]any)
		if fields["name"] == step {
			return fields["run"].(string)
		}
	}
	t.Fatalf("%s: job %s has no step %q", file, job, step)
	return ""
}

// desk is a checkout of main on a remote that others push to, and the programs that a step calls.
type desk struct {
	t                    *testing.T
	dir, remote, bin, rc string
}

// stubs are the programs of a step. Each notes how it was called. The first `pulumi config set` lets somebody else push
// when a race is asked for.
var stubs = map[string]string{
	"pulumi": `case "$*" in
"config set --stack production canaryWeight "*)
  if [ -d "$RACER" ] && [ "$(wc -l < "$RACES")" -gt 0 ]; then
    sed -i 1d "$RACES"
    git -C "$RACER" pull --quiet origin main
    echo "  finance-rollout:image: shop@sha256:$RANDOM$RANDOM" >> "$RACER/Pulumi.production.yaml"
    git -C "$RACER" -c user.name=x -c user.email=x@example.com commit --quiet --all --message "Another image"
    git -C "$RACER" push --quiet origin HEAD:main
  fi
  sed -i /canaryWeight/d Pulumi.production.yaml
  echo "  finance-rollout:canaryWeight: $6" >> Pulumi.production.yaml ;;
preview*) echo '{"summaryEvent":{}}'; exit "${PULUMI_CODE:-0}" ;;
esac`,
	"sleep": ":",
	"go":    `[ "$1" = build ]`,
	"gh":    `case "$*" in *--paginate*) echo "${COMMENTS:-}" ;; esac`,
	// Its codes come from a file, one for each call; without any it succeeds.
	"rollout":   `code="$(head -n 1 "$CODES")"; sed -i 1d "$CODES"; echo report > "$RUNNER_TEMP/rollback.md"; exit "${code:-0}"`,
	"prcomment": `echo comment; exit "${JUDGE_CODE:-0}"`,
}

func newDesk(t *testing.T, races int, codes ...string) *desk {
	t.Helper()
	root := t.TempDir()
	d := &desk{t: t, dir: filepath.Join(root, "work"), remote: filepath.Join(root, "remote.git"),
		bin: filepath.Join(root, "bin"), rc: root}
	script, err := os.ReadFile(github + "scripts/commit-weight")
	d.must(err)
	for name, text := range stubs {
		d.write(filepath.Join("bin", name), "#!/usr/bin/env bash\necho \""+name+" $*\" >> \"$CALLS\"\n"+text+"\n", 0o755)
	}
	d.write("calls", "", 0o600)
	d.write("output", "", 0o600)
	d.write("races", strings.Repeat("race\n", races), 0o600)
	d.write("codes", strings.Join(append(codes, ""), "\n"), 0o600)
	d.must(os.MkdirAll(filepath.Join(root, "tmp"), 0o755))
	for _, name := range []string{"rollout", "prcomment"} {
		d.must(os.Rename(filepath.Join(d.bin, name), filepath.Join(root, "tmp", name)))
	}
	d.git(root, "init", "--quiet", "--bare", "--initial-branch=main", d.remote)
	d.git(root, "clone", "--quiet", d.remote, d.dir)
	d.write("work/Pulumi.production.yaml", "config:\n  finance-rollout:canaryWeight: 10\n", 0o600)
	d.write("work/.github/scripts/commit-weight", string(script), 0o755)
	d.git(d.dir, "add", "--all")
	d.git(d.dir, "commit", "--quiet", "--message", "First")
	d.git(d.dir, "push", "--quiet", "origin", "HEAD:main")
	d.git(root, "clone", "--quiet", d.remote, filepath.Join(root, "racer"))
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) write(name, text string, mode os.FileMode) {
	d.t.Helper()
	path := filepath.Join(d.rc, name)
	d.must(os.MkdirAll(filepath.Dir(path), 0o755))
	d.must(os.WriteFile(path, []byte(text), mode))
}

func (d *desk) read(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.rc, name))
	d.must(err)
	return string(text)
}

func (d *desk) git(dir string, args ...string) string {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), "git", append([]string{"-c", "user.name=x",
		"-c", "user.email=x@example.com"}, args...)...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	if err != nil {
		d.t.Fatalf("git %q: %v\n%s", args, err, output)
	}
	return string(output)
}

// run runs a script as the runner does.
func (d *desk) run(script string, env ...string) (output string, failed bool) {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), "bash", "-e", "-c", script)
	command.Dir = d.dir
	at := func(name string) string { return filepath.Join(d.rc, name) }
	command.Env = append(os.Environ(), append([]string{"PATH=" + d.bin + ":" + os.Getenv("PATH"),
		"CALLS=" + at("calls"), "RACES=" + at("races"), "RACER=" + at("racer"), "CODES=" + at("codes"),
		"RUNNER_TEMP=" + at("tmp"), "GITHUB_OUTPUT=" + at("output"), "GITHUB_STEP_SUMMARY=" + at("summary"),
		"ACTOR=anna"}, env...)...)
	text, err := command.CombinedOutput()
	return string(text), err != nil
}

// main is the stack's file on the remote's main.
func (d *desk) main() string { return d.git(d.remote, "show", "main:Pulumi.production.yaml") }

// Somebody else pushes between the fetch and the push, twice: neither change is lost.
func TestAWeightIsPushedThroughARace(t *testing.T) {
	const hostile = "totals are \"wrong\"; $(touch pwned) `touch pwned`\n\n[deploy] ${HOME} --amend"
	for file, tt := range map[string]struct{ job, step, env, weight string }{
		"rollback.yaml": {"rollback", "Commit the weight", "REASON=" + hostile, "0"},
		"advance.yaml":  {"advance", "Commit the weight", "WEIGHT=30", "30"},
	} {
		t.Run(file, func(t *testing.T) {
			d := newDesk(t, 2)
			if output, failed := d.run(shell(t, file, tt.job, tt.step), tt.env); failed {
				t.Fatal(output)
			}
			main := d.main()
			if !strings.Contains(main, "canaryWeight: "+tt.weight+"\n") || strings.Count(main, "canaryWeight") != 1 ||
				strings.Count(main, "shop@sha256:") != 2 {
				t.Errorf("main:\n%s", main)
			}
			log := d.git(d.remote, "log", "--format=%an %s%n%b", "main")
			if strings.Count(log, "Another image") != 2 || strings.Count(log, "anna Production - canary") != 1 ||
				!strings.Contains(log, "[skip ci]") {
				t.Errorf("log:\n%s", log)
			}
			if file == "rollback.yaml" && !strings.Contains(log, "$(touch pwned) `touch pwned`") {
				t.Errorf("the reason is not in the log:\n%s", log)
			}
			if _, err := os.Stat(filepath.Join(d.dir, "pwned")); err == nil {
				t.Error("the reason was run")
			}
		})
	}
}

func TestAWeightThatMainHasIsNotCommittedAgain(t *testing.T) {
	d := newDesk(t, 0)
	before := d.git(d.remote, "rev-parse", "main")
	output, failed := d.run(shell(t, "advance.yaml", "advance", "Commit the weight"), "WEIGHT=10")
	if failed || !strings.Contains(output, "main asks for 10 % already") ||
		d.git(d.remote, "rev-parse", "main") != before {
		t.Errorf("failed %v: %s", failed, output)
	}
}

// A push that is always refused is told, with the command that is left.
func TestAPushThatIsRefused(t *testing.T) {
	d := newDesk(t, 0)
	d.write("remote.git/hooks/update", "#!/bin/sh\nexit 1\n", 0o755)
	output, failed := d.run(shell(t, "rollback.yaml", "rollback", "Commit the weight"), "REASON=x")
	if !failed || !strings.Contains(output, "::error::main does not ask for 0 %") ||
		!strings.Contains(output, "pulumi config set canaryWeight 0 -s production") ||
		strings.Count(d.read("calls"), "config set") != 10 {
		t.Errorf("failed %v: %s", failed, output)
	}
}

// The canary leaves first, whatever holds the stack; what is left is repeated until it is done.
func TestARollbackIsFinished(t *testing.T) {
	d := newDesk(t, 0, "1", "1", "1", "0")
	if output, failed := d.run(shell(t, "rollback.yaml", "rollback", "Take the canary out"),
		"REASON=--yes, \"really\""); failed {
		t.Fatal(output)
	}
	if d.read("output") != "code=1\n" || d.read("summary") != "report\n" {
		t.Errorf("output %q, summary %q", d.read("output"), d.read("summary"))
	}
	if output, failed := d.run(shell(t, "rollback.yaml", "rollback", "Finish what is left"), "REASON=x"); failed {
		t.Error(output)
	}
	calls := d.read("calls")
	if strings.Count(calls, "rollout rollback --stack production --yes --reason=") != 4 ||
		strings.Count(calls, "sleep") != 3 || !strings.Contains(calls, `--reason=--yes, "really" --report`) {
		t.Errorf("calls:\n%s", calls)
	}
	d = newDesk(t, 0, strings.Split(strings.Repeat("1 ", 20), " ")...)
	output, failed := d.run(shell(t, "rollback.yaml", "rollback", "Finish what is left"), "REASON=x")
	if !failed || !strings.Contains(output, "::error::the canary may be out, but the rollback is not complete") {
		t.Errorf("failed %v: %s", failed, output)
	}
}

// A preview that fails is an artifact all the same.
func TestAPreviewThatFailsIsWritten(t *testing.T) {
	for _, code := range []string{"0", "255"} {
		d := newDesk(t, 0)
		output, failed := d.run(shell(t, "preview.yaml", "preview", "Preview the stack"), "STACK=production",
			"PULUMI_CODE="+code)
		if failed || d.read("tmp/preview.json") == "" || strings.Contains(output, "failed") != (code != "0") {
			t.Errorf("%s: failed %v: %s", code, failed, output)
		}
	}
}

// The judge's exit code becomes the status of the commit, and one comment is kept up to date.
func TestTheJudgeTells(t *testing.T) {
	for code, want := range map[string]string{"0": "success", "1": "failure", "2": "error"} {
		d := newDesk(t, 0)
		asked := []string{"COMMIT=0123", "REPOSITORY=o/r", "BASE=main", "RUN=5", "AUTHOR=anna", "JUDGE_CODE=" + code}
		for _, step := range []string{"Ask where the previews come from", "Judge"} {
			if output, failed := d.run(shell(t, "judge.yaml", "judge", step), asked...); failed {
				t.Fatal(output)
			}
		}
		for _, want := range []string{"repos/o/r/compare/main...0123", "repos/o/r/actions/runs/5/approvals",
			"repos/o/r/actions/runs/5/artifacts", "--commit 0123 --author anna --origin " + filepath.Join(d.rc, "tmp/origin")} {
			if calls := d.read("calls"); !strings.Contains(calls, want) {
				t.Errorf("no %q among the calls:\n%s", want, calls)
			}
		}
		if d.read("output") != "state="+want+"\n" || d.read("summary") != "comment\n" {
			t.Errorf("%s: output %q, summary %q", code, d.read("output"), d.read("summary"))
		}
		env := []string{"COMMIT=0123", "STATE=" + want, "REPOSITORY=o/r", "NUMBER=7", "PAGE=https://x", "MARKER=" + Marker}
		if output, failed := d.run(shell(t, "judge.yaml", "judge", "Set the status of the commit"), env...); failed {
			t.Fatal(output)
		}
		if calls := d.read("calls"); !strings.Contains(calls, "repos/o/r/statuses/0123 --raw-field state="+want) {
			t.Errorf("calls:\n%s", calls)
		}
	}
	for comments, want := range map[string]string{"": "POST repos/o/r/issues/7/comments",
		"42": "PATCH repos/o/r/issues/comments/42"} {
		d := newDesk(t, 0)
		output, failed := d.run(shell(t, "judge.yaml", "judge", "Update the comment in place"), "REPOSITORY=o/r",
			"NUMBER=7", "COMMENTS="+comments, "MARKER="+Marker)
		if failed || !strings.Contains(d.read("calls"), want) {
			t.Errorf("%s:\n%s", output, d.read("calls"))
		}
	}
}

// Every script of every workflow and action can be parsed.
func TestEveryScriptIsAScript(t *testing.T) {
	actions, err := filepath.Glob(github + "actions/*/action.yaml")
	if err != nil {
		t.Fatal(err)
	}
	scripts := 0
	for _, path := range append(workflows(t), actions...) {
		_, document := workflow(t, path)
		var walk func(value any)
		walk = func(value any) {
			switch value := value.(type) {
			case map[string]any:
				if script, ok := value["run"].(string); ok {
					scripts++
					if output, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", script).CombinedOutput(); err != nil {
						t.Errorf("%s: %v\n%s\n%s", path, err, output, script)
					}
				}
				for _, child := range value {
					walk(child)
				}
			case []any:
				for _, child := range value {
					walk(child)
				}
			}
		}
		walk(document)
	}
	if scripts < 12 {
		t.Errorf("only %d scripts", scripts)
	}
}
