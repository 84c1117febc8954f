package process

import (
	"os"
	"os/exec"
	"testing"
)

func TestParseStat(t *testing.T) {
	const tail = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 9876 20 21"
	tests := []struct {
		name, stat string
		state      string
		start      uint64
		wantErr    bool
	}{
		{name: "plain", stat: "42 (etcd) S" + tail, state: "S", start: 9876},
		{name: "command with a space", stat: "42 (postgres: idle) S" + tail, state: "S", start: 9876},
		{name: "command with parentheses", stat: "42 (a) R (b)) Z" + tail, state: "Z", start: 9876},
		{name: "no command", stat: "42 S 1", wantErr: true},
		{name: "too short", stat: "42 (etcd) S 1 2", wantErr: true},
		{name: "start time is no number", stat: "42 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 y", wantErr: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state, start, err := parseStat(test.stat)
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v, want one: %t", err, test.wantErr)
			}
			if state != test.state || start != test.start {
				t.Errorf("state %q, start %d; want %q, %d", state, start, test.state, test.start)
			}
		})
	}
}

func TestIdentityTellsProcessesApart(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !id.Alive() {
		t.Error("a running process counts as dead")
	}
	recycled, rebooted := id, id
	recycled.StartTime++
	rebooted.BootID = "another boot"
	if recycled.Alive() {
		t.Error("a process with the same pid and another start time counts as the same")
	}
	if rebooted.Alive() {
		t.Error("a process of another boot counts as the same")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Not waited for yet, so it is a zombie.
	for range 1000 {
		if !id.Alive() {
			break
		}
	}
	_ = cmd.Wait()
	if id.Alive() {
		t.Error("an ended process counts as alive")
	}
}

func TestSelfIsAlive(t *testing.T) {
	self, err := Self()
	if err != nil {
		t.Fatal(err)
	}
	if self.PID != os.Getpid() || !self.Alive() {
		t.Errorf("%+v is not this process, %d", self, os.Getpid())
	}
}
