package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
)

// export is the answer of Prometheus to a range query.
type export struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		ResultType string       `json:"resultType"`
		Result     model.Matrix `json:"result"`
	} `json:"data"`
}

// ReadExport reads answers of Prometheus' HTTP API about the raw counters, one or more for a record: those of
// query_range, or of query with a range selector, for the metric of requests and, where latency is to be judged, that
// of the duration buckets, of both tracks. Sums and rates are of no use: the gates count themselves. Series that do
// not carry the metrics' selector do not count. A release is needed where the export holds canaries of several.
func ReadExport(metrics gate.Metrics, release string, from ...io.Reader) (*Recording, error) {
	var all model.Matrix
	for _, reader := range from {
		series, err := readAnswer(reader)
		if err != nil {
			return nil, err
		}
		all = append(all, series...)
	}
	kept, err := choose(all, metrics, release)
	if err != nil {
		return nil, err
	}
	return newRecording(kept, metrics)
}

func readAnswer(from io.Reader) (model.Matrix, error) {
	decoder := json.NewDecoder(from)
	var answer export
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("no answer of Prometheus: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the answer of Prometheus: give each answer in a file of its own")
	}
	switch {
	case answer.Status != "success":
		return nil, fmt.Errorf("the answer of Prometheus has the status %q, not success: %s", answer.Status, answer.Error)
	case answer.Data.ResultType != model.ValMatrix.String():
		return nil, fmt.Errorf("the answer of Prometheus is a %q, not a matrix: export with query_range, or query a range "+
			"selector", answer.Data.ResultType)
	}
	for _, stream := range answer.Data.Result {
		if stream == nil {
			return nil, errors.New("the answer of Prometheus holds an empty series")
		}
		if err := checkSeries(stream); err != nil {
			return nil, err
		}
	}
	return answer.Data.Result, nil
}

// checkSeries refuses what is no counter; the gates would refuse it at every look.
func checkSeries(stream *model.SampleStream) error {
	if len(stream.Histograms) > 0 {
		return fmt.Errorf("series %s is a native histogram: the gates count the buckets of a classic one", stream.Metric)
	}
	for i, sample := range stream.Values {
		value := float64(sample.Value)
		if !(value >= 0 && value <= mostRequests) || value != math.Trunc(value) {
			return fmt.Errorf("series %s has the value %v: the raw counter is needed, which has whole numbers of at least 0, "+
				"no rate and no sum of increases",
				stream.Metric, value)
		}
		if i > 0 && sample.Timestamp <= stream.Values[i-1].Timestamp {
			return fmt.Errorf("series %s has samples out of order", stream.Metric)
		}
	}
	return nil
}

// choose keeps the series that count, and checks that they are of one rollout.
func choose(all model.Matrix, metrics gate.Metrics, release string) (model.Matrix, error) {
	var kept model.Matrix
	seen := map[model.Fingerprint]bool{}
	requests := false
	for _, stream := range all {
		name, track := label(stream, model.MetricNameLabel), label(stream, metrics.TrackLabel)
		if name != metrics.RequestsTotal && name != metrics.DurationBucket {
			return nil, fmt.Errorf("series %s: the metrics are called %s and %s; export these, by their names", stream.Metric,
				metrics.RequestsTotal, metrics.DurationBucket)
		}
		canary := track == names.Canary && (release == "" || label(stream, metrics.VersionLabel) == release)
		if !canary && track != names.Stable || !selected(stream, metrics.Selector) {
			continue
		}
		key := stream.Metric.Fingerprint()
		if seen[key] {
			return nil, fmt.Errorf("series %s is there twice", stream.Metric)
		}
		seen[key] = true
		requests = requests || canary && name == metrics.RequestsTotal
		kept = append(kept, stream)
	}
	if !requests {
		return nil, fmt.Errorf("no series of %s with %s=%q%s among the %d of the export", metrics.RequestsTotal,
			metrics.TrackLabel,
			names.Canary, described(metrics, release), len(all))
	}
	return kept, oneRollout(kept, metrics)
}

// oneRollout refuses series of several namespaces, services or releases: their sums would be of none of them.
func oneRollout(kept model.Matrix, metrics gate.Metrics) error {
	found := map[string][]string{}
	for _, stream := range kept {
		labels := []string{"namespace", names.App}
		if label(stream, metrics.TrackLabel) == names.Canary {
			labels = append(labels, metrics.VersionLabel)
		}
		for _, name := range labels {
			found[name] = append(found[name], label(stream, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		values := found[name]
		slices.Sort(values)
		if values = slices.Compact(values); len(values) > 1 {
			return fmt.Errorf("the export is of several rollouts, by its label %s: %s: name the release, or export one rollout",
				name, strings.Join(values, ", "))
		}
	}
	return nil
}

func label(stream *model.SampleStream, name string) string {
	return string(stream.Metric[model.LabelName(name)])
}

func selected(stream *model.SampleStream, selector map[string]string) bool {
	for name, value := range selector {
		if label(stream, name) != value {
			return false
		}
	}
	return true
}

func described(metrics gate.Metrics, release string) string {
	text := ""
	if release != "" {
		text = fmt.Sprintf(", %s=%q", metrics.VersionLabel, release)
	}
	for _, name := range slices.Sorted(maps.Keys(metrics.Selector)) {
		text += fmt.Sprintf(", %s=%q", name, metrics.Selector[name])
	}
	return text
}
