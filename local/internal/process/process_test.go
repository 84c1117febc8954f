package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary act as the launcher, as the program does.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "launch" {
		if err := Launch(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func newSupervisor(t *testing.T) *Supervisor {
	t.Helper()
	launcher, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &Supervisor{Dir: t.TempDir(), LogDir: t.TempDir(), Launcher: launcher}
	t.Cleanup(func() {
		names, err := s.Names()
		if err != nil {
			t.Error(err)
		}
		for _, name := range names {
			if err := s.Stop(context.Background(), name, time.Second); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// shell returns a process that runs a script.
func shell(script string) Spec {
	return Spec{Name: "job", Path: "/bin/sh", Args: []string{"-c", script}, Dir: "/"}
}

func always(context.Context) error { return nil }

func TestEnsureLeavesARunningProcessAlone(t *testing.T) {
	s, ctx := newSupervisor(t), t.Context()
	for _, want := range []bool{true, false} {
		started, err := s.Ensure(ctx, shell("exec sleep 60"), always, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if started != want {
			t.Fatalf("started: %t, want %t", started, want)
		}
	}
}

func TestEnsureReplacesADeadOrChangedProcess(t *testing.T) {
	s, ctx := newSupervisor(t), t.Context()
	config := filepath.Join(t.TempDir(), "config")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	spec := shell("exec sleep 60")
	spec.Files = []string{config}
	ensure := func() int {
		t.Helper()
		if _, err := s.Ensure(ctx, spec, always, time.Minute); err != nil {
			t.Fatal(err)
		}
		return s.PID("job")
	}
	first := ensure()
	write("two")
	second := ensure()
	if second == first || first == 0 {
		t.Errorf("a changed configuration file left process %d running", first)
	}
	process, err := os.FindProcess(second)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	for s.Alive("job") {
		time.Sleep(time.Millisecond)
	}
	if third := ensure(); third == second || third == 0 {
		t.Errorf("a killed process was not started again: %d", third)
	}
}

func TestEnsureShowsTheLogOfAProcessThatEnds(t *testing.T) {
	s := newSupervisor(t)
	never := func(context.Context) error { return errors.New("no answer") }
	_, err := s.Ensure(t.Context(), shell("echo the port is taken; exit 3"), never, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "the port is taken") || !strings.Contains(err.Error(), "start job") {
		t.Errorf("error does not name the process and show its log: %v", err)
	}
}

func TestStopKillsWhatIgnoresTheSignal(t *testing.T) {
	s, ctx := newSupervisor(t), t.Context()
	marker := filepath.Join(t.TempDir(), "ready")
	ready := func(context.Context) error { _, err := os.Stat(marker); return err }
	if _, err := s.Ensure(ctx, shell("trap '' TERM; : >"+marker+"; while :; do sleep 1; done"), ready,
		time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx, "job", 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if s.Alive("job") {
		t.Error("the process still runs")
	}
	if names, err := s.Names(); err != nil || len(names) != 0 {
		t.Errorf("records %v, error %v; want none", names, err)
	}
}

func TestStopDoesNotTouchAForeignProcess(t *testing.T) {
	s, ctx := newSupervisor(t), t.Context()
	if _, err := s.Ensure(ctx, shell("exec sleep 60"), always, time.Minute); err != nil {
		t.Fatal(err)
	}
	current, err := s.read("job")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = end(ctx, current.Identity, time.Second) }()
	// The record as it looks after the kernel gave the pid to another process.
	content, err := os.ReadFile(s.path("job"))
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.Replace(string(content), `"startTime":`, `"startTime":1`, 1)
	if err := os.WriteFile(s.path("job"), []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx, "job", time.Second); err != nil {
		t.Fatal(err)
	}
	if !current.Alive() {
		t.Error("a process that merely has the recorded pid was ended")
	}
}
