package smoke

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// latency sends the request again and again, one at a time, and compares the percentile of the times with the limit. It
// stops as soon as so many requests were too slow that the rest cannot help, which bounds what a slow pod costs.
func (r *runner) latency(parent context.Context, check *Check) outcome {
	limit, step := check.Latency, &check.Steps[0]
	// This many requests may be slower than the limit without the percentile being so.
	spare := limit.Requests - nearestRank(limit.Percentile, limit.Requests)
	times := make([]time.Duration, 0, limit.Requests)
	slow := 0
	for i := range limit.Requests {
		took, o := r.timed(parent, step, check.Timeout)
		if o.status != Passed {
			o.reason = fmt.Sprintf("request %d of %d: %s", i+1, limit.Requests, o.reason)
			return o
		}
		times = append(times, took)
		if took > limit.Max {
			slow++
		}
		if slow > spare {
			return failed("expected P%d of %d requests within %s, got %d of the first %d slower, the slowest %s",
				limit.Percentile, limit.Requests, limit.Max, slow, len(times), round(slices.Max(times)))
		}
	}
	return outcome{status: Passed, detail: fmt.Sprintf("P%d of %d requests %s, limit %s",
		limit.Percentile, limit.Requests, round(percentile(times, limit.Percentile)), limit.Max)}
}

// timed sends the step's request once and measures it to the last byte of the answer.
func (r *runner) timed(parent context.Context, step *Step, timeout time.Duration) (time.Duration, outcome) {
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	started := time.Now()
	o := r.step(ctx, parent, step, timeout)
	return time.Since(started), o
}

// nearestRank is the 1-based rank of a percentile among n sorted values: the smallest rank that has at least p percent
// of the values at or below it.
func nearestRank(p, n int) int { return (p*n + 99) / 100 }

// percentile is the nearest-rank percentile of times, of which there is at least one.
func percentile(times []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[nearestRank(p, len(sorted))-1]
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
