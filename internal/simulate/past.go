package simulate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Past is what the pods of a service's stable track counted. Each of them can play the canary beside the others.
type Past struct {
	Start time.Time
	Step  time.Duration
	// pods are the counts of each pod, and all those of all pods, by the number of the step.
	pods map[string]*lived
	all  []Counts
}

// lived are the counts of a pod from its first step with a request to the last one.
type lived struct {
	first  int
	counts []Counts
}

// end is the step after the last one.
func (l *lived) end() int { return l.first + len(l.counts) }

// errNoPast is the error of a time without requests.
var errNoPast = errors.New("no request of the stable track is counted in that time")

// ReadPast reads the requests of the stable track, which the metrics select, step by step over a window.
func ReadPast(ctx context.Context, querier gate.Querier, metrics gate.Metrics, window gate.Window,
	step time.Duration) (*Past, error) {
	bad, err := regexp.Compile("^(?:" + metrics.ErrorPattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("error pattern %q: %w", metrics.ErrorPattern, err)
	}
	series, err := metrics.Select(metrics.RequestsTotal)
	if err != nil {
		return nil, err
	}
	past := &Past{Start: window.Start, Step: step, pods: map[string]*lived{}}
	_, err = gate.ReadRises(ctx, querier, metrics, series, window, step, func(_, _ time.Time, rises []gate.Rise) error {
		at := len(past.all)
		past.all = append(past.all, Counts{})
		for _, rise := range rises {
			status, known := rise.Labels[model.LabelName(metrics.StatusLabel)]
			if !known {
				continue
			}
			counts := Counts{N: rise.By}
			if bad.MatchString(string(status)) {
				counts.K = rise.By
			}
			past.add(at, rise.Pod, counts)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the stable track's past: %w", err)
	}
	if len(past.pods) == 0 {
		return nil, errNoPast
	}
	return past, nil
}

// add adds counts of a pod in a step that is not before the last one.
func (p *Past) add(at int, pod string, counts Counts) {
	p.all[at] = p.all[at].plus(counts)
	known := p.pods[pod]
	if known == nil {
		known = &lived{first: at}
		p.pods[pod] = known
	}
	for known.end() <= at {
		known.counts = append(known.counts, Counts{})
	}
	known.counts[at-known.first] = known.counts[at-known.first].plus(counts)
}

// names are those of the pods in order.
func (p *Past) names() []string {
	names := make([]string, 0, len(p.pods))
	for name := range p.pods {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// as is the traffic from a step on with a pod as the canary and the others as stable.
func (p *Past) as(pod *lived, from, steps int) Traffic {
	traffic := Traffic{Start: p.Start.Add(time.Duration(from) * p.Step)}
	for at := from; at < from+steps; at++ {
		canary := pod.counts[at-pod.first]
		stable := p.all[at].minus(canary)
		traffic.Intervals = append(traffic.Intervals, Interval{End: p.Start.Add(time.Duration(at+1) * p.Step),
			Canary: &canary, Stable: &stable})
	}
	return traffic
}

// Burstiness says how the errors of single pods come together.
type Burstiness struct {
	// Share is the share of failed requests.
	Share float64 `json:"share"`
	// Dispersion is the variance of a pod's failures in a minute, as a multiple of that of independent errors.
	Dispersion float64 `json:"dispersion"`
	// Correlation is that of the failures of a pod within a minute.
	Correlation float64 `json:"correlation"`
	// Worst is the minute of a pod with the most failures.
	Worst Worst `json:"worst"`
}

// Worst is a bad minute.
type Worst struct {
	Pod string    `json:"pod,omitempty"`
	At  time.Time `json:"at,omitzero"`
	N   int64     `json:"n"`
	K   int64     `json:"k"`
}

// burstiness measures how the errors come.
func (p *Past) burstiness() Burstiness {
	var total Counts
	for _, counts := range p.all {
		total = total.plus(counts)
	}
	out := Burstiness{Share: float64(total.K) / float64(max(total.N, 1)), Dispersion: 1}
	perMinute := max(int(time.Minute/p.Step), 1)
	var squares, expected, requests float64
	for _, name := range p.names() {
		pod := p.pods[name]
		for from := pod.first - pod.first%perMinute; from < pod.end(); from += perMinute {
			var minute Counts
			for at := max(from, pod.first); at < min(from+perMinute, pod.end()); at++ {
				minute = minute.plus(pod.counts[at-pod.first])
			}
			n, k := float64(minute.N), float64(minute.K)
			squares += (k - n*out.Share) * (k - n*out.Share)
			expected += n * out.Share * (1 - out.Share)
			requests += n * n
			if minute.K > out.Worst.K {
				out.Worst = Worst{Pod: name, At: p.Start.Add(time.Duration(from) * p.Step), N: minute.N, K: minute.K}
			}
		}
	}
	if expected > 0 {
		out.Dispersion = squares / expected
	}
	if usual := requests / float64(max(total.N, 1)); usual > 1 {
		out.Correlation = min(max((out.Dispersion-1)/(usual-1), 0), 1)
	}
	return out
}
