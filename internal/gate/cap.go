package gate

import (
	"math"
	"time"
)

// Cap bounds the evidence that one block of time can add to a [Detector]: of each alternative's likelihood ratio
// within the block, only min(ratio, exp(Nats)) counts.
//
// Errors that come together, such as a customer's retries, a failover or a pod's bad minute, multiply likelihood ratios
// that take them for independent. With a cap, a burst within a block is worth at most Nats, however many errors it
// has, and what convicts is trouble in many blocks.
//
// The cap keeps the detector's promise. Within a block, an alternative's ratio L is a non-negative supermartingale that
// starts at 1 while the share of bad events is at most the limit, and so is min(L, c) for a constant c >= 1, because
// min(., c) is concave and does not decrease: E[min(L', c) | past] <= min(E[L' | past], c) <= min(L, c), by Jensen's
// inequality. A product over blocks of such factors is a non-negative supermartingale, also between the ends of blocks,
// since only the last factor is under way, and since what is known before an observation says whether it opens a block:
// the clock, or a pause in which nothing is served. So is the
// mixture over alternatives and starts, of which each start opens a block. Ville's inequality bounds the probability
// that it ever reaches 1/alpha by alpha, as without a cap.
//
// The promise is that of independent errors: a cap makes it no stronger. How rarely bursts convict is measured and not
// proven; see docs/benchmarks.md.
//
// Bounded bets on blocks are those of I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by
// betting (2024); supermartingales at every look those of S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon,
// Time-uniform Chernoff bounds via nonnegative supermartingales (2020); mixtures over starts those of J. Shin, A.
// Ramdas and A. Rinaldo, E-detectors (2023).
type Cap struct {
	// Nats, at least 0, is the most that a block adds to the logarithm of a likelihood ratio. It bounds no loss.
	Nats float64
	// Block is the length of a block. A block ends with the first observation that begins at this age or later; with 0,
	// each observation is a block of its own.
	Block time.Duration
}

// uncapped bounds nothing.
var uncapped = Cap{Nats: math.Inf(1)}

// Of is what counts of the logarithm of a block's likelihood ratio.
func (c Cap) Of(ratio float64) float64 { return min(ratio, c.Nats) }
