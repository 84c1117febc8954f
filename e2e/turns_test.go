//go:build e2e

package e2e

import (
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

const (
	// sideBySide is the number of tests that run at the same time, each with its own stacks. Two processors carry three:
	// most of the time, tests wait for pods, for requests or for the clock. With two the whole takes half as long again.
	// The variable E2E_SIDE_BY_SIDE changes it.
	sideBySide = 3
	// surely is the number that runs on any machine. One more begins when the processors were idle for a share of at
	// least spare over a minute: the customers, scrapes and probes of a third stack would choke a slower machine.
	surely = 2
	spare  = 0.1
)

// seating says which tests run and which wait.
type seating struct {
	mu             sync.Mutex
	surely, atMost int
	taken          int
	waiting        []int // turns
}

var seats = sync.OnceValue(func() *seating {
	if count, err := strconv.Atoi(os.Getenv("E2E_SIDE_BY_SIDE")); err == nil && count > 0 {
		return &seating{surely: count, atMost: count}
	}
	return &seating{surely: surely, atMost: sideBySide}
})

// takeTurn runs the tests that call it side by side, a few at a time. Low turns start first: the longest tests have
// them, so that none of them is left alone at the end.
func takeTurn(t *testing.T, turn int) {
	t.Helper()
	t.Parallel()
	seats := seats()
	seats.wait(turn)
	// After t.Parallel all tests continue at once, in no order.
	time.Sleep(time.Second)
	busy := sinceNow()
	for tick := 1; !seats.take(turn, busy.idle()); tick++ {
		if time.Sleep(time.Second); tick%60 == 0 {
			busy = sinceNow()
		}
	}
	t.Cleanup(seats.leave)
}

func (s *seating) wait(turn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, turn)
}

// take gives a test its seat if it is its turn and there is one. Idle is the share of the processors that is.
func (s *seating) take(turn int, idle float64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.taken < s.surely || s.taken < s.atMost && idle >= spare
	if !free || turn != slices.Min(s.waiting) {
		return false
	}
	s.taken++
	s.waiting = slices.Delete(s.waiting, slices.Index(s.waiting, turn), slices.Index(s.waiting, turn)+1)
	return true
}

func (s *seating) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
}

// processors is the time that all processors had spent at a moment, in seconds.
type processors struct {
	since       time.Time
	idle0, all0 float64
}

func sinceNow() processors {
	idle, all := processorSeconds()
	return processors{time.Now(), idle, all}
}

// idle is the share of the time since then that was idle: 0 before most of a minute has passed, and where the kernel
// does not tell.
func (p processors) idle() float64 {
	idle, all := processorSeconds()
	if time.Since(p.since) < 50*time.Second || all <= p.all0 {
		return 0
	}
	return (idle - p.idle0) / (all - p.all0)
}

// processorSeconds gives the idle time of all processors since the machine's start, and the whole.
func processorSeconds() (idle, all float64) {
	system, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, 0
	}
	stat, err := system.Stat()
	if err != nil {
		return 0, 0
	}
	cpu := stat.CPUTotal
	return cpu.Idle, cpu.User + cpu.Nice + cpu.System + cpu.Idle + cpu.Iowait + cpu.IRQ + cpu.SoftIRQ + cpu.Steal
}

// part is one step of a test. If a vital part fails, the test ends: the parts after it depend on it.
type part[W any] struct {
	name  string
	run   func(*testing.T, W)
	vital bool
}

// inOrder runs the parts of a test one after another.
func inOrder[W any](t *testing.T, world W, parts []part[W]) {
	t.Helper()
	for _, p := range parts {
		if !t.Run(p.name, func(t *testing.T) { p.run(t, world) }) && p.vital {
			t.Fatalf("the parts after %q depend on it", p.name)
		}
	}
}
