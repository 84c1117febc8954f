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

// export is the response of Prometheus to a range query.
type export struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		ResultType string       `json:"resultType"`
		Result     model.Matrix `json:"result"`
	} `json:"data"`
}

// ReadExport reads responses of Prometheus's HTTP API with the raw counters of both tracks: responses of query_range,
// or of query with a range selector, for the request metric and, to judge latency, the duration buckets. Sums and
// rates do not work, because the gates count themselves. Series without the metrics' selector labels are ignored. The
// release is required if the export has canaries of several releases.
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
		return nil, fmt.Errorf("not a response of Prometheus: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the response of Prometheus: put each response into its own file")
	}
	switch {
	case answer.Status != "success":
		return nil, fmt.Errorf("the response of Prometheus has the status %q, not success: %s", answer.Status, answer.Error)
	case answer.Data.ResultType != model.ValMatrix.String():
		return nil, fmt.Errorf("the response of Prometheus is a %q, not a matrix: export with query_range, or query a range "+
			"selector", answer.Data.ResultType)
	}
	for _, stream := range answer.Data.Result {
		if stream == nil {
			return nil, errors.New("the response of Prometheus has an empty series")
		}
		if err := checkSeries(stream); err != nil {
			return nil, err
		}
	}
	return answer.Data.Result, nil
}

// checkSeries rejects series that are no counters. The gates would reject them at every evaluation.
func checkSeries(stream *model.SampleStream) error {
	if len(stream.Histograms) > 0 {
		return fmt.Errorf("series %s is a native histogram: the gates count classic buckets, so export the series whose "+
			"names end in _bucket and _count", stream.Metric)
	}
	for i, sample := range stream.Values {
		value := float64(sample.Value)
		if !(value >= 0 && value <= mostRequests) || value != math.Trunc(value) {
			return fmt.Errorf("series %s has the value %v: export the raw counter, which has whole numbers from 0, "+
				"and no rate or sum of increases",
				stream.Metric, value)
		}
		if i > 0 && sample.Timestamp <= stream.Values[i-1].Timestamp {
			return fmt.Errorf("series %s has samples out of order", stream.Metric)
		}
	}
	return nil
}

// choose keeps the relevant series and checks that they belong to one rollout.
func choose(all model.Matrix, metrics gate.Metrics, release string) (model.Matrix, error) {
	var kept model.Matrix
	seen := map[model.Fingerprint]bool{}
	requests := false
	for _, stream := range all {
		name, track := label(stream, model.MetricNameLabel), label(stream, metrics.TrackLabel)
		if name != metrics.RequestsTotal && name != metrics.DurationBucket {
			return nil, fmt.Errorf("series %s: export the metrics %s and %s by name", stream.Metric,
				metrics.RequestsTotal, metrics.DurationBucket)
		}
		canary := track == names.Canary && (release == "" || label(stream, metrics.VersionLabel) == release)
		if !canary && track != names.Stable || !selected(stream, metrics.Selector) || metrics.Excludes(stream.Metric) {
			continue
		}
		key := stream.Metric.Fingerprint()
		if seen[key] {
			return nil, fmt.Errorf("duplicate series %s", stream.Metric)
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

// oneRollout rejects series of several namespaces, services or releases: their sum would describe none of them.
func oneRollout(kept model.Matrix, metrics gate.Metrics) error {
	distinct := map[string][]string{}
	for _, stream := range kept {
		labels := []string{"namespace", names.App}
		if label(stream, metrics.TrackLabel) == names.Canary {
			labels = append(labels, metrics.VersionLabel)
		}
		for _, name := range labels {
			distinct[name] = append(distinct[name], label(stream, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(distinct)) {
		values := distinct[name]
		slices.Sort(values)
		if values = slices.Compact(values); len(values) > 1 {
			return fmt.Errorf("the export mixes several rollouts, with the values %[2]s of label %[1]s: pass --release, or "+
				"export one rollout",
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
