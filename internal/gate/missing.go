package gate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

const (
	// history is how far back the explanation looks.
	history = time.Hour
	// maxListed is the greatest number of listed names or values.
	maxListed = 8
)

// missing explains why a selector has no samples: the metric does not exist, its labels have other values, or its last
// sample is old.
func missing(ctx context.Context, querier Querier, metrics Metrics, metric, selector string, window Window) (string,
	error) {
	start := window.Start.Add(-history)
	named, err := promql.Selector(metric, nil)
	if err != nil {
		return "", err
	}
	names, err := querier.LabelValues(ctx, model.MetricNameLabel, named, start, window.End)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return noMetric(ctx, querier, metric, start, window.End)
	}
	matrix, err := querier.Samples(ctx, selector, start, window.End)
	if err != nil {
		return "", err
	}
	if len(matrix) > 0 {
		newest := newestSample(matrix)
		return fmt.Sprintf("its last sample is from %s, %v before the end of the window: is the pod still scraped?",
			stamp(newest), window.End.Sub(newest).Round(time.Second)), nil
	}
	return labelValues(ctx, querier, metrics, named, start, window.End)
}

// noMetric names the metrics with similar names.
func noMetric(ctx context.Context, querier Querier, metric string, start, end time.Time) (string, error) {
	words := nameWords(metric)
	names, err := querier.LabelValues(ctx, model.MetricNameLabel, promql.NamesContaining(words...), start, end)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return fmt.Sprintf("there is no metric %s, nor any whose name contains %s: is the pod scraped at all?",
			metric, strings.Join(words, " or ")), nil
	}
	if native := NativeOf(metric); native != "" && slices.Contains(names, native) {
		return fmt.Sprintf("there is no metric %s: Prometheus keeps %s as a native histogram alone, and %s", metric, native,
			keepClassic), nil
	}
	shared := func(name string) int {
		return len(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.Contains(name, w) }))
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(shared(b), shared(a)), cmp.Compare(a, b)) })
	return fmt.Sprintf("there is no metric %s; there are %s: correct its name, or scrape the pod", metric, some(names)),
		nil
}

// nameWords are the significant words of a metric's name, or all words if none is significant.
func nameWords(metric string) []string {
	common := []string{"total", "bucket", "count", "sum", "seconds", "milliseconds", "duration"}
	all := strings.FieldsFunc(metric, func(r rune) bool { return strings.ContainsRune("_:.-/", r) })
	words := slices.DeleteFunc(slices.Clone(all), func(w string) bool { return slices.Contains(common, w) })
	switch {
	case len(words) > 0:
		return words
	case len(all) > 0:
		return all
	default:
		return []string{metric}
	}
}

// labelValues lists the existing values of the selector's labels and of the track's and version's.
func labelValues(ctx context.Context, querier Querier, metrics Metrics, metric string, start, end time.Time) (string,
	error) {
	labels := slices.AppendSeq([]string{metrics.TrackLabel, metrics.VersionLabel}, maps.Keys(metrics.Selector))
	if len(metrics.Tracks) > 0 {
		labels = slices.Collect(maps.Keys(metrics.Selector))
	}
	for _, one := range slices.Concat(metrics.Track, metrics.Matchers) {
		labels = append(labels, one.Label)
	}
	slices.Sort(labels)
	var lines []string
	for _, label := range slices.Compact(labels) {
		if label == "" {
			continue
		}
		values, err := querier.LabelValues(ctx, label, metric, start, end)
		if err != nil {
			return "", err
		}
		text := "label " + label + " has no value"
		if len(values) > 0 {
			text = "label " + label + " has the values " + some(values)
		}
		lines = append(lines, text)
	}
	return fmt.Sprintf("%s exists, but not with these labels: %s", metric, strings.Join(lines, "; ")), nil
}

func some(values []string) string {
	if len(values) <= maxListed {
		return strings.Join(values, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(values[:maxListed], ", "), len(values)-maxListed)
}
