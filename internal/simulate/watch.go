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
	"github.com/vextrus/finance-rollout/internal/guard/replay"
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

// guarded gives the tracks' increases as the guard sees them, and whether slow requests are among them.
func (r *Recording) guarded(limits Limits) ([]Interval, bool, error) {
	latency := time.Duration(0)
	if limits.Review != nil && r.Durations {
		latency = limits.Review.Limit
	}
	intervals, err := r.rises(latency)
	return intervals, latency > 0, err
}

// watched is the traffic that the guard sees.
type watched struct {
	start     time.Time
	intervals []Interval
	durations bool
}

// watch simulates the guard over the increases of both tracks, up to a rollback. From a time on it may quarantine.
func (l Limits) watch(traffic watched, quarantines time.Time) ([]Event, error) {
	if l.Guard == nil {
		return nil, nil
	}
	rules := replay.Rules{Criterion: *l.Guard}
	if !quarantines.IsZero() {
		rules.Quarantine, rules.From = l.Quarantine, quarantines
	}
	w := watcher{limits: l, start: traffic.start, guard: replay.New(rules, traffic.start)}
	if traffic.durations {
		w.slow = gate.NewDetector(l.Review.Rollback)
	}
	last := traffic.start
	for _, interval := range traffic.intervals {
		ended, err := w.observe(last, interval)
		if err != nil {
			return nil, fmt.Errorf("at %s: %w", interval.End.Format(time.RFC3339), err)
		}
		if ended {
			break
		}
		last = interval.End
	}
	return w.events, nil
}

// watcher simulates a guard.
type watcher struct {
	limits   Limits
	start    time.Time
	guard    *replay.Guard
	slow     *gate.Detector
	reported map[replay.Kind]bool
	events   []Event
}

// slowness is the kind of the guard's review of slow requests.
const slowness replay.Kind = "slow"

// observe adds an interval and reports whether the guard rolls back.
func (w *watcher) observe(last time.Time, interval Interval) (rolledBack bool, err error) {
	if w.guard.InTraffic() {
		if err := w.observeSlow(last, interval); err != nil {
			return false, err
		}
	}
	events, err := w.guard.Add(interval.End, interval.Canary.requests(), interval.Stable.requests())
	if err != nil {
		return false, err
	}
	for _, event := range events {
		action := map[replay.Kind]Action{replay.Shared: Reviewed, replay.Quarantined: Quarantined,
			replay.Readmitted: Readmitted, replay.RolledBack: RolledBack}[event.Kind]
		if event.Kind == replay.Readmitted {
			w.events = append(w.events, Event{At: event.At, After: event.At.Sub(w.start), By: ByGuard, Action: action,
				Verdict: gate.Inconclusive, Reason: fmt.Sprintf("offence %d is over: one pod first", event.Offence)})
			continue
		}
		w.report(event.Kind, action, event.At, event.Result)
	}
	return len(events) > 0 && events[len(events)-1].Kind == replay.RolledBack, nil
}

// observeSlow adds the slow requests, about which the guard tells a person once.
func (w *watcher) observeSlow(last time.Time, interval Interval) error {
	if w.slow == nil || w.reported[slowness] {
		return nil
	}
	err := w.slow.Observe(interval.End.Sub(last), interval.Canary.slow(), interval.Stable.slow())
	if err != nil || !w.limits.Review.Suspects(w.slow) {
		return err
	}
	if detection := w.limits.Review.Detect(w.slow); detection.Verdict == gate.Fail {
		w.report(slowness, Reviewed, interval.End, detection.Result)
	}
	return nil
}

// report records an event; one for a person's review is recorded once.
func (w *watcher) report(kind replay.Kind, action Action, at time.Time, result gate.Result) {
	if action == Reviewed && w.reported[kind] {
		return
	}
	if w.reported == nil {
		w.reported = map[replay.Kind]bool{}
	}
	w.reported[kind] = true
	w.events = append(w.events, Event{At: at, After: at.Sub(w.start), By: ByGuard, Action: action, Verdict: result.Verdict,
		Reason: result.Name + ": " + result.Reason, Result: &result})
}
