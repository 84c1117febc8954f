package guard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

const (
	// blindAfter is how long nothing must be seen of a canary before the guard reports itself blind.
	blindAfter = 30 * time.Second
	// compareOver is the time over which the guard's counts are compared with those of Prometheus, and compareSlack what
	// the guard looks back further: Prometheus scrapes more seldom.
	compareOver  = 5 * time.Minute
	compareSlack = 3 * time.Minute
	// compareLeast are the requests by Prometheus from which the guard must have counted some.
	compareLeast = 5
)

// sight is until when each source shows the canary. A source shows it by the counter of requests that the
// configuration names: a page without that counter is a login page or another exporter's, and an answer of Prometheus
// about something else says nothing about the canary. Stable's pods show no canary either.
type sight struct {
	// until is the time by source, [SourceTargets] and [SourcePrometheus].
	until map[string]time.Time
	// unwatched are the pods that take the canary's requests and are not scraped, by name, and since when.
	unwatched map[string]time.Time
	// blind is why the guard counts as blind; empty while it sees.
	blind string
}

func newSight() sight {
	return sight{until: map[string]time.Time{}, unwatched: map[string]time.Time{}}
}

// restart lets every source have blindAfter to show the canary.
func (s *sight) restart(now time.Time) {
	for _, source := range []string{SourceTargets, SourcePrometheus} {
		s.until[source] = now.Add(blindAfter)
	}
}

// saw notes that a source showed the canary, which holds for that long at least.
func (s *sight) saw(source string, at time.Time, holds time.Duration) {
	s.until[source] = at.Add(max(holds, blindAfter))
}

// shows reports whether a source shows the canary.
func (s *sight) shows(source string, now time.Time) bool { return !now.After(s.until[source]) }

// takesRequests reports whether a pod of the canary is ready for requests. One that starts cannot be seen yet.
func (v *view) takesRequests() bool { return slices.ContainsFunc(v.inTraffic(), podstate.IsReady) }

// noteUnwatched notes which pods take the canary's requests by their labels and are not scraped: those of another
// release or of nobody, and those of an image that is not the Deployment's.
func (v *view) noteUnwatched(pods []*corev1.Pod, now time.Time) {
	before := v.sight.unwatched
	v.sight.unwatched = map[string]time.Time{}
	for _, pod := range pods {
		if pod.Labels[names.Traffic] != names.Enabled || pod.DeletionTimestamp != nil || !podstate.IsReady(pod) ||
			v.targets[string(pod.UID)] != nil {
			continue
		}
		since, known := before[pod.Name]
		if !known {
			since = now
		}
		v.sight.unwatched[pod.Name] = since
	}
}

// checkSight reports whether the guard went blind or sees again since the last call.
func (v *view) checkSight(now time.Time) (changed bool) {
	if !v.takesRequests() {
		v.sight.restart(now)
	}
	var why []string
	if v.tracker != nil && !v.sight.shows(SourceTargets, now) && !v.sight.shows(SourcePrometheus, now) {
		why = append(why, "neither the canary's pods nor Prometheus show its counter of requests")
	}
	for _, pod := range slices.Sorted(maps.Keys(v.sight.unwatched)) {
		if now.Sub(v.sight.unwatched[pod]) > blindAfter {
			why = append(why, fmt.Sprintf("pod %s takes the canary's requests and is not watched", pod))
		}
	}
	was := v.sight.blind
	v.sight.blind = strings.Join(why, "; ")
	return (was != "") != (v.sight.blind != "")
}

// reportSight reports a guard that does not see a canary in traffic. Blindness rolls nothing back.
func (r *runner) reportSight(ctx context.Context) {
	now := r.now()
	changed := r.view.checkSight(now)
	r.reportSources(ctx, now)
	// Another configuration begins to watch anew, and the series would stay as the one before has left it.
	r.guard.metrics.blind.WithLabelValues(r.name()).Set(flag(r.view.sight.blind != ""))
	if !changed {
		return
	}
	if r.view.sight.blind != "" {
		r.log.ErrorContext(ctx, "blind: the canary stays in traffic", "reason", r.view.sight.blind)
		note := r.view.sight.blind + "; the canary stays in traffic"
		r.announce(ctx, kube.Warning, "GuardBlind", note)
		r.tellSight(names.EventGuardBlind, now, note)
		return
	}
	r.log.InfoContext(ctx, "sees the canary again")
	r.announce(ctx, kube.Normal, "GuardSees", "the guard sees the canary again")
	r.tellSight(names.EventGuardSees, now, "the guard sees the canary again")
}

// reportSources reports a source that does not show a canary in traffic while the other one does.
func (r *runner) reportSources(ctx context.Context, now time.Time) {
	if r.view.tracker == nil {
		return
	}
	targets, prometheus := r.view.sight.shows(SourceTargets, now), r.view.sight.shows(SourcePrometheus, now)
	r.guard.metrics.sees.WithLabelValues(r.name(), SourceTargets).Set(flag(targets))
	if !targets && prometheus {
		r.report(ctx, Finding{Action: Review, Cause: CauseUnseen, Subject: SourceTargets,
			Reason: fmt.Sprintf("no pod of the canary shows %s at port %d%s, so that the guard counts no request; "+
				"Prometheus shows it, whose alerts are minutes later", r.config.Spec.Metrics.RequestsTotal,
				r.config.Port, r.config.Path)})
	}
	if r.config.Prometheus == "" {
		return
	}
	r.guard.metrics.sees.WithLabelValues(r.name(), SourcePrometheus).Set(flag(prometheus))
	// A Prometheus learns of new pods late.
	if targets && now.Sub(r.view.tracker.began) > gate.Discovery && !prometheus {
		r.report(ctx, Finding{Action: Review, Cause: CauseUnseen, Subject: SourcePrometheus,
			Reason: fmt.Sprintf("Prometheus shows no %s of the canary: no checkpoint of the soak can pass",
				r.config.Spec.Metrics.RequestsTotal)})
	}
}

// byPrometheus is what Prometheus has of the canary.
type byPrometheus struct {
	// shown is whether it has the canary's counter of requests, requests how far that rose over compareOver.
	shown    bool
	requests float64
}

// askCanary asks Prometheus for the canary.
func askCanary(ctx context.Context, asker gate.Asker, config Config, now time.Time) (byPrometheus, error) {
	metrics := config.Spec.Series(names.Canary, config.Release)
	selector, err := metrics.SelectAll(metrics.RequestsTotal)
	if err != nil {
		return byPrometheus{}, err
	}
	increase, err := metrics.Increase(compareOver)
	if err != nil {
		return byPrometheus{}, err
	}
	shown, err := vector(ctx, asker, promql.Sum(selector), now)
	if err != nil || len(shown) == 0 {
		return byPrometheus{}, err
	}
	counted, err := vector(ctx, asker, increase, now)
	if err != nil {
		return byPrometheus{}, err
	}
	canary := byPrometheus{shown: true}
	for _, sample := range counted {
		canary.requests += float64(sample.Value)
	}
	return canary, nil
}

// vector asks for a query's series.
func vector(ctx context.Context, asker gate.Asker, query string, now time.Time) (model.Vector, error) {
	answer, err := asker.Ask(ctx, query, now)
	if err != nil {
		return nil, err
	}
	series, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("query %s: the answer is a %s, want a vector", query, answer.Type())
	}
	return series, nil
}

// unseen are the canary's requests by Prometheus while the guard counts none; 0 when it counts some.
func (t *tracker) unseen(canary byPrometheus, now time.Time) float64 {
	over := compareOver + compareSlack
	if now.Sub(t.began) < over || canary.requests < compareLeast || t.canarySince(now.Add(-over)).N > 0 {
		return 0
	}
	return canary.requests
}

// compare reports requests of the canary that Prometheus counts while the guard counts none.
func (r *runner) compare(ctx context.Context, canary byPrometheus) {
	now := r.now()
	if canary.shown {
		r.view.sight.saw(SourcePrometheus, now, blindAfter)
	}
	unseen := 0.0
	if r.view.tracker != nil {
		unseen = r.view.tracker.unseen(canary, now)
	}
	r.guard.metrics.unseen.WithLabelValues(r.name()).Set(unseen)
	if unseen > 0 {
		r.report(ctx, Finding{Action: Review, Cause: CauseUnseen, Subject: "requests",
			Reason: fmt.Sprintf("Prometheus counts %.0f requests of the canary in the last %v and the guard none: "+
				"another port or path may serve the service's metrics (the guard scrapes port %d%s)", unseen,
				compareOver, r.config.Port, r.config.Path)})
	}
}
