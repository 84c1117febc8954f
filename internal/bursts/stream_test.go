package bursts

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/gate"
)

const stablePods = 2

// drawn gives the counts of each second of a canary and of a stable track, at 2 requests a second and pod.
func drawn(t *testing.T, spec Spec, length time.Duration, seed uint64) (canary, stable []gate.Counts) {
	t.Helper()
	stream, err := New(spec, Track{PerSecond: 2, Pods: 1}, Track{PerSecond: 2 * stablePods, Pods: stablePods}, seed)
	if err != nil {
		t.Fatal(err)
	}
	for range int(length.Seconds()) {
		c, s := stream.Next()
		if c.K > c.N || s.K > s.N {
			t.Fatalf("impossible counts %+v, %+v", c, s)
		}
		canary, stable = append(canary, c), append(stable, s)
	}
	return canary, stable
}

func total(counts []gate.Counts) (sum gate.Counts) {
	for _, c := range counts {
		sum = sum.Plus(c)
	}
	return sum
}

func share(c gate.Counts) float64 { return float64(c.K) / float64(c.N) }

// blocks sums the counts up by blocks.
func blocks(counts []gate.Counts, length int) (list []gate.Counts) {
	for i := 0; i+length <= len(counts); i += length {
		list = append(list, total(counts[i:i+length]))
	}
	return list
}

// correlation is the intraclass correlation of the failures within blocks, by the analysis of variance.
func correlation(list []gate.Counts) float64 {
	mean, requests := share(total(list)), float64(list[0].N)
	between, within := 0.0, 0.0
	for _, block := range list {
		p := share(block)
		between += requests * (p - mean) * (p - mean)
		within += requests * p * (1 - p)
	}
	between /= float64(len(list) - 1)
	within /= float64(len(list)) * (requests - 1)
	return (between - within) / (between + (requests-1)*within)
}

func TestBetaBinomialStreamsHaveTheirMeanAndCorrelation(t *testing.T) {
	tests := []struct {
		correlation float64
		block       time.Duration
		hours       time.Duration
		within      float64 // of the correlation
	}{
		{0, 0, 200, 0.002},
		{0.01, 10 * time.Second, 400, 0.003},
		{0.05, 10 * time.Second, 600, 0.015},
		{0.2, 10 * time.Second, 1000, 0.05},
		{0.01, time.Minute, 600, 0.003},
		{0.05, time.Minute, 1000, 0.015},
		{0.2, time.Minute, 3000, 0.06},
	}
	for _, tt := range tests {
		// A mean of 2 % needs fewer hours than one of 0.3 % for the same precision.
		spec := Spec{Name: "x", Mean: 0.02, Correlation: tt.correlation, Block: tt.block}
		canary, _ := drawn(t, spec, tt.hours*time.Hour/10, 7)
		length := max(int(tt.block.Seconds()), 10)
		if got := correlation(blocks(canary, length)); math.Abs(got-tt.correlation) > tt.within {
			t.Errorf("correlation %v by %v: measured %.4f", tt.correlation, tt.block, got)
		}
		// The standard error of a beta-binomial mean, four times.
		sum := total(canary)
		inflation := 1 + (2*float64(length)-1)*tt.correlation
		if most := 4 * math.Sqrt(0.02*0.98*inflation/float64(sum.N)); math.Abs(share(sum)-0.02) > most {
			t.Errorf("correlation %v by %v: a mean of %.4f, which is off by more than %.4f", tt.correlation, tt.block,
				share(sum), most)
		}
	}
}

func TestHealthyStreamsAreHealthy(t *testing.T) {
	if count := len(Healthy(2)); count < 15 {
		t.Errorf("%d streams", count)
	}
	const days = 4
	for _, spec := range Healthy(2) {
		t.Run(spec.Name, func(t *testing.T) {
			var canary, stable gate.Counts
			for seed := range uint64(2) {
				c, s := drawn(t, spec, days*24*time.Hour, seed)
				canary, stable = canary.Plus(total(c)), stable.Plus(total(s))
			}
			// An outage of a minute a day is 0.07 % of the requests, four shared ones a day are 0.1 %.
			if got := share(stable); got < 0.0015 || got > 0.0045 {
				t.Errorf("stable fails %.4f", got)
			}
			if got := share(canary); got < 0.001 || got > 0.006 {
				t.Errorf("the canary fails %.4f", got)
			}
			if rate := float64(canary.N) / (2 * days * 86400); rate < 1.99 || rate > 2.05 {
				t.Errorf("%.3f requests a second", rate)
			}
		})
	}
}

func TestBurstsComeAtOnePodOrAtAll(t *testing.T) {
	for _, all := range []bool{false, true} {
		spec := Spec{Name: "x", Troubles: []Trouble{{Every: time.Hour, AllPods: all, Shortest: time.Second,
			Longest: time.Second, Errors: 20}}}
		canary, stable := drawn(t, spec, 200*time.Hour, 3)
		bursts, together := 0, 0
		for i := range canary {
			if canary[i].K == 0 {
				continue
			}
			bursts++
			if canary[i].K%20 != 0 {
				t.Errorf("a burst of %d", canary[i].K)
			}
			if stable[i].K == stablePods*20 {
				together++
			}
		}
		if bursts < 140 || bursts > 260 {
			t.Errorf("%d bursts in 200 hours", bursts)
		}
		if all && together != bursts || !all && together > 0 {
			t.Errorf("all pods %v: %d of %d bursts hit all", all, together, bursts)
		}
	}
}

func TestTroublesOfADay(t *testing.T) {
	spec := Spec{Name: "x", Troubles: []Trouble{{Every: 24 * time.Hour, Regular: true, Shortest: time.Second,
		Longest: time.Minute, Errors: 10}}}
	canary, _ := drawn(t, spec, 30*24*time.Hour, 5)
	// A burst at midnight may end on the next day.
	if sum := total(canary).K; sum < 290 || sum > 300 {
		t.Errorf("%d errors in 30 days", sum)
	}
}

func TestTheCanaryRecoversLater(t *testing.T) {
	spec := Spec{Name: "x", Troubles: []Trouble{{Every: time.Hour, Regular: true, AllPods: true,
		Shortest: 20 * time.Second, Longest: 20 * time.Second, Share: 1, Lag: 5 * time.Second}}}
	canary, stable := drawn(t, spec, 100*time.Hour, 5)
	late, failing := 0, 0
	for i := range canary {
		if stable[i].K > 0 {
			failing++
			if stable[i].K != stable[i].N || canary[i].K != canary[i].N {
				t.Fatalf("second %d: %+v beside %+v", i, canary[i], stable[i])
			}
		} else if canary[i].K > 0 {
			late++
		}
	}
	if failing < 99*20 || failing > 100*20 || late < 99*5 || late > 100*5 {
		t.Errorf("%d seconds together, %d of the canary alone", failing, late)
	}
}

func TestEveningsAreWorse(t *testing.T) {
	canary, _ := drawn(t, Spec{Name: "x", Mean: 0.03, Evening: 3}, 20*24*time.Hour, 5)
	var evening, rest gate.Counts
	for i, counts := range canary {
		if hour := i / 3600 % 24; hour >= 18 && hour < 22 {
			evening = evening.Plus(counts)
		} else {
			rest = rest.Plus(counts)
		}
	}
	if ratio := share(evening) / share(rest); ratio < 2.8 || ratio > 3.2 {
		t.Errorf("evenings are %.2f times as bad", ratio)
	}
	if mean := share(evening.Plus(rest)); mean < 0.029 || mean > 0.031 {
		t.Errorf("a mean of %.4f", mean)
	}
}

func TestAStreamIsReproducible(t *testing.T) {
	for _, spec := range Healthy(2) {
		first, beside := drawn(t, spec, time.Hour, 9)
		again, besideAgain := drawn(t, spec, time.Hour, 9)
		if !cmp.Equal(first, again) || !cmp.Equal(beside, besideAgain) {
			t.Errorf("%s: the same seed gives other counts", spec.Name)
		}
	}
}

func TestImpossibleStreamsAreRefused(t *testing.T) {
	good := Track{PerSecond: 1, Pods: 1}
	for _, tt := range []struct {
		spec  Spec
		track Track
		want  string
	}{
		{Spec{Name: "x", Mean: 1}, good, `stream "x": the mean is 1: allowed is a share`},
		{Spec{Name: "x", Correlation: 1, Block: time.Minute}, good, "the correlation is 1"},
		{Spec{Name: "x", Correlation: 0.1}, good, "the block is 0s: allowed is a divisor of a minute"},
		{Spec{Name: "x", Correlation: 0.1, Block: 7 * time.Second}, good, "the block is 7s"},
		{Spec{Name: "x", Mean: 0.5, Evening: 2}, good, "the evening's factor is 2"},
		{Spec{Name: "x", Troubles: []Trouble{{}}}, good, "a trouble is"},
		{Spec{Name: "x"}, Track{PerSecond: -1, Pods: 1}, "canary: -1 requests a second"},
		{Spec{Name: "x"}, Track{PerSecond: 1}, "at 0 pods: allowed are"},
	} {
		if _, err := New(tt.spec, tt.track, good, 1); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.spec, err, tt.want)
		}
	}
}
