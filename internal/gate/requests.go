package gate

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// errors are the requests of the counted processes, and those of them whose status matches the pattern. The series of
// processes without the label for the status are left out and noted, if they are few.
func (t *tally) errors(statusLabel, pattern string) (counts Counts, notes []string, err error) {
	bad, err := regexp.Compile(anchored(pattern))
	if err != nil {
		return Counts{}, nil, fmt.Errorf("error pattern %q: %w", pattern, err)
	}
	processes, notes, err := t.counted()
	if err != nil {
		return Counts{}, nil, err
	}
	var unlabelled []*tracked
	labelled := false
	for _, p := range processes {
		for _, series := range p.series {
			status, ok := series.served[model.LabelName(statusLabel)]
			if !ok {
				unlabelled = append(unlabelled, series)
				continue
			}
			labelled = true
			counts.N += series.rise
			if bad.MatchString(string(status)) {
				counts.K += series.rise
			}
		}
	}
	sortByLabels(unlabelled)
	more, err := leftOut(unlabelled, counts.N, labelled, func(s *tracked) string {
		labels := named(s.pod, s.served)
		return fmt.Sprintf("series %s has no label %q for its status: configure the right label (it has %s)", labels,
			statusLabel, labelNames(labels))
	})
	return counts, append(notes, more...), err
}

func sortByLabels(series []*tracked) {
	slices.SortFunc(series, func(a, b *tracked) int {
		if a.served.Before(b.served) {
			return -1
		}
		return 1
	})
}

// latencies are the requests of the counted processes, and those of them that took longer than the limit, which is in
// the histogram's unit. A limit between two bounds leaves some requests open: see [Counts.Maybe].
func (t *tally) latencies(limit float64, unit time.Duration) (counts Counts, notes []string, err error) {
	processes, notes, err := t.counted()
	if err != nil {
		return Counts{}, nil, err
	}
	for _, p := range processes {
		histograms := map[model.Fingerprint]*histogram{}
		for _, series := range p.series {
			bound, err := bucketBound(series.served)
			if err != nil {
				return Counts{}, nil, err
			}
			labels := series.served.Clone()
			delete(labels, model.BucketLabel)
			key := labels.Fingerprint()
			if histograms[key] == nil {
				histograms[key] = &histogram{pod: p.pod, labels: labels, rises: map[float64]int64{}}
			}
			histograms[key].rises[bound] = series.rise
		}
		for _, h := range histograms {
			more, err := h.counts(limit, unit)
			if err != nil {
				return Counts{}, nil, err
			}
			counts = counts.Plus(more)
		}
	}
	return counts, notes, nil
}

func bucketBound(labels model.Metric) (float64, error) {
	text, ok := labels[model.BucketLabel]
	if !ok {
		return 0, fmt.Errorf("series %s has no label %q: configure the buckets of a classic histogram, whose name ends in "+
			"_bucket", labels, model.BucketLabel)
	}
	bound, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(bound) {
		return 0, fmt.Errorf("series %s has a label %s that is not a number", labels, model.BucketLabel)
	}
	return bound, nil
}

// histogram is a classic histogram of one process: by how much its cumulative buckets rose, by their upper bound.
type histogram struct {
	pod    string
	labels model.Metric
	rises  map[float64]int64
}

// counts are exact at the limit if it is a bound. Between two bounds, what lies above the upper one is slow and what
// lies between them may be.
func (h *histogram) counts(limit float64, unit time.Duration) (Counts, error) {
	all, ok := h.rises[math.Inf(1)]
	if !ok {
		return Counts{}, fmt.Errorf("histogram %s has no bucket with le=\"+Inf\"", named(h.pod, h.labels))
	}
	below, above, finite := between(h.bounds(), limit)
	if !finite {
		return Counts{}, &noBoundError{histogram: named(h.pod, h.labels).String(), ofProcess: true, limit: limit, unit: unit}
	}
	within, surely := h.rises[above], h.rises[below]
	counts := Counts{N: all, K: all - within, Maybe: within - surely}
	if counts.K < 0 || counts.Maybe < 0 {
		return Counts{}, fmt.Errorf("histogram %s counts more requests up to a bound than up to a higher one, at the "+
			"latency limit of %s: %d more", named(h.pod, h.labels), inUnit(limit, unit), max(-counts.K, -counts.Maybe))
	}
	return counts, nil
}

// between gives the highest bound up to the limit, NaN without one, and the lowest one from the limit on, which is
// +Inf without one. Both are the limit if it is a bound. finite is whether there is any bound but +Inf.
func between(bounds []float64, limit float64) (below, above float64, finite bool) {
	below, above = math.NaN(), math.Inf(1)
	for _, bound := range bounds {
		if math.IsInf(bound, 1) {
			continue
		}
		finite = true
		exact := isBound(bound, limit)
		if (exact || bound < limit) && !(bound <= below) {
			below = bound
		}
		if (exact || bound > limit) && bound < above {
			above = bound
		}
	}
	return below, above, finite
}

func (h *histogram) bounds() []float64 {
	var bounds []float64
	for bound := range h.rises {
		bounds = append(bounds, bound)
	}
	return bounds
}

// inUnit prints a bound as a duration, as the limit is configured.
func inUnit(bound float64, unit time.Duration) string {
	return time.Duration(math.Round(bound * float64(unit))).String()
}
