package outages

import (
	"slices"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

func criterion() gate.Criterion {
	c := gate.ErrorRate(0.005, 0.01)
	c.Alpha = 1e-4
	return c
}

// Every ninth of the cases runs here, and all of them many times in `make bench-verdicts`.
func TestNobodyIsBlamedForASharedOutage(t *testing.T) {
	seed, shared := uint64(20261129), 0
	for i, c := range Shared() {
		if i%9 != 4 {
			continue
		}
		seed++
		got, err := Run(c, criterion(), seed)
		if err != nil {
			t.Fatal(err)
		}
		if got.Blamed > 0 {
			t.Errorf("seed %d: %+v is blamed after %v: %s", seed, c, got.Blamed, got.Reason)
		}
		if got.Shared {
			shared++
		}
	}
	if shared < 30 {
		t.Errorf("only %d outages were found to be shared", shared)
	}
}

// A canary that takes 5 s longer than stable to recover is not blamed either.
func TestACanaryMayRecoverLater(t *testing.T) {
	for _, canary := range []int{1, 6} {
		for seed := range uint64(10) {
			c := Case{Canary: canary, Stable: 10 - canary, PerSecond: 10, Every: time.Second, Outage: 20 * time.Second,
				Lag: 5 * time.Second, Share: 1}
			if got, err := Run(c, criterion(), seed); err != nil || got.Blamed > 0 {
				t.Errorf("%d canary pods, seed %d: blamed after %v: %s (%v)", canary, seed, got.Blamed, got.Reason, err)
			}
		}
	}
}

// The comparison costs a bad canary of one in ten pods the time to ask stable, and no more, where stable is well, and a
// few seconds where it is not.
func TestABadCanaryIsBlamed(t *testing.T) {
	for _, tt := range []struct {
		name string
		Case
		most time.Duration // after the evidence suffices, in the median
	}{
		{"a third fails", Case{Canary: 1, Stable: 9, PerSecond: 10, Bad: 0.33}, 200 * time.Millisecond},
		{"5 % fail", Case{Canary: 1, Stable: 9, PerSecond: 10, Bad: 0.05, Mean: 0.002}, 200 * time.Millisecond},
		{"a third fails at 30 %", Case{Canary: 3, Stable: 7, PerSecond: 10, Bad: 0.33}, time.Second},
		{"a third fails at 60 %", Case{Canary: 6, Stable: 4, PerSecond: 10, Bad: 0.33}, 2 * time.Second},
		{"everything fails beside a stable track in trouble", Case{Canary: 1, Stable: 9, PerSecond: 10, Bad: 1, Share: 0.05,
			Outage: time.Hour}, 5 * time.Second},
		{"stable gets nothing", Case{Canary: 10, PerSecond: 10, Bad: 0.33}, 100 * time.Millisecond},
		{"limited scrapes", Case{Canary: 1, Stable: 9, PerSecond: 10, Bad: 0.33, Every: 10 * time.Second, Limited: true},
			5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.Every = max(tt.Every, time.Second)
			var later []time.Duration
			for seed := range uint64(9) {
				got, err := Run(tt.Case, criterion(), seed)
				if err != nil || got.Blamed == 0 {
					t.Fatalf("seed %d: %+v, %v", seed, got, err)
				}
				later = append(later, got.Blamed-got.Suspected)
			}
			if slices.Sort(later); later[len(later)/2] > tt.most {
				t.Errorf("blamed %v after the evidence sufficed, want at most %v", later, tt.most)
			}
		})
	}
}

func TestARunIsReproducible(t *testing.T) {
	c := Case{Canary: 1, Stable: 9, PerSecond: 10, Every: time.Second, Bad: 0.33}
	first, err := Run(c, criterion(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Run(c, criterion(), 7); err != nil || second != first {
		t.Errorf("%+v, then %+v (%v)", first, second, err)
	}
	if _, err := Run(Case{Share: 2}, criterion(), 7); err == nil {
		t.Error("an impossible case is simulated")
	}
}
