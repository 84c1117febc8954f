package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second

// shell runs a script in an environment with GREETING and DIR, and gives what it wrote to the file answer.
func shell(ctx context.Context, t *testing.T, grace time.Duration, dir, script string) (string, error) {
	t.Helper()
	env := filepath.Join(dir, "env")
	if err := os.WriteFile(env, []byte("export GREETING='good day' DIR='"+dir+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := runWith(ctx, env, grace, []string{"/bin/sh", "-c", script, "sh", "an argument"})
	answer, _ := os.ReadFile(filepath.Join(dir, "answer"))
	return strings.TrimSpace(string(answer)), err
}

func TestRunWithTheEnvironment(t *testing.T) {
	answer, err := shell(t.Context(), t, patience, t.TempDir(), `echo "$GREETING, $1" >"$DIR/answer"`)
	if err != nil || answer != "good day, an argument" {
		t.Errorf("got %q, error %v", answer, err)
	}
}

func TestRunReportsTheExitCode(t *testing.T) {
	_, err := shell(t.Context(), t, patience, t.TempDir(), "exit 7")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("error %v, want exit status 7", err)
	}
}

func TestRunInterruptsTheCommandAndItsChildren(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	go func() {
		defer cancel()
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
				return
			}
		}
	}()
	answer, err := shell(ctx, t, patience, dir,
		`trap 'echo interrupted >"$DIR/answer"; exit 3' INT; : >"$DIR/ready"; sleep 300`)
	if answer != "interrupted" || err == nil {
		t.Errorf("the command noted %q, error %v", answer, err)
	}
}

func TestRunLeavesNoProcessBehind(t *testing.T) {
	answer, err := shell(t.Context(), t, 100*time.Millisecond, t.TempDir(), `sleep 300 & echo $! >"$DIR/answer"`)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(answer)
	if err != nil {
		t.Fatal(err)
	}
	// A killed process may wait for somebody to collect it; it runs no longer.
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(filepath.Join("/proc", answer, "stat"))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d still runs: %s", pid, stat)
		}
	}
}
