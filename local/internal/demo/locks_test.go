package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestWhoHoldsTheLock(t *testing.T) {
	const host = "here"
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	// A process that the kernel calls pulumi.
	cli := filepath.Join(t.TempDir(), "pulumi")
	if err := os.Symlink(sleep, cli); err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), cli, "60")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	for deadline := time.Now().Add(10 * time.Second); !isPulumi(process.Process.Pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the stand-in of the CLI does not run")
		}
	}
	lockOf := func(pid int, host string) string {
		return fmt.Sprintf(`{"pid":%d,"username":"root","hostname":%q,"timestamp":"2026-03-02T00:00:00Z"}`, pid, host)
	}
	const dead = 1 << 30 // more than any pid
	tests := []struct {
		name    string
		locks   []string
		want    holder
		wantErr bool
	}{
		{name: "none"},
		{name: "of a killed CLI", locks: []string{lockOf(dead, host)}, want: killed},
		{name: "of another process that has the number now", locks: []string{lockOf(os.Getpid(), host)}, want: killed},
		{name: "of a running CLI", locks: []string{lockOf(process.Process.Pid, host)}, want: running},
		{name: "of another machine", locks: []string{lockOf(dead, "elsewhere")}, want: elsewhere},
		{name: "of both kinds", locks: []string{lockOf(dead, host), lockOf(process.Process.Pid, host)}, want: running},
		{name: "cut off", locks: []string{`{"pid":`}, wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			for i, content := range tt.locks {
				if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.json", i)), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := holderOf(folder, host)
			if got != tt.want || (err != nil) != tt.wantErr {
				t.Errorf("holder %v, %v", got, err)
			}
		})
	}
}
