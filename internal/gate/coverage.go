package gate

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/prometheus/common/model"
)

// Gap is a time without samples.
type Gap struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Coverage is the watched part of a window.
type Coverage struct {
	Window Window `json:"window"`
	// Covered is the window without its gaps.
	Covered time.Duration `json:"covered"`
	Gaps    []Gap         `json:"gaps,omitempty"`
}

// Cover finds the gaps in the scraping of a release: times longer than three scrapes without a sample of any of its
// pods. Prometheus may have been down, its retention shorter than the window, or the pods not scraped. Requests in a
// gap may still be counted, because counters keep running, but the gap does not count as watched time.
func Cover(ctx context.Context, querier Querier, metrics Metrics, window Window) (Coverage, error) {
	selector, err := metrics.SelectAll(metrics.RequestsTotal)
	if err != nil {
		return Coverage{}, err
	}
	interval := metrics.ScrapeInterval
	if interval <= 0 {
		interval = fallbackInterval
	}
	finder := gapFinder{most: missedScrapes * interval, last: window.Start}
	err = chunks(ctx, querier, selector, 0, window, func(matrix model.Matrix, start time.Time) error {
		finder.add(matrix, start)
		return nil
	})
	if err != nil {
		return Coverage{}, fmt.Errorf("find gaps in the scraping: %w", err)
	}
	return finder.finish(window), nil
}

// gapFinder walks through samples in order of time.
type gapFinder struct {
	most time.Duration
	last time.Time
	gaps []Gap
}

// add processes the samples of a piece that begins at start.
func (f *gapFinder) add(matrix model.Matrix, start time.Time) {
	for {
		// The next sample of any pod.
		next := time.Time{}
		for _, series := range matrix {
			at := firstAfter(series.Values, f.last)
			if !at.IsZero() && at.After(start) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if next.IsZero() {
			return
		}
		f.step(next)
	}
}

func (f *gapFinder) step(to time.Time) {
	if to.Sub(f.last) > f.most {
		f.gaps = append(f.gaps, Gap{Start: f.last, End: to})
	}
	f.last = to
}

func (f *gapFinder) finish(window Window) Coverage {
	f.step(window.End)
	coverage := Coverage{Window: window, Covered: window.End.Sub(window.Start), Gaps: f.gaps}
	for _, gap := range f.gaps {
		coverage.Covered -= gap.End.Sub(gap.Start)
	}
	return coverage
}

// firstAfter is the time of the first sample after a time, zero without one. Samples are in order.
func firstAfter(samples []model.SamplePair, after time.Time) time.Time {
	at := sort.Search(len(samples), func(i int) bool { return samples[i].Timestamp.Time().After(after) })
	if at == len(samples) {
		return time.Time{}
	}
	return samples[at].Timestamp.Time()
}
