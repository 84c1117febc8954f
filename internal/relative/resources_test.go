package relative

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

func TestCoinsAreEValues(t *testing.T) {
	for i := range worse {
		if e := (math.Exp(coin(true)[i]) + math.Exp(coin(false)[i])) / 2; math.Abs(e-1) > 1e-12 {
			t.Errorf("alternative %v: an expectation of %v", worse[i], e)
		}
	}
}

// compared compares blocks until a finding on CPU or memory, and gives the hours until each; 0 for none.
func compared(blocks int, next func(block int) (canary, stable Usage)) (cpu, memory float64) {
	test := NewResources(DefaultLimits(), monday)
	for block := range blocks {
		start := monday.Add(time.Duration(block) * UsageBlock)
		canary, stable := next(block)
		test.Add(start, start.Add(UsageBlock), canary, stable)
		hours := (time.Duration(block+1) * UsageBlock).Hours()
		if test.CPU() != nil && cpu == 0 {
			cpu = hours
		}
		if test.Memory() != nil && memory == 0 {
			memory = hours
		}
	}
	return cpu, memory
}

const soakBlocks = int(soak / UsageBlock)

func TestWhatACanaryNeeds(t *testing.T) {
	// A pod serves 1,000 requests in a block, which take 20 ms each, and needs 2 s besides.
	used := func(pods int, each, cost, memory float64) Usage {
		return Usage{Pods: pods, Requests: int64(float64(pods) * each), CPU: float64(pods) * (2 + each*cost),
			Memory: memory}
	}
	stable := used(9, 1000, 0.02, 300)
	for _, tt := range []struct {
		name        string
		canary      func(block int) Usage
		stable      func(block int) Usage
		cpu, memory float64 // hours within which it is found; 0 for never
	}{
		{name: "like stable", canary: func(int) Usage { return used(1, 1000, 0.02, 300) }},
		{name: "30 % more CPU", canary: func(int) Usage { return used(1, 1000, 0.0265, 300) }, cpu: 3.5},
		{name: "30 % more CPU from hour 40 on", canary: func(block int) Usage {
			if block < 240 {
				return used(1, 1000, 0.02, 300)
			}
			return used(1, 1000, 0.0265, 300)
		}, cpu: 47},
		{name: "15 % more CPU", canary: func(int) Usage { return used(1, 1000, 0.023, 300) }},
		{name: "few requests at a pod", canary: func(int) Usage { return used(1, 100, 0.02, 300) }},
		{name: "many requests at a pod", canary: func(int) Usage { return used(1, 5000, 0.02, 300) }},
		{name: "a hundred times in every third block", canary: func(block int) Usage {
			if block%3 == 0 {
				return used(1, 1000, 2, 300)
			}
			return used(1, 1000, 0.02, 300)
		}},
		{name: "a leak", canary: func(block int) Usage { return used(1, 1000, 0.02, 200+2*float64(block)) }, memory: 22},
		{name: "stable begins anew", canary: func(int) Usage { return used(1, 1000, 0.02, 300) },
			stable: func(block int) Usage {
				if block < 10 {
					return stable
				}
				return used(9, 1000, 0.02, 100)
			}},
		{name: "memory is not known", canary: func(int) Usage { return used(1, 1000, 0.02, 0) }},
		{name: "stable serves nothing", canary: func(int) Usage { return used(1, 1000, 0.2, 300) },
			stable: func(int) Usage { return Usage{Pods: 9, CPU: 18, Memory: 300} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cpu, memory := compared(soakBlocks, func(block int) (Usage, Usage) {
				if tt.stable != nil {
					return tt.canary(block), tt.stable(block)
				}
				return tt.canary(block), stable
			})
			for name, hours := range map[string][2]float64{"CPU": {cpu, tt.cpu}, "memory": {memory, tt.memory}} {
				if got, want := hours[0], hours[1]; (got > 0) != (want > 0) || got > want {
					t.Errorf("%s: found after %v h, want at most %v", name, got, want)
				}
			}
		})
	}
}

// A canary that needs more than it may in every other block is not worse: none of many soaks has a finding.
func TestFairCoinsFindNothing(t *testing.T) {
	const soaks = 3000
	found := 0
	for seed := range uint64(soaks) {
		random := source(seed)
		cpu, _ := compared(soakBlocks, func(int) (Usage, Usage) {
			canary := Usage{Pods: 1, Requests: 1, CPU: 1}
			if random.IntN(2) == 0 {
				canary.CPU = 10
			}
			return canary, Usage{Pods: 1, Requests: 1, CPU: 1}
		})
		if cpu > 0 {
			found++
		}
	}
	// The level is one in 20,000 soaks.
	if found > 2 {
		t.Errorf("%d of %d soaks have a finding", found, soaks)
	}
}

// needy is a world whose pods also show what they need: a minute's CPU and the memory, by the pod and the minute. A
// process starts again with each restart.
type needy struct {
	world
	needs    func(pod string, minute int) (cpu, memory float64)
	restarts func(pod string, minute int) bool
}

func (w needy) Samples(ctx context.Context, selector string, start, end time.Time) (model.Matrix, error) {
	metric, _, _ := strings.Cut(selector, "{")
	if metric != MetricCPU && metric != MetricMemory {
		return w.world.Samples(ctx, selector, start, end)
	}
	var matrix model.Matrix
	for _, pod := range []string{"canary-a", "stable-a", "stable-b"} {
		track, _, _ := strings.Cut(pod, "-")
		if !strings.Contains(selector, `track="`+track+`"`) {
			continue
		}
		for twin := range 2 { // two Prometheus replicas, a second apart
			stream := &model.SampleStream{Metric: model.Metric{"pod": model.LabelValue(pod), "namespace": "shop",
				"replica": model.LabelValue(fmt.Sprint(twin))}}
			total := 100.0
			for minute := -60; ; minute++ {
				at := monday.Add(time.Duration(minute)*time.Minute + time.Duration(twin)*time.Second)
				if at.After(end) {
					break
				}
				if w.restarts != nil && w.restarts(pod, minute) {
					total = 0
				}
				cpu, memory := w.needs(pod, minute)
				total += cpu
				value := total
				if metric == MetricMemory {
					value = memory
				}
				if at.After(start) {
					stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(at.UnixNano()),
						Value: model.SampleValue(value)})
				}
			}
			matrix = append(matrix, stream)
		}
	}
	return matrix, nil
}

func TestResourcesAreForReview(t *testing.T) {
	for _, tt := range []struct {
		name        string
		needs       func(pod string, minute int) (cpu, memory float64)
		restarts    func(pod string, minute int) bool
		cpu, memory gate.Verdict
		words       []string
	}{
		{"alike", func(string, int) (float64, float64) { return 2, 300 << 20 }, nil, gate.Pass, gate.Pass, nil},
		{"restarts every hour", func(string, int) (float64, float64) { return 2, 300 << 20 },
			func(pod string, minute int) bool { return pod == "canary-a" && minute%60 == 7 }, gate.Pass, gate.Pass, nil},
		{"half as much again", func(pod string, _ int) (float64, float64) {
			if pod == "canary-a" {
				return 3, 450 << 20
			}
			return 2, 300 << 20
		}, nil, gate.Inconclusive, gate.Inconclusive, []string{"29.9 ms of CPU a request, beside 20 ms",
			"450 MiB of memory a pod, beside 300 MiB", "criteria.relativeCpu", "criteria.relativeMemory", "review"}},
		{"not exported", func(string, int) (float64, float64) { return 0, 0 }, nil, "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metrics := gate.DefaultMetrics()
			limits := DefaultLimits()
			limits.RollBack = true
			all, text := map[string]gate.Verdict{}, ""
			for _, result := range Look(t.Context(), needy{worldOf(healthy), tt.needs, tt.restarts}, Question{Limits: limits,
				Canary: metrics.For("canary", ""), Stable: metrics.For("stable", ""),
				Window: gate.Window{Start: monday, End: monday.Add(5 * time.Hour)}}) {
				all[result.Name] = result.Verdict
				text += result.Reason + "\n"
			}
			if all[NameCPU] != tt.cpu || all[NameMemory] != tt.memory {
				t.Errorf("CPU %q, memory %q, want %q and %q\n%s", all[NameCPU], all[NameMemory], tt.cpu, tt.memory, text)
			}
			for _, words := range tt.words {
				if !strings.Contains(text, words) {
					t.Errorf("no %q in\n%s", words, text)
				}
			}
		})
	}
}

// A block in which the smoke suite sent requests is left out: what it needs is counted, and its requests are not.
func TestSmokeTestsAreNoUsage(t *testing.T) {
	metrics := gate.DefaultMetrics()
	dear := needy{world: worldOf(healthy), needs: func(pod string, _ int) (float64, float64) {
		if pod == "canary-a" {
			return 3, 0
		}
		return 2, 0
	}}
	for _, result := range Look(t.Context(), dear, Question{Limits: DefaultLimits(), Canary: metrics.For("canary", ""),
		Stable: metrics.For("stable", ""), Window: gate.Window{Start: monday, End: monday.Add(5 * time.Hour),
			Except: []gate.Window{{Start: monday, End: monday.Add(5 * time.Hour)}}}}) {
		if result.Name == NameCPU {
			t.Errorf("%s: %s", result.Verdict, result.Reason)
		}
	}
}
