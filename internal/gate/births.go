package gate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// Metrics that tell how old a process is: Prometheus' own about each scrape, and the one that client libraries give.
const (
	MetricUp      = "up"
	MetricStarted = "process_start_time_seconds"
)

// births is what Prometheus knows about the age of a process.
type births struct {
	// scraped is the time of the first successful scrape that is known; Latest without one.
	scraped model.Time
	// started are the changes of the start time, in seconds since 1970, in order of time.
	started []model.SamplePair
}

// scrapedBefore reports whether a scrape before the time reached the process.
func (b births) scrapedBefore(at model.Time) bool { return b.scraped < at }

// since is the earliest time at which a process may have counted the requests of its first page, at a time: after it
// started, and after the first scrape that did not have them.
func (b births) since(at model.Time) model.Time {
	since := model.Earliest
	if started := b.startedAt(at); !started.IsZero() {
		since = model.TimeFromUnixNano(started.UnixNano())
	}
	if b.scrapedBefore(at) {
		since = max(since, b.scraped)
	}
	return since
}

// startedAt is when the process that was scraped at the time had started; zero if that is unknown.
func (b births) startedAt(at model.Time) time.Time {
	later, _ := slices.BinarySearchFunc(b.started, at+1, func(s model.SamplePair, t model.Time) int {
		return cmp.Compare(s.Timestamp, t)
	})
	if later == 0 {
		return time.Time{}
	}
	seconds := float64(b.started[later-1].Value)
	return time.Unix(0, int64(seconds*float64(time.Second)))
}

// registry holds the births of all processes, by pod and container.
type registry map[[2]string]births

// of are the births of a process. A series without the name of its container has those of the pod.
func (r registry) of(from origin) births {
	known, exists := r[[2]string{from.pod, from.container}]
	if !exists {
		known, exists = r[[2]string{from.pod, ""}]
	}
	if !exists {
		known.scraped = model.Latest
	}
	return known
}

func (r registry) entry(from origin) births {
	key := [2]string{from.pod, from.container}
	if _, known := r[key]; !known {
		r[key] = births{scraped: model.Latest}
	}
	return r[key]
}

// register reads the births of the processes that the metrics select. Metrics without labels for their pods have none.
func register(ctx context.Context, querier Querier, metrics Metrics, window Window) (registry, error) {
	born := registry{}
	track := metrics.podsOfTrack()
	if len(metrics.Pods) == 0 && len(track) == 0 {
		return born, nil
	}
	for metric, note := range map[string]func(births, []model.SamplePair) births{
		MetricUp: births.noteScrapes, MetricStarted: births.noteStarts,
	} {
		selector, err := promql.Selector(metric, metrics.Pods, track...)
		if err != nil {
			return nil, err
		}
		err = chunks(ctx, querier, selector, metrics.lookback(), window, func(matrix model.Matrix, _ time.Time) error {
			for _, series := range matrix {
				from := originOf(series.Metric)
				born[[2]string{from.pod, from.container}] = note(born.entry(from), series.Values)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return born, nil
}

func (b births) noteScrapes(samples []model.SamplePair) births {
	for _, sample := range samples {
		if sample.Value == 1 {
			b.scraped = min(b.scraped, sample.Timestamp)
		}
	}
	return b
}

// noteStarts keeps the changes alone: two days of samples differ in a few.
func (b births) noteStarts(samples []model.SamplePair) births {
	for _, sample := range samples {
		if sample.Value > 0 && sample.Value < maxExactInteger {
			b.started = append(b.started, sample)
		}
	}
	slices.SortStableFunc(b.started, func(x, y model.SamplePair) int { return cmp.Compare(x.Timestamp, y.Timestamp) })
	b.started = slices.CompactFunc(b.started, func(x, y model.SamplePair) bool { return x.Value == y.Value })
	return b
}
