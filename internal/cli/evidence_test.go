package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func TestEvidenceAsText(t *testing.T) {
	evidence := rollback.Evidence{
		Time: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Reason: "20 of 168 requests failed",
		Numbers: map[string]string{"counts": "5/40"},
		Events:  []string{"09:00:01 Warning BackOff Pod/shop-v2-x: \x1b[31mrestarting"},
		Missing: []string{"previous log of shop-v2-x: gone"},
		Pods: []rollback.PodEvidence{{
			Name: "shop-v2-x", Images: []string{"shop@sha256:aa"}, Logs: map[string]string{"shop": "one\ntwo\x1b]0;title\x07\n"},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
				RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			}}},
		}},
	}
	short, long := evidenceText(terminal.Style{}, "shop-evidence-1", evidence, false),
		evidenceText(terminal.Style{}, "shop-evidence-1", evidence, true)
	for _, word := range []string{"shop-evidence-1", "2026-03-02 09:00:00", "20 of 168", "5/40", "CrashLoopBackOff", "3",
		"BackOff Pod/shop-v2-x", "not kept: previous log"} {
		if !strings.Contains(short, word) {
			t.Errorf("%q is not in\n%s", word, short)
		}
	}
	if strings.Contains(short, "two") || !strings.Contains(long, "one\ntwo") {
		t.Errorf("logs:\n%s", long)
	}
	if strings.ContainsAny(long, "\x1b\x07") {
		t.Error("what a terminal acts on is printed")
	}
}

// A line of a pod stays a line behind the pod's name, whatever stands in it.
func TestALogLineIsALine(t *testing.T) {
	var printed bytes.Buffer
	output, err := terminal.NewOutput(terminal.FormatTable, &printed)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{output: output}
	line := logLine{Pod: "shop-v2-x", Line: "\x1b[2K\rshop-stable-y  all good\nshop-stable-z  " +
		"better\u202e\x1b]8;;https://evil.example\x07"}
	if err := s.logLine(line); err != nil {
		t.Fatal(err)
	}
	want := "shop-v2-x   shop-stable-y  all good shop-stable-z  better\n"
	if printed.String() != want {
		t.Errorf("printed %q, want %q", printed.String(), want)
	}
}

// An error may carry a server's answer; it is printed without terminal commands.
func TestAnErrorIsPrintedPlain(t *testing.T) {
	var printed bytes.Buffer
	root := &cobra.Command{Use: "x", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error {
		return errors.New("prometheus answered \x1b[2J\x1b]0;title\x07ok")
	}}
	root.SetArgs(nil)
	root.SetErr(&printed)
	if code := execute(t.Context(), root); code != terminal.ExitFailed ||
		printed.String() != "error: prometheus answered ok\n" {
		t.Errorf("%d, %q", code, printed.String())
	}
}
