package measure

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine describes the machine for a reader: its size and the measured versions.
type Machine struct {
	Cores int
	// MemoryGiB is the total memory, rounded.
	MemoryGiB  int
	Go, Pulumi string
	// Load is the load average of the minute before the measurement.
	Load float64
}

// String describes the machine in one line.
func (m Machine) String() string {
	return fmt.Sprintf("%d cores, %d GiB, Go %s, Pulumi %s, local cluster", m.Cores, m.MemoryGiB, m.Go, m.Pulumi)
}

// Describe reads the machine's description.
func Describe(ctx context.Context, shell Shell) (Machine, error) {
	version, err := shell.Pulumi(ctx, "version")
	if err != nil {
		return Machine{}, err
	}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return Machine{}, err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return Machine{}, err
	}
	machine := Machine{
		Cores:  runtime.NumCPU(),
		Go:     strings.TrimPrefix(runtime.Version(), "go"),
		Pulumi: strings.TrimPrefix(strings.TrimSpace(version), "v"),
	}
	if machine.MemoryGiB, err = totalMemory(string(memory)); err != nil {
		return Machine{}, err
	}
	machine.Load, err = loadAverage(string(load))
	return machine, err
}

// totalMemory reads MemTotal of /proc/meminfo in GiB.
func totalMemory(meminfo string) (int, error) {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				return 0, fmt.Errorf("read /proc/meminfo: %w", err)
			}
			const kibInGiB = 1 << 20
			return (kib + kibInGiB/2) / kibInGiB, nil
		}
	}
	return 0, fmt.Errorf("read /proc/meminfo: it has no MemTotal")
}

// loadAverage reads the one-minute average of /proc/loadavg.
func loadAverage(text string) (float64, error) {
	first, _, _ := strings.Cut(text, " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0, fmt.Errorf("read /proc/loadavg: %w", err)
	}
	return load, nil
}
