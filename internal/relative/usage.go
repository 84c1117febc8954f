package relative

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Metrics of a process that Prometheus' client libraries give.
const (
	MetricCPU    = "process_cpu_seconds_total"
	MetricMemory = "process_resident_memory_bytes"
)

// Names of the results about resources.
const (
	NameCPU    = "CPU against stable"
	NameMemory = "memory against stable"
)

// usages reads what a track used in each block of a window, by the number of the block.
type usages struct {
	window gate.Window
	blocks []Usage
	// seen are the last samples of the pods' counters, by pod.
	seen map[string]model.SamplePair
	// pods are those of each block.
	pods []map[string]bool
}

func newUsages(window gate.Window) *usages {
	size := int((window.End.Sub(window.Start) + UsageBlock - 1) / UsageBlock)
	u := &usages{window: window, blocks: make([]Usage, size), seen: map[string]model.SamplePair{},
		pods: make([]map[string]bool, size)}
	for i := range u.pods {
		u.pods[i] = map[string]bool{}
	}
	return u
}

// of is the number of the block that a sample belongs to; -1 for none.
func (u *usages) of(at model.Time) int {
	after := at.Time().Sub(u.window.Start)
	if after <= 0 || at.Time().After(u.window.End) {
		return -1
	}
	return int((after - 1) / UsageBlock)
}

// chunk is the time of one read.
const chunk = time.Hour

// read reads both metrics of a track.
func (u *usages) read(ctx context.Context, querier gate.Querier, metrics gate.Metrics) error {
	for metric, add := range map[string]func(model.Matrix){MetricCPU: u.addCPU, MetricMemory: u.addMemory} {
		selector, err := metrics.SelectAll(metric)
		if err != nil {
			return err
		}
		for start := u.window.Start; start.Before(u.window.End); start = start.Add(chunk) {
			end := start.Add(chunk)
			if end.After(u.window.End) {
				end = u.window.End
			}
			matrix, err := querier.Samples(ctx, selector, start, end)
			if err != nil {
				return fmt.Errorf("read %s: %w", metric, err)
			}
			add(matrix)
		}
	}
	for i, pods := range u.pods {
		u.blocks[i].Pods = len(pods)
	}
	return nil
}

// byPod are the samples of each pod in order of time. Twins, as two Prometheus replicas have them, are one series.
func byPod(matrix model.Matrix) map[string][]model.SamplePair {
	pods := map[string][]model.SamplePair{}
	for _, stream := range matrix {
		pod := string(stream.Metric["namespace"] + "/" + stream.Metric["pod"] + "/" + stream.Metric["container"])
		if stream.Metric["pod"] == "" {
			pod = string(stream.Metric["instance"])
		}
		pods[pod] = append(pods[pod], stream.Values...)
	}
	for _, samples := range pods {
		slices.SortStableFunc(samples, func(a, b model.SamplePair) int { return int(a.Timestamp - b.Timestamp) })
	}
	return pods
}

// addCPU adds the rises of the pods' counters. The first sample is the base. A counter that falls to less than half
// began anew with its process; a smaller fall is the order of twins.
func (u *usages) addCPU(matrix model.Matrix) {
	for pod, samples := range byPod(matrix) {
		for _, sample := range samples {
			last, known := u.seen[pod]
			u.seen[pod] = sample
			block := u.of(sample.Timestamp)
			if !known || block < 0 {
				continue
			}
			rise := float64(sample.Value - last.Value)
			if sample.Value < last.Value/2 {
				rise = float64(sample.Value)
			}
			u.blocks[block].CPU += max(rise, 0)
			u.pods[block][pod] = true
		}
	}
}

// addMemory takes the mean of each pod, and then that of the pods.
func (u *usages) addMemory(matrix model.Matrix) {
	type sum struct{ bytes, samples float64 }
	sums := map[int]map[string]sum{}
	for pod, samples := range byPod(matrix) {
		for _, sample := range samples {
			block := u.of(sample.Timestamp)
			if block < 0 {
				continue
			}
			if sums[block] == nil {
				sums[block] = map[string]sum{}
			}
			before := sums[block][pod]
			sums[block][pod] = sum{before.bytes + float64(sample.Value), before.samples + 1}
		}
	}
	for block, pods := range sums {
		total := 0.0
		for _, pod := range slices.Sorted(maps.Keys(pods)) {
			total += pods[pod].bytes / pods[pod].samples
		}
		u.blocks[block].Memory = total / float64(len(pods))
	}
}

// requested adds the requests of a block of any length that ends at a time.
func (u *usages) requested(end time.Time, requests int64) {
	if block := u.of(model.TimeFromUnixNano(end.UnixNano())); block >= 0 {
		u.blocks[block].Requests += requests
	}
}

// resources are the results on CPU and memory, without those of metrics that the service does not have.
func (q Question) resources(ctx context.Context, querier gate.Querier, canary, stable *usages) []gate.Result {
	if err := canary.read(ctx, querier, q.Canary); err != nil {
		return []gate.Result{failed(NameCPU, err)}
	}
	if err := stable.read(ctx, querier, q.Stable); err != nil {
		return []gate.Result{failed(NameCPU, err)}
	}
	test := NewResources(q.Limits, q.Window.Start)
	for i := range canary.blocks {
		start := q.Window.Start.Add(time.Duration(i) * UsageBlock)
		end := start.Add(UsageBlock)
		if end.After(q.Window.End) || q.isExcepted(start, end) {
			continue // what the smoke suite needs is counted, and its requests are not
		}
		test.Add(start, end, canary.blocks[i], stable.blocks[i])
	}
	var results []gate.Result
	if blocks := test.cpu.compared(); blocks > 0 {
		results = append(results, q.judgeNeeds(NameCPU, blocks, test.CPU(), "of CPU a request", milliseconds, q.Limits.CPU,
			"criteria.relativeCpu"))
	}
	if blocks := test.memory.compared(); blocks > 0 {
		results = append(results, q.judgeNeeds(NameMemory, blocks, test.Memory(), "of memory a pod", mebibytes,
			q.Limits.Memory, "criteria.relativeMemory"))
	}
	return results
}

func (q Question) isExcepted(start, end time.Time) bool {
	return slices.ContainsFunc(q.Window.Except, func(except gate.Window) bool {
		return start.Before(except.End) && end.After(except.Start)
	})
}

// judgeNeeds is the result on a resource. What a release needs is for a person to weigh: it never rolls back.
func (q Question) judgeNeeds(name string, blocks int, finding *Needs, what string, unit func(float64) string,
	limit float64, key string) gate.Result {
	result := gate.Result{Name: name}
	if finding == nil {
		return pass(result, "%d blocks of %v compared: not shown to need more than %v times as much (%s)", blocks, UsageBlock,
			limit, key)
	}
	q.Limits.RollBack = false
	return q.worse(result, finding.describe(what, unit), fmt.Sprintf("more than %v times as much (%s)", limit, key))
}
