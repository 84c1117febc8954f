package alerts

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// series are the selectors that the rules and the dashboard are built from.
type series struct {
	// raw are the series of both tracks together, or of each where they do not carry the labels of the track's pods.
	raw []raw
	// requestsOf, errorsOf and latencyOf are the recording rules.
	requestsOf, errorsOf, latencyOf tracks
	// crashing, restarts, memory and memoryLimit are expressions on the canary's pods; podRestarts and podMemory select
	// those of both tracks' pods.
	crashing, restarts, memory, memoryLimit, podRestarts, podMemory string
	guardLeader, guardBlind                                         string
	// disarmed are the gauges of a guard that does not guard as the last update has told it.
	disarmed []string
}

// raw are the counted series of a recording rule. by are the labels that it keeps, labels those that it adds.
type raw struct {
	requests, failed, durations string
	by                          []string
	labels                      map[string]any
}

// tracks are the selectors of a recording rule.
type tracks struct{ both, canary, stable string }

// series builds the selectors. A name that PromQL does not allow is an error.
func (p Params) series() (series, error) {
	var problems []error
	selector := func(metric string, labels map[string]string, matchers ...promql.Matcher) string {
		text, err := promql.Selector(metric, labels, matchers...)
		problems = append(problems, err)
		return text
	}
	namespace := map[string]string{"namespace": p.Namespace}
	podLabels := namespace
	if p.Container != "" {
		podLabels = with(namespace, map[string]string{"container": p.Container})
	}
	app := with(namespace, map[string]string{names.App: p.App})
	ofTracks := func(record string) tracks {
		return tracks{
			both:   selector(record, app),
			canary: selector(record, with(app, map[string]string{names.Track: names.Canary})),
			stable: selector(record, with(app, map[string]string{names.Track: names.Stable})),
		}
	}
	const (
		restarts = "kube_pod_container_status_restarts_total"
		memory   = "container_memory_working_set_bytes"
	)
	// ofCanary keeps the series of the canary's own pods.
	ofCanary := func(expression string) string {
		text, err := promql.OfDeployment(expression, p.Namespace, p.Deployment)
		problems = append(problems, err)
		return text
	}
	pods := promql.PodsOf(p.App)
	built := series{
		raw:        p.raw(selector, app),
		requestsOf: ofTracks(recordRequests),
		errorsOf:   ofTracks(recordErrors),
		latencyOf:  ofTracks(p.recordLatency()),
		crashing: ofCanary(promql.Highest(selector("kube_pod_container_status_waiting_reason", with(podLabels, crashLoop)),
			2*time.Minute)),
		restarts:    ofCanary(promql.Increase(selector(restarts, podLabels), restartWindow)),
		memory:      ofCanary(selector(memory, podLabels)),
		memoryLimit: ofCanary(selector("kube_pod_container_resource_limits", with(podLabels, memoryOnly))),
		podRestarts: selector(restarts, podLabels, pods),
		podMemory:   selector(memory, podLabels, pods),
		guardLeader: selector("rollout_guard_leader", with(namespace, map[string]string{names.App: names.Guard(p.App)})),
		guardBlind:  selector("rollout_guard_blind", with(namespace, map[string]string{"rollout": p.App})),
	}
	for _, gauge := range []string{"rollout_guard_dry_run", "rollout_guard_misconfigured", "rollout_guard_ledger_cut"} {
		built.disarmed = append(built.disarmed, selector(gauge, with(namespace, map[string]string{"rollout": p.App})))
	}
	return built, errors.Join(problems...)
}

// raw builds the selectors of the counted series.
func (p Params) raw(selector func(string, map[string]string, ...promql.Matcher) string, app map[string]string) []raw {
	counted := func(labels map[string]string, track []promql.Matcher) raw {
		customers := append(slices.Clone(track), p.Customers...)
		series := raw{
			requests: selector(p.RequestsTotal, labels, customers...),
			failed: selector(p.RequestsTotal, labels,
				append(slices.Clone(customers), promql.Matches(p.StatusLabel, p.ErrorPattern))...),
		}
		if p.Latency > 0 {
			series.durations = selector(p.DurationBucket, labels, customers...)
		}
		return series
	}
	if p.Canary == nil {
		both := counted(with(app, inside(p.Selector)), nil)
		both.by = byTrack
		return []raw{both}
	}
	var each []raw
	for track, matchers := range map[string][]promql.Matcher{names.Canary: p.Canary, names.Stable: p.Stable} {
		series := counted(inside(p.Selector), matchers)
		series.labels = map[string]any{"namespace": p.Namespace, names.App: p.App, names.Track: track}
		if track == names.Canary {
			series.labels[names.Version] = p.Release
		}
		each = append(each, series)
	}
	slices.SortFunc(each, func(a, b raw) int {
		return strings.Compare(a.labels[names.Track].(string), b.labels[names.Track].(string))
	})
	return each
}

var (
	crashLoop  = map[string]string{"reason": "CrashLoopBackOff"}
	memoryOnly = map[string]string{"resource": "memory"}
)

// externalLabels are usually put on a series when it leaves the Prometheus that scraped it: the rules, which are
// evaluated inside, do not see them. The rest of a selector selects the same series there.
var externalLabels = []string{"cluster", "prometheus", "prometheus_replica", "replica", "__replica__"}

// inside is a copy of a selector without external labels.
func inside(selector map[string]string) map[string]string {
	kept := maps.Clone(selector)
	for _, label := range externalLabels {
		delete(kept, label)
	}
	return kept
}

// with adds labels to a copy.
func with(labels, more map[string]string) map[string]string {
	merged := maps.Clone(labels)
	maps.Copy(merged, more)
	return merged
}
