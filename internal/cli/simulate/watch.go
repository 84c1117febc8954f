package simulate

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// rises returns the tracks' increases at each sample of the canary, when a guard would evaluate. Like the gates and the
// guard, it takes the first sample of a series that exists from the start as its base, and counts a series that appears
// later from 0.
func (r *Recording) rises(latency time.Duration) ([]Interval, error) {
	canary, err := r.risesOf(names.Canary, latency)
	if err != nil {
		return nil, err
	}
	stable, err := r.risesOf(names.Stable, latency)
	if err != nil {
		return nil, err
	}
	times := make([]model.Time, 0, len(canary))
	for at := range canary {
		times = append(times, at)
	}
	slices.Sort(times)
	beside := make([]model.Time, 0, len(stable))
	for at := range stable {
		beside = append(beside, at)
	}
	slices.Sort(beside)
	intervals := make([]Interval, 0, len(times))
	next := 0
	for _, at := range times {
		counted, pending := canary[at], Counts{}
		for ; next < len(beside) && beside[next] <= at; next++ {
			pending = pending.plus(stable[beside[next]])
		}
		intervals = append(intervals, Interval{End: at.Time().UTC(), Canary: &counted, Stable: &pending})
	}
	return intervals, nil
}

// risesOf are those of one track, by time.
func (r *Recording) risesOf(track string, latency time.Duration) (map[model.Time]Counts, error) {
	bad, err := regexp.Compile("^(?:" + r.metrics.ErrorPattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("error pattern %q: %w", r.metrics.ErrorPattern, err)
	}
	byTime := map[model.Time]Counts{}
	for _, stream := range r.of(r.metrics.RequestsTotal, track) {
		failed := bad.MatchString(label(stream, r.metrics.StatusLabel))
		r.walk(r.processes[r.processOf(stream.Metric)], stream.Values, nil, func(at model.Time, rise, _ int64) {
			counts := Counts{N: rise}
			if failed {
				counts.K = rise
			}
			byTime[at] = byTime[at].plus(counts)
		})
	}
	for _, pair := range r.histograms(track, latency) {
		process := r.processes[r.processOf(pair[0].Metric)]
		r.walk(process, pair[0].Values, pair[1].Values, func(at model.Time, all, within int64) {
			byTime[at] = byTime[at].plus(Counts{Slow: max(all-within, 0)})
		})
	}
	// The two metrics are counted one after the other by a service: a request may be in one and not yet in the other.
	for at, counts := range byTime {
		counts.Slow = min(counts.Slow, counts.N)
		byTime[at] = counts
	}
	return byTime, nil
}

// walk goes through a counter of a process, and beside it another one: all counters begin anew when the process does.
func (r *Recording) walk(process life, samples, beside []model.SamplePair,
	visit func(at model.Time, rise, risen int64)) {
	var base, besideBase model.SampleValue
	for i, sample := range samples {
		besideValue := besideBase
		if at, ok := slices.BinarySearchFunc(beside, sample.Timestamp,
			func(s model.SamplePair, t model.Time) int { return int(s.Timestamp.Sub(t)) }); ok {
			besideValue = beside[at].Value
		}
		if process.restarts[sample.Timestamp] {
			base, besideBase = 0, 0
		}
		if i > 0 || sample.Timestamp.Time().After(r.Start) {
			visit(sample.Timestamp, int64(sample.Value-base), int64(besideValue-besideBase))
		}
		base, besideBase = sample.Value, besideValue
	}
}

// histograms are the bucket of all requests and the one of those within the limit, of each process.
func (r *Recording) histograms(track string, latency time.Duration) [][2]*model.SampleStream {
	pairs := map[model.Fingerprint]*[2]*model.SampleStream{}
	for _, stream := range r.of(r.metrics.DurationBucket, track) {
		bound, err := strconv.ParseFloat(label(stream, model.BucketLabel), 64)
		within := math.Abs(bound-r.bound(latency)) <= 1e-9*bound
		if err != nil || !math.IsInf(bound, 1) && !within {
			continue
		}
		labels := stream.Metric.Clone()
		delete(labels, model.BucketLabel)
		key := labels.Fingerprint()
		if pairs[key] == nil {
			pairs[key] = &[2]*model.SampleStream{}
		}
		if math.IsInf(bound, 1) {
			pairs[key][0] = stream
		} else {
			pairs[key][1] = stream
		}
	}
	var complete [][2]*model.SampleStream
	for _, pair := range pairs {
		if pair[0] != nil && pair[1] != nil {
			complete = append(complete, *pair)
		}
	}
	return complete
}

// bound converts a latency to the unit of the buckets.
func (r *Recording) bound(latency time.Duration) float64 {
	unit := r.metrics.DurationUnit
	if unit == 0 {
		unit = time.Second
	}
	return float64(latency) / float64(unit)
}

// watch simulates the guard and returns its events, up to a rollback.
func (r *Recording) watch(limits Limits) ([]Event, error) {
	if limits.Guard == nil {
		return nil, nil
	}
	latency := time.Duration(0)
	if limits.Review != nil && r.Durations {
		latency = limits.Review.Limit
	}
	intervals, err := r.rises(latency)
	if err != nil {
		return nil, err
	}
	return limits.watch(r.Start, intervals, latency > 0)
}

// watch simulates the guard over the increases of both tracks.
func (l Limits) watch(start time.Time, intervals []Interval, durations bool) ([]Event, error) {
	w := watcher{limits: l, start: start, errors: gate.NewWatch(*l.Guard)}
	if durations {
		w.slow = gate.NewDetector(l.Review.Rollback)
	}
	last := start
	for _, interval := range intervals {
		if err := w.observe(interval.End.Sub(last), *interval.Canary, *interval.Stable); err != nil {
			return nil, fmt.Errorf("at %s: %w", interval.End.Format(time.RFC3339), err)
		}
		last = interval.End
		if w.look(interval.End) {
			break
		}
	}
	return w.events, nil
}

// watcher holds the guard's evidence.
type watcher struct {
	limits   Limits
	start    time.Time
	errors   *gate.Watch
	slow     *gate.Detector
	reported map[string]bool
	events   []Event
}

func (w *watcher) observe(elapsed time.Duration, canary, stable Counts) error {
	if err := w.errors.Observe(elapsed, canary.requests(), stable.requests()); err != nil {
		return err
	}
	if w.slow == nil {
		return nil
	}
	return w.slow.Observe(elapsed, canary.slow(), stable.slow())
}

// look evaluates the evidence and reports whether the guard rolls back.
func (w *watcher) look(at time.Time) bool {
	if w.slow != nil && !w.reported["slow"] && w.limits.Review.Suspects(w.slow) {
		if detection := w.limits.Review.Detect(w.slow); detection.Verdict == gate.Fail {
			w.report("slow", Event{At: at, Action: Reviewed, Result: &detection.Result})
		}
	}
	if w.errors.IsCalm() {
		return false
	}
	detection := w.errors.Look(at)
	switch {
	case detection.Shared:
		w.report("shared", Event{At: at, Action: Reviewed, Result: &detection.Result})
		return false
	case detection.Verdict != gate.Fail:
		return false
	}
	w.report("errors", Event{At: at, Action: RolledBack, Result: &detection.Result})
	return true
}

// report records each kind of event once.
func (w *watcher) report(kind string, event Event) {
	if w.reported[kind] {
		return
	}
	if w.reported == nil {
		w.reported = map[string]bool{}
	}
	w.reported[kind] = true
	event.By, event.After = ByGuard, event.At.Sub(w.start)
	event.Verdict, event.Reason = event.Result.Verdict, event.Result.Name+": "+event.Result.Reason
	w.events = append(w.events, event)
}
