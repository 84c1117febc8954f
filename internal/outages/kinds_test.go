package outages

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Outages beside those of the goal: of any length from a second to three minutes, of a third of the requests or of all,
// seen by scrapes as seldom as every half minute, with small and large tracks, stable's scrapes failing in part, and a
// canary that recovers a little later.
func TestNobodyIsBlamedForOutagesOfOtherKinds(t *testing.T) {
	const runs, seed = 150, 20261130
	pick := func(random *rand.Rand, list ...float64) float64 { return list[random.IntN(len(list))] }
	for i := range runs {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		c := Case{
			Canary: 1 + random.IntN(6), Stable: 1 + random.IntN(9),
			PerSecond: pick(random, 0.3, 1, 5, 20, 100),
			Every:     time.Duration(pick(random, 1, 3, 7, 15, 30)) * time.Second,
			Limited:   random.IntN(4) == 0,
			Silence:   []Silence{Answers, Flaky, Partly, Mute}[random.IntN(4)],
			Outage:    time.Second + time.Duration(random.IntN(180_000))*time.Millisecond,
			Lag:       time.Duration(random.IntN(5000)) * time.Millisecond,
			Share:     pick(random, 0.3, 0.5, 1),
			Mean:      pick(random, 0, 0.001, 0.005),
		}
		if c.Silence == Mute {
			// The limit of a silence is for a canary that fails most of its requests: see blame.SilentLimit.
			c.Outage = min(c.Outage, time.Minute)
		}
		got, err := Run(c, criterion(), seed+uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if got.Blamed > 0 {
			t.Errorf("run %d: %+v is blamed after %v: %s", i, c, got.Blamed, got.Reason)
		}
	}
}
