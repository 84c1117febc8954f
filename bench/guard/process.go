package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// ticks is the unit of /proc's processor times on Linux.
const ticks = 10 * time.Millisecond

// processorTime returns the processor time that a process has used.
func processorTime(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The process's name, in parentheses, may contain any character.
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read /proc/%d/stat: it is too short", pid)
	}
	var total time.Duration
	for _, field := range fields[11:13] {
		used, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/%d/stat: %w", pid, err)
		}
		total += time.Duration(used) * ticks
	}
	return total, nil
}

// memory returns a process's resident memory in MiB: private pages, which a container's RSS counts, and all pages,
// including those of its binary, which all guards on a node share.
func memory(pid int) (private, all float64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for name, into := range map[string]*float64{"RssAnon:": &private, "VmRSS:": &all} {
		_, rest, _ := strings.Cut(string(raw), name)
		var kib int64
		if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
			return 0, 0, fmt.Errorf("read %s of /proc/%d/status: %w", name, pid, err)
		}
		*into = float64(kib) / 1024
	}
	return private, all, nil
}

// fleetSection returns the section of the document.
func fleetSection(results []fleetResult) string {
	var text strings.Builder
	fmt.Fprintf(&text, "### Guard: footprint\n\n%s, %d cores, Go %s. The guard's real program beside an API server in "+
		"memory; each rollout has %d stable pods and a canary that\n"+
		"serve the metrics of the example service, scraped every second. Then the canary of every tenth rollout fails a "+
		"third of its 10 requests/s, all from the same\nmoment on, and all of them must be isolated within the same "+
		"second. Resident memory is the process's VmRSS, including the pages of the binary; private memory,\n"+
		"which a container's RSS counts, excludes them.\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"), fleetStable)
	text.WriteString("| rollouts | resident memory at most | goal | private | processor | goal | isolated | " +
		"first | last | goal |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		memory, processor := "200 MiB, "+verdict(r.all <= 200), "none"
		if r.size == 1 {
			memory, processor = "48 MiB, "+verdict(r.all <= 48), "1 % of a core, "+verdict(r.processor <= 0.01)
		}
		fmt.Fprintf(&text, "| %d | %.1f MiB | %s | %.1f MiB | %.2f %% of a core | %s | %d of %d | %.2f s | %.2f s | %s |\n",
			r.size, r.all, memory, r.private, 100*r.processor, processor, r.decided, r.bad, r.first.Seconds(), r.last.Seconds(),
			verdict(r.last-r.first <= time.Second))
	}
	return text.String()
}
