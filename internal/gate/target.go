package gate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// target holds the samples that Prometheus took of one process in one way: of every series of the process at each
// scrape.
type target struct {
	origin  origin
	scrapes map[model.Time]map[model.Fingerprint]int64
	labels  map[model.Fingerprint]model.Metric
}

// targetsOf groups verified counters by where they come from, in a fixed order.
func targetsOf(series []counter) []*target {
	type key struct {
		pod string
		way model.Fingerprint
	}
	byKey := map[key]*target{}
	for _, c := range series {
		from := originOf(c.labels)
		at := key{from.pod, from.target}
		if byKey[at] == nil {
			byKey[at] = &target{origin: from, scrapes: map[model.Time]map[model.Fingerprint]int64{},
				labels: map[model.Fingerprint]model.Metric{}}
		}
		byKey[at].add(from.served, c.samples)
	}
	targets := slices.Collect(maps.Values(byKey))
	slices.SortFunc(targets, func(a, b *target) int {
		return cmp.Or(cmp.Compare(a.origin.pod, b.origin.pod), cmp.Compare(a.origin.target, b.origin.target))
	})
	return targets
}

func (t *target) add(served model.Metric, samples []model.SamplePair) {
	id := served.Fingerprint()
	t.labels[id] = served
	for _, sample := range samples {
		if t.scrapes[sample.Timestamp] == nil {
			t.scrapes[sample.Timestamp] = map[model.Fingerprint]int64{}
		}
		t.scrapes[sample.Timestamp][id] = int64(sample.Value)
	}
}

func (t *target) times() []model.Time { return slices.Sorted(maps.Keys(t.scrapes)) }

// agrees reports whether two targets scraped the same counters: while both were scraped, the values of one lie between
// those of the other. Targets that were not scraped at the same time agree.
func (t *target) agrees(other *target) bool {
	mine, theirs := t.times(), other.times()
	agreeing, all := 0, 0
	for _, at := range theirs {
		next, _ := slices.BinarySearch(mine, at)
		if next == 0 && mine[0] != at || next == len(mine) {
			continue
		}
		// The clocks of two servers differ by less than an interval: their order may be a scrape off.
		from, to := max(next-2, 0), min(next+1, len(mine)-1)
		for id, value := range other.scrapes[at] {
			low, high, known := t.span(id, mine[from:to+1])
			if !known {
				continue
			}
			all++
			if low <= value && value <= high {
				agreeing++
			}
		}
	}
	return 2*agreeing >= all
}

// span gives the lowest and the highest value of a series at the times.
func (t *target) span(id model.Fingerprint, times []model.Time) (low, high int64, known bool) {
	for _, at := range times {
		value, ok := t.scrapes[at][id]
		switch {
		case !ok:
		case !known:
			low, high, known = value, value, true
		default:
			low, high = min(low, value), max(high, value)
		}
	}
	return low, high, known
}

// scrape holds the values of a process at one time.
type scrape struct {
	at     model.Time
	values map[model.Fingerprint]int64
}

// timeline merges the scrapes of targets that scraped the same process. The target with the most scrapes is followed;
// another one fills its gaps.
func timeline(targets []*target) []scrape {
	targets = slices.Clone(targets)
	slices.SortStableFunc(targets, func(a, b *target) int { return cmp.Compare(len(b.scrapes), len(a.scrapes)) })
	apart := betweenScrapes(targets) * 3 / 4
	var times []model.Time
	from := map[model.Time]*target{}
	for _, t := range targets {
		kept := slices.Clone(times)
		for _, at := range t.times() {
			if len(kept) == 0 || distance(kept, at) > apart {
				times = append(times, at)
				from[at] = t
			}
		}
		slices.Sort(times)
	}
	list := make([]scrape, len(times))
	for i, at := range times {
		list[i] = scrape{at: at, values: from[at].scrapes[at]}
	}
	return list
}

// betweenScrapes is the median time between the scrapes of a target.
func betweenScrapes(targets []*target) time.Duration {
	var all []time.Duration
	for _, t := range targets {
		times := t.times()
		for i := 1; i < len(times); i++ {
			all = append(all, times[i].Sub(times[i-1]))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// distance is the time from the nearest of the times, which are in order.
func distance(times []model.Time, at model.Time) time.Duration {
	next, _ := slices.BinarySearch(times, at)
	nearest := time.Duration(1<<63 - 1)
	if next < len(times) {
		nearest = times[next].Sub(at)
	}
	if next > 0 {
		nearest = min(nearest, at.Sub(times[next-1]))
	}
	return nearest
}
