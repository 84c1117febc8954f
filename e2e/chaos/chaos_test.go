//go:build chaos

package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// longest is the length of the longest sequence.
const longest = 9

// Random sequences hold every invariant after each step, and their end converges. A sequence of random length ends
// anywhere, so that what follows is tried after every kind of step.
func TestSequences(t *testing.T) {
	for i := range *sequences {
		number := *seed + int64(i)
		t.Run(fmt.Sprintf("seed=%d", number), func(t *testing.T) {
			t.Parallel()
			t.Logf("repeat it with `make chaos SEQUENCES=1 SEED=%d`", number)
			random := rand.New(rand.NewPCG(uint64(number), 0)) //nolint:gosec // a test repeats its numbers
			var steps []step
			if random.IntN(4) > 0 {
				steps = append(steps, "up")
			}
			for range 1 + random.IntN(longest) {
				steps = append(steps, pick(random))
			}
			newWorld(t).play(steps...)
		})
	}
}
