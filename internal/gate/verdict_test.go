package gate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestWorst(t *testing.T) {
	tests := []struct {
		verdicts []Verdict
		want     Verdict
	}{
		{nil, Inconclusive},
		{[]Verdict{Pass}, Pass},
		{[]Verdict{Pass, Pass}, Pass},
		{[]Verdict{Pass, Inconclusive}, Inconclusive},
		{[]Verdict{Inconclusive, Error, Pass}, Error},
		{[]Verdict{Error, Fail, Pass}, Fail},
		{[]Verdict{Pass, "PASS"}, Error},
		{[]Verdict{""}, Error},
		{[]Verdict{"", Fail}, Fail},
	}
	for _, test := range tests {
		if got := Worst(test.verdicts...); got != test.want {
			t.Errorf("Worst(%q) = %q, want %q", test.verdicts, got, test.want)
		}
	}
}

func TestWorstProperties(t *testing.T) {
	verdict := rapid.SampledFrom([]Verdict{Pass, Fail, Inconclusive, Error})
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(verdict, 1, 5).Draw(t, "a")
		b := rapid.SliceOfN(verdict, 1, 5).Draw(t, "b")
		all := slices.Concat(a, b)
		whole := Worst(all...)
		if parts := Worst(Worst(a...), Worst(b...)); parts != whole {
			t.Errorf("Worst of the parts is %q, of the whole %q", parts, whole)
		}
		slices.Reverse(all)
		if reversed := Worst(all...); reversed != whole {
			t.Errorf("reversed: %q, want %q", reversed, whole)
		}
		if allPass := !slices.ContainsFunc(all, func(v Verdict) bool { return v != Pass }); (whole == Pass) != allPass {
			t.Errorf("Worst(%q) = %q", all, whole)
		}
		if (whole == Fail) != slices.Contains(all, Fail) {
			t.Errorf("Worst(%q) = %q", all, whole)
		}
	})
}
