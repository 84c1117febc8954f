//go:build e2e

package e2e

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// sideBySide is the number of tests that run at the same time, each with its own stacks. Two processors carry three:
// most of the time, tests wait for pods, for requests or for the clock. With two the whole takes half as long again.
// The variable E2E_SIDE_BY_SIDE changes it.
const sideBySide = 3

var seats = sync.OnceValue(func() chan struct{} {
	count, err := strconv.Atoi(os.Getenv("E2E_SIDE_BY_SIDE"))
	if err != nil || count < 1 {
		count = sideBySide
	}
	return make(chan struct{}, count)
})

// takeTurn runs the tests that call it side by side, a few at a time. Low turns start first: the longest tests have
// them, so that none of them is left alone at the end.
func takeTurn(t *testing.T, turn int) {
	t.Helper()
	t.Parallel()
	// After t.Parallel all tests continue at once, in no order. They take their seats a tenth of a second apart.
	time.Sleep(time.Duration(turn) * 100 * time.Millisecond)
	seats := seats()
	seats <- struct{}{}
	t.Cleanup(func() { <-seats })
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
