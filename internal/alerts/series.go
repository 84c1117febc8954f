package alerts

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// series are the selectors that the rules and the dashboard are built from.
type series struct {
	// requests, failed and durations are raw series of both tracks.
	requests, failed, durations string
	// requestsOf, errorsOf and latencyOf are the recording rules.
	requestsOf, errorsOf, latencyOf tracks
	// crashing, restarts, memory and memoryLimit are expressions on the canary's pods; podRestarts and podMemory select
	// those of both tracks' pods.
	crashing, restarts, memory, memoryLimit, podRestarts, podMemory string
	guardLeader, guardBlind                                         string
}

// tracks are the selectors of a recording rule.
type tracks struct{ both, canary, stable string }

// series builds the selectors. A name that PromQL does not allow is an error.
func (p Params) series() (series, error) {
	var problems []error
	selector := func(metric string, labels map[string]string, patterns ...promql.Pattern) string {
		text, err := promql.Selector(metric, labels, patterns...)
		problems = append(problems, err)
		return text
	}
	namespace := map[string]string{"namespace": p.Namespace}
	own := namespace
	if p.Container != "" {
		own = with(namespace, map[string]string{"container": p.Container})
	}
	app := with(namespace, map[string]string{names.App: p.App})
	counted := with(app, inside(p.Selector))
	failed := append(slices.Clone(p.Excluded), promql.Pattern{Label: p.StatusLabel, Expression: p.ErrorPattern})
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
		requests:   selector(p.RequestsTotal, counted, p.Excluded...),
		failed:     selector(p.RequestsTotal, counted, failed...),
		durations:  selector(p.DurationBucket, counted, p.Excluded...),
		requestsOf: ofTracks(recordRequests),
		errorsOf:   ofTracks(recordErrors),
		latencyOf:  ofTracks(p.recordLatency()),
		crashing: ofCanary(promql.Highest(selector("kube_pod_container_status_waiting_reason", with(own, crashLoop)),
			2*time.Minute)),
		restarts:    ofCanary(promql.Increase(selector(restarts, own), restartWindow)),
		memory:      ofCanary(selector(memory, own)),
		memoryLimit: ofCanary(selector("kube_pod_container_resource_limits", with(own, memoryOnly))),
		podRestarts: selector(restarts, own, pods),
		podMemory:   selector(memory, own, pods),
		guardLeader: selector("rollout_guard_leader", with(namespace, map[string]string{names.App: names.Guard(p.App)})),
		guardBlind:  selector("rollout_guard_blind", with(namespace, map[string]string{"rollout": p.App})),
	}
	return built, errors.Join(problems...)
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
