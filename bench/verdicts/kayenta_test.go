package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// The statistics of samples small enough to count all their pairs by hand.
func TestMannWhitney(t *testing.T) {
	for _, tt := range []struct {
		name              string
		x, y              []float64
		shift, z, between float64
	}{
		{"all above", []float64{4, 5, 6}, []float64{1, 2, 3}, 0, 4 / math.Sqrt(5.25), 3},
		{"all below", []float64{1, 2, 3}, []float64{4, 5, 6}, 0, -4 / math.Sqrt(5.25), -3},
		{"all above, less the shift", []float64{4, 5, 6}, []float64{1, 2, 3}, 3, 0, 3},
		{"ties", []float64{0, 0, 1, 1}, []float64{0, 0, 0, 1}, 0, 1.5 / math.Sqrt(16./12*(9-(120+24)/56.)), 0},
		{"nothing differs", []float64{0, 0}, []float64{0, 0, 0}, 0, 0, 0},
	} {
		if got := mannWhitney(tt.x, tt.y, tt.shift); math.Abs(got-tt.z) > 1e-9 {
			t.Errorf("%s: z %v, want %v", tt.name, got, tt.z)
		}
		if got := hodgesLehmann(tt.x, tt.y); math.Abs(got-tt.between) > 1e-9 {
			t.Errorf("%s: shift %v, want %v", tt.name, got, tt.between)
		}
	}
}

// Bisection gives the median of all differences.
func TestHodgesLehmann(t *testing.T) {
	random := rand.New(rand.NewPCG(seed, 3))
	for range 200 {
		x, y := make([]float64, 1+random.IntN(12)), make([]float64, 1+random.IntN(12))
		for _, values := range [][]float64{x, y} {
			for i := range values {
				values[i] = float64(random.IntN(20)) / 100
			}
			slices.Sort(values)
		}
		var differences []float64
		for _, a := range x {
			for _, b := range y {
				differences = append(differences, a-b)
			}
		}
		slices.Sort(differences)
		want := differences[(len(differences)-1)/2]
		if got := hodgesLehmann(x, y); math.Abs(got-want) > 1e-9 {
			t.Fatalf("%v and %v: shift %v, want %v", x, y, got, want)
		}
	}
}

// Kayenta rolls back where the canary's minutes are plainly worse than stable's. It does not see what most minutes do
// not show, and it judges hourly.
func TestKayentasRule(t *testing.T) {
	for _, tt := range []struct {
		name           string
		canary, stable float64
		perMinute      float64
		want           time.Duration
	}{
		{"as stable", 0.003, 0.003, 120, 0},
		{"a third fails", 0.33, 0.003, 120, time.Hour},
		{"both fail much", 0.2, 0.2, 120, 0},
		{"no request", 0.5, 0.003, 0, 0},
		{"ten times stable's errors, in minutes that show none", 0.001, 0.0001, 120, 0},
	} {
		random := rand.New(rand.NewPCG(seed, 4))
		draw := func(n, share float64) gate.Counts {
			if n == 0 {
				return gate.Counts{}
			}
			return gate.Counts{N: int64(n), K: int64(distuv.Binomial{N: n, P: share, Src: random}.Rand())}
		}
		rule := &kayenta{length: 4 * time.Hour}
		for minute := time.Minute; minute <= rule.length; minute += time.Minute {
			rule.second(minute, draw(tt.perMinute, tt.canary), draw(9*tt.perMinute, tt.stable))
		}
		if rule.rolledBack() != tt.want {
			t.Errorf("%s: rolled back at %v, want %v", tt.name, rule.rolledBack(), tt.want)
		}
	}
}
