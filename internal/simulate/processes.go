package simulate

import (
	"maps"
	"slices"

	"github.com/prometheus/common/model"
)

// process is what a series belongs to: a container of a pod, or an instance where the record names no pods.
type process struct{ track, namespace, pod, instance, container model.LabelValue }

func (r *Recording) processOf(metric model.Metric) process {
	p := process{track: metric[model.LabelName(r.metrics.TrackLabel)], namespace: metric["namespace"],
		pod: metric["pod"], container: metric["container"]}
	if p.pod == "" {
		p.instance = metric["instance"]
	}
	return p
}

// labels are those by which the gates know the process.
func (p process) labels() model.Metric {
	labels := model.Metric{"namespace": p.namespace, "container": p.container}
	if p.pod == "" {
		labels["instance"] = p.instance
	} else {
		labels["pod"] = p.pod
	}
	return labels
}

// life is what the counters of a process tell about it.
type life struct {
	first model.Time
	// restarts are the times at which one of its counters fell.
	restarts map[model.Time]bool
}

// lives reads the life of each process from its counters: it is as old as its first sample, and starts again whenever
// one of them falls.
func (r *Recording) lives() map[process]life {
	lives := map[process]life{}
	for _, stream := range r.series {
		if len(stream.Values) == 0 {
			continue
		}
		key := r.processOf(stream.Metric)
		one, known := lives[key]
		if !known {
			one = life{first: model.Latest, restarts: map[model.Time]bool{}}
		}
		one.first = min(one.first, stream.Values[0].Timestamp)
		for i := 1; i < len(stream.Values); i++ {
			if stream.Values[i].Value < stream.Values[i-1].Value {
				one.restarts[stream.Values[i].Timestamp] = true
			}
		}
		lives[key] = one
	}
	return lives
}

// births are the series of [gate.MetricUp] and [gate.MetricStarted] for the processes of a track. A record has the
// service's own metrics alone, so that they are derived from its counters. A process that the record begins
// with is older than the record.
func (r *Recording) births(track string) (up, started model.Matrix) {
	for key, one := range r.processes {
		if string(key.track) != track {
			continue
		}
		metric := key.labels()
		up = append(up, &model.SampleStream{Metric: metric, Values: []model.SamplePair{{Timestamp: one.first, Value: 1}}})
		stream := &model.SampleStream{Metric: metric}
		begin := one.first
		if !begin.Time().After(r.Start) {
			begin -= model.Time(r.Step.Milliseconds())
		}
		stream.Values = append(stream.Values, startedAt(one.first, begin))
		for _, at := range slices.Sorted(maps.Keys(one.restarts)) {
			stream.Values = append(stream.Values, startedAt(at, at))
		}
		started = append(started, stream)
	}
	return up, started
}

func startedAt(sample, begin model.Time) model.SamplePair {
	return model.SamplePair{Timestamp: sample, Value: model.SampleValue(float64(begin) / 1000)}
}
