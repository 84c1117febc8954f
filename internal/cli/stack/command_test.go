//go:build unix

package stack

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
)

// cli puts a script in the place of the Pulumi CLI and returns how to list its calls. The cases of a shell's case
// command choose by the arguments; without one for them, there are no stacks, no outputs and no updates.
func cli(t *testing.T, dir, cases string) (calls func() []string) {
	t.Helper()
	log := filepath.Join(dir, "calls")
	script := "#!/bin/sh\necho \"$*\" >>'" + log + "'\ncase \"$*\" in\n" + cases + "\n*version*) echo v3.245.0 ;;\n" +
		"*'stack ls'*|*history*) echo '[]' ;;\n*'stack output'*) echo '{}' ;;\nesac\n"
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		t.Helper()
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(content), "--non-interactive ", "")), "\n")
		return slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "version") })
	}
}

// watched calls a function once when a word was written.
type watched struct {
	text strings.Builder
	word string
	then func()
	once sync.Once
}

func (w *watched) Write(text []byte) (int, error) {
	w.text.Write(text)
	if strings.Contains(w.text.String(), w.word) {
		w.once.Do(w.then)
	}
	return len(text), nil
}

func TestAnInterruptedUpdateWritesItsState(t *testing.T) {
	dir := project(t)
	cli(t, dir, "*' up '*) trap 'echo state is written; exit 1' INT; echo a hook waits; "+
		"while :; do /bin/sleep 0.02; done ;;")
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	progress := &watched{word: "a hook waits", then: interrupt}
	err = stack.Up(ctx, progress, false)
	for _, word := range []string{"was interrupted", "continue with `pulumi up -s production`",
		"`pulumi cancel -s production`"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error %v, want %q in it", err, word)
		}
	}
	for _, word := range []string{"interrupted: Pulumi starts no further step", "within 16m0s", "state is written"} {
		if !strings.Contains(progress.text.String(), word) {
			t.Errorf("%q is not told:\n%s", word, progress.text.String())
		}
	}
}

// A hook may bake for longer than pods take: Pulumi is not killed before it ends.
func TestTheLongestStep(t *testing.T) {
	stack, err := Open(t.Context(), Options{Stack: "production", Dir: project(t)})
	if err != nil {
		t.Fatal(err)
	}
	minutes := func(count time.Duration) model.Duration { return model.Duration(count * time.Minute) }
	given := stack.Settings
	for name, tt := range map[string]struct{ pods, smoke, bake, want time.Duration }{
		"pods":           {10, 1, 2, 10},
		"bake":           {10, 1, 30, 64},
		"smoke, no bake": {1, 3, 0, 12},
	} {
		given.ProgressLimit, given.Smoke.Timeout, given.Bake.Duration = minutes(tt.pods), minutes(tt.smoke), minutes(tt.bake)
		if got := stack.longestStep(); got != tt.want*time.Minute {
			t.Errorf("%s: %v, want %v minutes", name, got, int(tt.want))
		}
	}
}

func TestACLIThatDoesNotEndIsKilled(t *testing.T) {
	dir := project(t)
	cli(t, dir, "*' up '*) trap '' INT; echo a hook waits; while :; do /bin/sleep 0.02; done ;;")
	ctx, interrupt := context.WithCancel(t.Context())
	progress := &watched{word: "a hook waits", then: interrupt}
	opened, err := openWorkspaceWith(ctx, dir, command{patience: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, _, code, err := opened.PulumiCommand().Run(ctx, dir, nil, []io.Writer{progress}, nil, nil, "up", "now")
	// By the interrupt it would have ended as well.
	if err == nil || code == 0 || !strings.Contains(err.Error(), "killed") {
		t.Errorf("code %d, error %v", code, err)
	}
}
