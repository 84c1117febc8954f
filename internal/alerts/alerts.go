// Package alerts writes the Prometheus rules and the Grafana dashboard of a rollout: recording rules by track, the
// alerts of the deployment guide, and panels over the same series. It is pure: from Params to documents, importing
// neither Kubernetes nor Pulumi.
//
// Every alert carries the label "action": rollback asks for the canary to be taken out, review asks a person to look.
package alerts

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
)

// Actions that an alert asks for.
const (
	ActionRollback = "rollback"
	ActionReview   = "review"
)

// LabelConfirm says what has to bear an alert out before the guard rolls back for it: ConfirmCounts its own counts,
// which it has for the share of errors. An alert without it is believed.
const (
	LabelConfirm  = "confirm"
	ConfirmCounts = "counts"
)

// Params are the names and limits that rules and dashboard are made from.
type Params struct {
	// App, Environment, Namespace and Release identify the rollout. Release is the canary's version.
	App, Environment, Namespace, Release string
	// Deployment is the name of the canary's Deployment; the names of its pods begin with it.
	Deployment string
	// RequestsTotal is the request counter, StatusLabel its label with the status, ErrorPattern the statuses that are
	// errors.
	RequestsTotal, StatusLabel, ErrorPattern string
	// DurationBucket is the histogram of the requests' durations in seconds, by its _bucket series.
	DurationBucket string
	// Selector holds further labels that a series must carry to count; it may be empty.
	Selector map[string]string
	// ErrorRate is the share of errors above which a rollback is asked for, 0 to 1.
	ErrorRate float64
	// Latency is the limit of the 95th percentile.
	Latency time.Duration
	// Guarded tells that a guard watches the canary, and is watched itself.
	Guarded bool
	// MinRequests in 5 minutes are needed before an alert on a rate speaks.
	MinRequests int
	// DashboardUID is the uid of the dashboard, at most 40 characters.
	DashboardUID string
	// DashboardURL is the address of Grafana and RunbookURL that of the runbook; both may be empty.
	DashboardURL, RunbookURL string
}

func (p Params) validate() error {
	for name, value := range map[string]string{
		"App": p.App, "Environment": p.Environment, "Namespace": p.Namespace, "Release": p.Release,
		"Deployment":    p.Deployment,
		"RequestsTotal": p.RequestsTotal, "StatusLabel": p.StatusLabel, "ErrorPattern": p.ErrorPattern,
		"DurationBucket": p.DurationBucket,
	} {
		if value == "" {
			return fmt.Errorf("%s is required", name)
		}
	}
	if p.ErrorRate <= 0 || p.Latency <= 0 {
		return errors.New("ErrorRate and Latency must be more than 0")
	}
	if p.DashboardUID == "" || len(p.DashboardUID) > longestUID {
		return fmt.Errorf("DashboardUID is %q: allowed are 1 to %d characters", p.DashboardUID, longestUID)
	}
	return nil
}

// longestUID is what Grafana accepts.
const longestUID = 40

// Names of the recording rules. Each is by namespace, app, track and version.
const (
	recordRequests = "rollout:requests:increase5m"
	recordErrors   = "rollout:errors:ratio_rate5m"
	recordLatency  = "rollout:latency_seconds:p95_5m"
)

// Rules gives the spec of a PrometheusRule.
func Rules(p Params) (map[string]any, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	group := names.Rules(p.App, p.Environment)
	return map[string]any{"groups": []any{
		map[string]any{"name": group + ".recording", "rules": p.recording()},
		map[string]any{"name": group + ".alerts", "rules": p.alerting()},
	}}, nil
}

// selector matches the series of the app in its namespace; more are further matchers.
func (p Params) selector(more ...string) string {
	matchers := append([]string{fmt.Sprintf("namespace=%q", p.Namespace), fmt.Sprintf("app=%q", p.App)}, more...)
	return "{" + strings.Join(matchers, ",") + "}"
}

const byTrack = "by (namespace, app, track, version)"

// counted matches the raw series that count.
func (p Params) counted(more ...string) string {
	for _, label := range slices.Sorted(maps.Keys(p.Selector)) {
		more = append(more, fmt.Sprintf("%s=%q", label, p.Selector[label]))
	}
	return p.selector(more...)
}

func (p Params) recording() []any {
	failed := p.counted(fmt.Sprintf("%s=~%q", p.StatusLabel, p.ErrorPattern))
	requests := fmt.Sprintf("sum %s (rate(%s%s[5m]))", byTrack, p.RequestsTotal, p.counted())
	// A track without a single error has no series of errors; adding zero requests gives it one.
	failures := fmt.Sprintf("(sum %s (rate(%s%s[5m])) or 0 * %s)", byTrack, p.RequestsTotal, failed, requests)
	return []any{
		map[string]any{"record": recordRequests,
			"expr": fmt.Sprintf("sum %s (increase(%s%s[5m]))", byTrack, p.RequestsTotal, p.counted())},
		map[string]any{"record": recordErrors, "expr": fmt.Sprintf("%s / %s", failures, requests)},
		map[string]any{"record": recordLatency,
			"expr": fmt.Sprintf("histogram_quantile(0.95, sum by (namespace, app, track, version, le) (rate(%s%s[5m])))",
				p.DurationBucket, p.counted())},
	}
}

func (p Params) alerting() []any {
	canary := p.selector(`track="canary"`)
	stable := p.selector(`track="stable"`)
	enough := fmt.Sprintf("and on (namespace, app, track, version) %s%s >= %d", recordRequests, canary, p.MinRequests)
	pods := fmt.Sprintf("{namespace=%q,pod=~%q}", p.Namespace, p.Deployment+"-.*")
	waiting := fmt.Sprintf("{namespace=%q,pod=~%q,reason=%q}", p.Namespace, p.Deployment+"-.*", "CrashLoopBackOff")
	memoryLimit := fmt.Sprintf("{namespace=%q,pod=~%q,resource=%q}", p.Namespace, p.Deployment+"-.*", "memory")
	worse := func(record, floor string) string {
		return fmt.Sprintf("%s%s / on (namespace, app) group_left () max by (namespace, app) (%s%s) > 1.5 and %s%s > %s %s",
			record, canary, record, stable, record, canary, floor, enough)
	}
	seconds := fmt.Sprintf("%g", p.Latency.Seconds())
	rules := []any{
		confirmed(p.alert("CanaryErrorRateHigh", ActionRollback, "5m",
			fmt.Sprintf("%s%s > %g %s", recordErrors, canary, p.ErrorRate, enough),
			fmt.Sprintf("more than %g %% of the canary's answers were errors for 5 minutes", p.ErrorRate*100))),
		p.alert("CanaryLatencyHigh", ActionReview, "5m",
			fmt.Sprintf("%s%s > %s %s", recordLatency, canary, seconds, enough),
			fmt.Sprintf("the canary's P95 was above %s for 5 minutes", p.Latency)),
		p.alert("CanaryErrorRateWorseThanStable", ActionReview, "5m", worse(recordErrors, fmt.Sprintf("%g", p.ErrorRate/2)),
			"the canary's error rate was more than 1.5 times that of the stable track for 5 minutes"),
		p.alert("CanaryLatencyWorseThanStable", ActionReview, "5m",
			worse(recordLatency, fmt.Sprintf("%g", p.Latency.Seconds()/2)),
			"the canary's P95 was more than 1.5 times that of the stable track for 5 minutes"),
		p.alert("CanaryCrashLoop", ActionRollback, "0s",
			fmt.Sprintf("sum by (namespace, pod) (max_over_time(kube_pod_container_status_waiting_reason%s[2m])) > 0", waiting),
			"a pod of the canary is in a crash loop"),
		p.alert("CanaryRestarts", ActionReview, "0s",
			fmt.Sprintf("sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total%s[15m])) > 0", pods),
			"a pod of the canary restarted within 15 minutes"),
		p.alert("CanaryMemoryHigh", ActionReview, "5m",
			fmt.Sprintf("max by (namespace, pod) (container_memory_working_set_bytes%s) > 0.9 * max by (namespace, pod) "+
				"(kube_pod_container_resource_limits%s)", pods, memoryLimit),
			"a pod of the canary uses more than 90 % of its memory limit"),
	}
	return append(rules, p.guardAlerts()...)
}

// confirmed asks the guard to compare an alert with its own counts.
func confirmed(alert map[string]any) map[string]any {
	alert["labels"].(map[string]any)[LabelConfirm] = ConfirmCounts
	return alert
}

// guardAlerts are about the guard itself.
func (p Params) guardAlerts() []any {
	if !p.Guarded {
		return nil
	}
	guard := fmt.Sprintf("{namespace=%q,app=%q}", p.Namespace, names.Guard(p.App))
	blind := fmt.Sprintf("{namespace=%q,rollout=%q}", p.Namespace, p.App)
	return []any{
		p.alert("RolloutGuardDown", ActionReview, "2m", fmt.Sprintf("sum by (namespace) (rollout_guard_leader%s) < 1 or "+
			"absent(rollout_guard_leader%s)", guard, guard),
			"no guard watches the canary: a bad one stays in traffic until somebody acts"),
		p.alert("RolloutGuardBlind", ActionReview, "1m",
			fmt.Sprintf("max by (namespace, rollout) (rollout_guard_blind%s) > 0", blind),
			"the guard sees nothing of the canary, neither its pods' metrics nor Prometheus"),
	}
}

func (p Params) alert(name, action, wait, expr, summary string) map[string]any {
	severity := map[string]string{ActionRollback: "critical", ActionReview: "warning"}[action]
	annotations := map[string]any{"summary": fmt.Sprintf("%s %s (%s): %s", p.App, p.Release, p.Environment, summary)}
	if p.RunbookURL != "" {
		annotations["runbook_url"] = p.RunbookURL
	}
	if p.DashboardURL != "" {
		annotations["dashboard_url"] = DashboardLink(p.DashboardURL, p.DashboardUID)
	}
	return map[string]any{
		"alert": name,
		"expr":  expr,
		"for":   wait,
		"labels": map[string]any{
			"severity": severity, "action": action, "app": p.App, "environment": p.Environment, "release": p.Release,
		},
		"annotations": annotations,
	}
}
