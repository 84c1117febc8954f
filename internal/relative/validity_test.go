package relative

import (
	"math"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Every alternative's ratio has an expectation of at most 1 wherever the canary fails at most limit times as often as
// stable, however often that is: all outcomes of small blocks, weighted.
func TestErrorRatiosAreEValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Float64Range(1, 4).Draw(t, "limit")
		n, s := rapid.Int64Range(0, 12).Draw(t, "n"), rapid.Int64Range(0, 40).Draw(t, "s")
		p := rapid.Float64Range(0, 1).Draw(t, "p")
		q := min(limit*p, 1) * rapid.Float64Range(0, 1).Draw(t, "of the limit")
		expected, ratios := make([]float64, alternatives), make([]float64, alternatives)
		for k := range n + 1 {
			for j := range s + 1 {
				weight := chance(n, k, q) * chance(s, j, p)
				errorRatios(limit, gate.Counts{N: n, K: k}, gate.Counts{N: s, K: j}, ratios)
				for i, ratio := range ratios {
					expected[i] += weight * math.Exp(ratio)
				}
			}
		}
		for i, e := range expected {
			if e > 1+1e-9 {
				t.Fatalf("alternative %d: an expectation of %v", i, e)
			}
		}
	})
}

// chance is that of k among n at a share of p.
func chance(n, k int64, p float64) float64 {
	if p <= 0 || p >= 1 {
		if k == int64(p)*n {
			return 1
		}
		return 0
	}
	return distuv.Binomial{N: float64(n), P: p}.Prob(float64(k))
}

// The same for the latency: the canary's share above the bound is at most stable's mean score.
func TestLatencyBetsAreEValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := bound{bucket: 1, part: rapid.Float64Range(0, 1).Draw(t, "part"), n: 500,
			above: rapid.Float64Range(0, 500).Draw(t, "known")}
		n, s := rapid.Int64Range(1, 8).Draw(t, "n"), rapid.Int64Range(1, 12).Draw(t, "s")
		top := rapid.Float64Range(0, 1).Draw(t, "above")
		within := (1 - top) * rapid.Float64Range(0, 1).Draw(t, "within")
		q := (top + b.part*within) * rapid.Float64Range(0, 1).Draw(t, "of the limit")
		expected, ratios := make([]float64, len(odds)), make([]float64, len(odds))
		for k := range n + 1 {
			for i := range s + 1 {
				for j := range s + 1 - i {
					weight := chance(n, k, q) * chance(s, i, top) * chance(s-i, j, within/max(1-top, 1e-300))
					known := b
					known.bet(Block, Latencies{n, []int64{n, k}}, Latencies{s, []int64{i + j, i}}, 1, ratios)
					for a, ratio := range ratios {
						expected[a] += weight * math.Exp(ratio)
					}
				}
			}
		}
		for i, e := range expected {
			if e > 1+1e-9 {
				t.Fatalf("alternative %d: an expectation of %v", i, e)
			}
		}
	})
}

// 2,000 simulated soaks of 48 hours within the limits, looked at every minute. Without a finding, the probability of
// one is below 0.15 % with 95 % confidence; the promise for the errors alone is 0.025 %.
func TestHealthySoaksHaveNoFinding(t *testing.T) {
	night := func(block int) float64 { // three times as many errors at night, and a shared outage of 20 minutes a day
		switch minute := block % 1440; {
		case minute >= 600 && minute < 620:
			return 0.5
		case minute < 360:
			return 0.006
		default:
			return 0.002
		}
	}
	constant := func(share float64) func(int) float64 { return func(int) float64 { return share } }
	for _, tt := range []struct {
		name           string
		stable         func(block int) float64
		times          float64
		canary, beside int64
	}{
		{"0.3 %", constant(0.003), 1, 120, 1080},
		{"0.02 %", constant(0.0002), 1, 120, 1080},
		{"just at the limit", constant(0.002), 1.5, 120, 1080},
		{"nights and outages", night, 1, 120, 1080},
		{"few requests, half of them", constant(0.003), 1.5, 5, 5},
	} {
		count := 0
		for seed := range uint64(400) {
			src := source(seed)
			if run(NewErrors(DefaultLimits(), DefaultCap(), monday), soak, func(block int) (gate.Counts, gate.Counts, Parts) {
				share := tt.stable(block)
				return drawn(src, tt.canary, tt.times*share), drawn(src, tt.beside, share), nil
			}) > 0 {
				count++
			}
		}
		if count > 0 {
			t.Errorf("%s: %d findings in 400 soaks", tt.name, count)
		}
	}
}

// At the very limit of the latency, and with a canary like stable whose latency changes through the day.
func TestHealthyLatencyHasNoFinding(t *testing.T) {
	for seed := range uint64(60) {
		if at := slowerAfter(seed, DefaultLimits(), 1, 24*time.Hour); at > 0 {
			t.Errorf("seed %d: a canary like stable has a finding after %v", seed, at)
		}
	}
	src := source(99)
	test := NewLatency(DefaultLimits(), DefaultCap(), monday, usualBounds)
	for block := range int(soak / Block) {
		start, now := monday.Add(time.Duration(block)*Block), lognormal(0.08*(1+0.8*math.Sin(float64(block)/200)))
		test.Add(start, start.Add(Block), now.draw(src, 120), now.draw(src, 1080))
	}
	if finding := test.Finding(); finding != nil {
		t.Errorf("a day with slow hours of both tracks: %+v", finding)
	}
}

// A burst within a block is worth at most the cap, and a shared outage speaks against nobody.
func TestABurstIsNoFinding(t *testing.T) {
	for _, burst := range []gate.Counts{{N: 170, K: 50}, {N: 620, K: 500}, {N: 120, K: 120}} {
		test := NewErrors(DefaultLimits(), DefaultCap(), monday)
		at := run(test, 6*time.Hour, func(block int) (gate.Counts, gate.Counts, Parts) {
			if block%60 == 30 {
				return burst, gate.Counts{N: 1080, K: 2}, nil
			}
			return gate.Counts{N: 120}, gate.Counts{N: 1080, K: 2}, nil
		})
		if at > 0 {
			t.Errorf("bursts of %d of %d once an hour: found after %v", burst.K, burst.N, at)
		}
	}
	test := NewErrors(DefaultLimits(), DefaultCap(), monday)
	if at := run(test, 6*time.Hour, func(block int) (gate.Counts, gate.Counts, Parts) {
		if block >= 100 {
			return gate.Counts{N: 120, K: 119}, gate.Counts{N: 1080, K: 1075}, nil
		}
		return gate.Counts{N: 120}, gate.Counts{N: 1080}, nil
	}); at > 0 {
		t.Errorf("a shared outage: found after %v", at)
	}
}

func TestTooManySlicesAreLeftOut(t *testing.T) {
	limits := DefaultLimits()
	limits.Slices = 10
	test := NewErrors(limits, DefaultCap(), monday)
	at := func(minutes int) time.Time { return monday.Add(time.Duration(minutes) * time.Minute) }
	counts := Pair{gate.Counts{N: 5}, gate.Counts{N: 45}}
	for minute := range 20 {
		parts := Parts{{PodLabel, "a"}: counts, {"method", "GET"}: counts, {"path", "/" + string(rune('a'+minute))}: counts}
		test.Add(at(minute), at(minute+1), counts.Canary, counts.Stable, parts)
	}
	notes := test.LeftOut()
	if len(notes) != 1 || test.Tested() != 2 {
		t.Fatalf("%d slices, notes %q", test.Tested(), notes)
	}
	want := "label path makes no slices: it has more values than the 10 slices allow (criteria.slices); name the labels " +
		"that do in criteria.sliceLabels"
	if notes[0] != want {
		t.Errorf("note %q", notes[0])
	}
}

func TestLimitsAreChecked(t *testing.T) {
	if err := DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	for _, limits := range []Limits{{}, {Ratio: 0.5, Slower: 1.1}, {Ratio: math.NaN(), Slower: 1.1}, {Ratio: 2, Slower: 1},
		{Ratio: 2, Slower: 2, Slices: 1001}, {Ratio: 2, Slower: 2, WarmUp: -1}} {
		if limits.Validate() == nil {
			t.Errorf("%+v is accepted", limits)
		}
	}
}
