package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func needing(c Criterion, requests int64) Criterion {
	c.MinRequests = requests
	return c
}

func reviewOnly(c Criterion) Criterion {
	c.Rollback = 1
	return c
}

func TestDecide(t *testing.T) {
	errorRate, latency := ErrorRate(0.005, 0.01), Latency(500*time.Millisecond, 0.95)
	tests := []struct {
		name      string
		criterion Criterion
		n, k      int64
		verdict   Verdict
		reason    string
	}{
		{"healthy", needing(errorRate, 100), 1000, 3, Pass, "3 of 1000 requests failed (0.3 %), below the target of 0.5 %"},
		{"no requests, none required", errorRate, 0, 0, Pass, "no requests seen, none required"},
		{"no requests, some required", needing(errorRate, 1), 0, 0, Inconclusive, "1 more"},
		{"too few requests", needing(errorRate, 100), 99, 0, Inconclusive,
			"but at least 100 are needed for a verdict; 1 more"},
		{"exactly enough requests", needing(errorRate, 100), 100, 0, Pass, "below the target"},
		{"exactly the target", errorRate, 1000, 5, Inconclusive, "not below the target of 0.5 %"},
		{"one unlucky request", errorRate, 1, 1, Inconclusive, "manual review"},
		{"between target and rollback", errorRate, 100_000, 700, Inconclusive, "manual review"},
		{"clearly bad", errorRate, 1000, 100, Fail, "above the rollback limit of 1 % with 99.9 % confidence"},
		{"bad before the minimum", needing(errorRate, 1000), 20, 20, Fail, "20 of 20 requests failed"},
		{"somewhat above, many requests", errorRate, 100_000, 1300, Fail, "rollback limit of 1 %"},
		{"hardly above, many requests", errorRate, 1_000_000, 10_300, Inconclusive, "manual review"},
		{"a little above, many requests", errorRate, 1_000_000, 11_000, Fail, "lower bound"},
		{"slow", latency, 1000, 200, Fail, "200 of 1000 requests took longer than 500ms (20 %)"},
		{"slow, for review", reviewOnly(latency), 1000, 1000, Inconclusive, "manual review"},
		{"somewhat slow", latency, 100, 6, Inconclusive, "not shown to be above it with 95 % confidence"},
		{"fast", latency, 100, 4, Pass, "below the target of 5 %"},
		{"more bad than all", errorRate, 1, 2, Error, "not a possible count"},
		{"negative", errorRate, -1, -1, Error, "not a possible count"},
		{"invalid criterion", Criterion{Name: "x"}, 1, 0, Error, `kind is ""`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.criterion.Decide(test.n, test.k)
			if got.Verdict != test.verdict || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("verdict %q (%s), want %q with %q", got.Verdict, got.Reason, test.verdict, test.reason)
			}
			if got.N != test.n || got.K != test.k || got.Name != test.criterion.Name {
				t.Errorf("result is of %s %d %d, want %s %d %d", got.Name, got.N, got.K, test.criterion.Name, test.n, test.k)
			}
		})
	}
}

func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := ErrorRate(0.005, 0.01)
		c.MinRequests = rapid.Int64Range(0, 500).Draw(t, "minimum")
		n := rapid.Int64Range(0, 1_000_000).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		got := c.Decide(n, k)
		if got.Verdict == Fail && got.Lower < c.Rollback*(1-1e-9) {
			t.Errorf("fail with the lower bound %v below the rollback limit", got.Lower)
		}
		if got.Verdict == Fail && got.Rate <= c.Rollback {
			t.Errorf("fail at a rate of %v", got.Rate)
		}
		if got.Verdict == Pass && (n < c.MinRequests || got.Rate >= c.Target) {
			t.Errorf("pass with %+v", got)
		}
		if got.Undecided && (got.Verdict != Inconclusive || got.Rate < c.Target || n < c.MinRequests) {
			t.Errorf("undecided with %+v", got)
		}
		if got.Lower > got.Rate || got.IntervalLower > got.Rate || (n > 0 && got.IntervalUpper < got.Rate) {
			t.Errorf("bounds do not enclose the rate: %+v", got)
		}
		if k < n && got.Verdict == Fail && c.Decide(n, k+1).Verdict != Fail {
			t.Errorf("one more bad event undoes the fail")
		}
	})
}

func TestLatencyTargets(t *testing.T) {
	for quantile, want := range map[float64]float64{0.95: 0.05, 0.99: 0.01, 0.9: 0.1, 0.5: 0.5, 0.999: 0.001} {
		if got := Latency(time.Second, quantile); got.Target != want || got.Rollback != want || got.Validate() != nil {
			t.Errorf("Latency(1s, %v) has target %v and rollback limit %v (%v), want %v", quantile, got.Target, got.Rollback,
				got.Validate(), want)
		}
	}
	if got := Latency(time.Second, 0.95).Name; got != "P95 latency" {
		t.Errorf("name is %q", got)
	}
}

func TestCriterionValidate(t *testing.T) {
	valid := ErrorRate(0.005, 0.01)
	tests := []struct {
		change func(*Criterion)
		want   string
	}{
		{func(*Criterion) {}, ""},
		{func(c *Criterion) { c.Rollback = 1 }, ""},
		{func(c *Criterion) { c.Rollback = c.Target }, ""},
		{func(c *Criterion) { c.Kind = "errors" },
			`criterion "error rate": kind is "errors": must be "error-rate" or "latency"`},
		{func(c *Criterion) { c.Kind = KindLatency }, `criterion "error rate": limit is 0s: must be a duration above 0`},
		{func(c *Criterion) { c.Target = 0 }, `criterion "error rate": target is 0: must be a share above 0 and below 1`},
		{func(c *Criterion) { c.Target, c.Rollback = 1, 1 },
			`criterion "error rate": target is 1: must be a share above 0 and below 1`},
		{func(c *Criterion) { c.Rollback = 0.001 },
			`criterion "error rate": rollback limit is 0.001: must be a share from the target 0.005 to 1 (1 never fails)`},
		{func(c *Criterion) { c.Rollback = 2 },
			`criterion "error rate": rollback limit is 2: must be a share from the target 0.005 to 1 (1 never fails)`},
		{func(c *Criterion) { c.MinRequests = -1 }, `criterion "error rate": minimum of requests is -1: must be 0 or more`},
		{func(c *Criterion) { c.Alpha = 0.6 },
			`criterion "error rate": alpha is 0.6: must be above 0 and at most 0.5, or 0 for the default`},
	}
	for _, test := range tests {
		c := valid
		test.change(&c)
		got := ""
		if err := c.Validate(); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v: (-want +got)\n%s", c, diff)
		}
	}
}
