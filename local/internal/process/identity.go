package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Identity names one run of one process for good: a pid alone is reused by the kernel.
type Identity struct {
	PID int `json:"pid"`
	// StartTime is the process's start in clock ticks since boot, field 22 of /proc/<pid>/stat.
	StartTime uint64 `json:"startTime"`
	// BootID identifies this boot of the machine.
	BootID string `json:"bootID"`
}

// Self returns the identity of the calling process. It stays valid across exec.
func Self() (Identity, error) {
	return identify(os.Getpid())
}

// Alive reports whether exactly this process still runs. A zombie does not run.
func (id Identity) Alive() bool {
	current, err := identify(id.PID)
	return err == nil && current == id
}

func identify(pid int) (Identity, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, err
	}
	state, start, err := parseStat(string(stat))
	if err != nil {
		return Identity{}, fmt.Errorf("process %d: %w", pid, err)
	}
	if state == "Z" || state == "X" {
		return Identity{}, fmt.Errorf("process %d: %w", pid, os.ErrProcessDone)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTime: start, BootID: strings.TrimSpace(string(boot))}, nil
}

// parseStat returns the state and the start time of a /proc/<pid>/stat line. The command name, in parentheses, may
// itself hold spaces and parentheses, so fields are counted from the last one.
func parseStat(stat string) (state string, startTime uint64, err error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return "", 0, errors.New("stat line without a command name")
	}
	fields := strings.Fields(stat[end+1:])
	// The manual counts from 1 and these are its fields 3 and 22; the first after the name is its field 3.
	const stateField, startField = 0, 19
	if len(fields) <= startField {
		return "", 0, fmt.Errorf("stat line with %d fields after the command name", len(fields))
	}
	startTime, err = strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return "", 0, fmt.Errorf("start time: %w", err)
	}
	return fields[stateField], startTime, nil
}
