// Package alerts writes the Prometheus rules and the Grafana dashboard of a rollout: recording rules by track, the
// alerts of the deployment guide, and panels over the same series. It is pure: it turns Params into documents and
// imports neither Kubernetes nor Pulumi. Its PromQL is built by internal/promql.
//
// Every alert carries the label "action": rollback asks for the canary to be taken out of traffic, review asks a
// person to look.
package alerts

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Actions that an alert asks for.
const (
	ActionRollback = "rollback"
	ActionReview   = "review"
)

// LabelConfirm names the evidence that an alert makes the guard look at. With ConfirmCounts it is the guard's own
// counts, which cover the error rate, and only they roll back. The guard believes an alert without this label.
const (
	LabelConfirm  = "confirm"
	ConfirmCounts = "counts"
)

// Params are the names and limits of the rules and the dashboard.
type Params struct {
	// App, Environment, Namespace and Release identify the rollout. Release is the canary's version.
	App, Environment, Namespace, Release string
	// Deployment is the name of the canary's Deployment. Its pods are found by their owners.
	Deployment string
	// Container is the service's own container, where the pods hold further ones: theirs are no crashes of the release. It
	// is empty where the service is alone in its pods.
	Container string
	// RequestsTotal is the request counter, StatusLabel its label with the status, ErrorPattern the statuses that are
	// errors.
	RequestsTotal, StatusLabel, ErrorPattern string
	// DurationBucket is the histogram of the requests' durations, by its _bucket series, and DurationUnit the unit of its
	// bounds; 0 is the second.
	DurationBucket string
	DurationUnit   time.Duration
	// Selector holds further labels that a series must carry to count; it may be empty.
	Selector map[string]string
	// Customers are the matchers that leave the requests of customers; they may be empty.
	Customers []promql.Matcher
	// Canary and Stable select the series of each track, where these do not carry the labels of the track's pods; nil
	// where they do.
	Canary, Stable []promql.Matcher
	// ErrorRate is the share of errors, 0 to 1, above which an alert asks for a rollback.
	ErrorRate float64
	// Latency is the limit that all but SlowShare of the requests stay under: the limit of the quantile 1-SlowShare. With
	// 0 latency is not judged, and DurationBucket not read.
	Latency time.Duration
	// SlowShare is a share between 0 and 1, both excluded.
	SlowShare float64
	// Guarded means that a guard watches the canary, and that alerts watch the guard.
	Guarded bool
	// MinRequests is how many requests in 5 minutes an alert on a rate needs before it fires.
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
	} {
		if value == "" {
			return fmt.Errorf("%s is required", name)
		}
	}
	if p.ErrorRate <= 0 || p.Latency < 0 {
		return errors.New("ErrorRate must be more than 0, and Latency not negative")
	}
	if p.Latency > 0 && p.DurationBucket == "" {
		return errors.New("DurationBucket is required")
	}
	if p.Latency > 0 && !(p.SlowShare > 0 && p.SlowShare < 1) {
		return fmt.Errorf("SlowShare is %g: allowed are shares above 0 and below 1", p.SlowShare)
	}
	if p.DashboardUID == "" || len(p.DashboardUID) > longestUID {
		return fmt.Errorf("DashboardUID is %q: allowed are 1 to %d characters", p.DashboardUID, longestUID)
	}
	return nil
}

// longestUID is the longest uid that Grafana accepts, in characters.
const longestUID = 40

// Names of the recording rules. Each is by namespace, app, track and version.
const (
	recordRequests = "rollout:requests:increase5m"
	recordErrors   = "rollout:errors:ratio_rate5m"
)

// window is what the recording rules look back over.
const window = 5 * time.Minute

// quantile is the one that the gate judges, from 0 to 1.
func (p Params) quantile() float64 { return 1 - p.SlowShare }

// percentile is the quantile's name, such as P95.
func (p Params) percentile() string { return promql.PercentileName(p.quantile()) }

// recordLatency is the name of the recording rule of the latency, which carries the quantile.
func (p Params) recordLatency() string {
	return "rollout:latency_seconds:" + strings.ToLower(strings.ReplaceAll(p.percentile(), ".", "_")) + "_5m"
}

// Rules gives the spec of a PrometheusRule. It is an error when a parameter is missing or out of its range, or is no
// name that PromQL allows.
func Rules(p Params) (map[string]any, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	s, err := p.series()
	if err != nil {
		return nil, err
	}
	group := names.Rules(p.App, p.Environment)
	return map[string]any{"groups": []any{
		map[string]any{"name": group + ".recording", "rules": p.recording(s)},
		map[string]any{"name": group + ".alerts", "rules": p.alerting(s)},
	}}, nil
}

// byTrack are the labels of the recording rules, byApp those that both tracks share.
var (
	byTrack = []string{"namespace", names.App, names.Track, names.Version}
	byApp   = []string{"namespace", names.App}
)

func (p Params) recording(s series) []any {
	var rules []any
	for _, raw := range s.raw {
		record := func(name, expr string) {
			rule := map[string]any{"record": name, "expr": expr}
			if raw.labels != nil {
				rule["labels"] = raw.labels
			}
			rules = append(rules, rule)
		}
		record(recordRequests, promql.Sum(promql.Increase(raw.requests, window), raw.by...))
		record(recordErrors, promql.BadShare(raw.failed, raw.requests, window, raw.by...))
		if p.Latency > 0 {
			latency := promql.Quantile(p.quantile(), raw.durations, window, raw.by...)
			record(p.recordLatency(), promql.InSeconds(latency, p.DurationUnit))
		}
	}
	return rules
}

// worseFactor is how many times stable's value the canary's may be before a person is asked to look.
const worseFactor = 1.5

func (p Params) alerting(s series) []any {
	// enough keeps an alert silent as long as the canary has too few requests for a rate.
	enough := func(expr string) string {
		return promql.And(expr, promql.AtLeast(s.requestsOf.canary, float64(p.MinRequests)), byTrack...)
	}
	// worse compares the tracks, where the canary is above the floor.
	worse := func(record tracks, floor float64) string {
		relative := promql.Relative(record.canary, promql.Max(record.stable, byApp...), byApp...)
		return enough(promql.And(promql.Above(relative, worseFactor), promql.Above(record.canary, floor)))
	}
	rules := []any{
		confirmed(p.alert("CanaryErrorRateHigh", ActionRollback, "5m",
			enough(promql.Above(s.errorsOf.canary, p.ErrorRate)),
			fmt.Sprintf("more than %g %% of the canary's answers were errors for 5 minutes", p.ErrorRate*100))),
	}
	if p.Latency > 0 {
		rules = append(rules, p.alert("CanaryLatencyHigh", ActionReview, "5m",
			enough(promql.Above(s.latencyOf.canary, p.Latency.Seconds())),
			fmt.Sprintf("the canary's %s was above %s for 5 minutes", p.percentile(), p.Latency)))
	}
	rules = append(rules,
		p.alert("CanaryErrorRateWorseThanStable", ActionReview, "5m", worse(s.errorsOf, p.ErrorRate/2),
			"the canary's error rate was more than 1.5 times that of the stable track for 5 minutes"))
	if p.Latency > 0 {
		rules = append(rules,
			p.alert("CanaryLatencyWorseThanStable", ActionReview, "5m", worse(s.latencyOf, p.Latency.Seconds()/2),
				fmt.Sprintf("the canary's %s was more than 1.5 times that of the stable track for 5 minutes", p.percentile())))
	}
	return slices.Concat(rules, p.podAlerts(s), p.guardAlerts(s))
}

// podAlerts are about the canary's pods.
func (p Params) podAlerts(s series) []any {
	perPod := []string{"namespace", "pod"}
	return []any{
		p.alert("CanaryCrashLoop", ActionRollback, "0s",
			promql.Above(promql.Sum(s.crashing, perPod...), 0),
			"a pod of the canary is in a crash loop"),
		p.alert("CanaryRestarts", ActionReview, "0s",
			promql.Above(promql.Sum(s.restarts, perPod...), 0),
			"a pod of the canary restarted within 15 minutes"),
		p.alert("CanaryMemoryHigh", ActionReview, "5m",
			promql.Exceeds(promql.Max(s.memory, perPod...), promql.Times(0.9, promql.Max(s.memoryLimit, perPod...))),
			"a pod of the canary uses more than 90 % of its memory limit"),
	}
}

// restartWindow is how long a restart of a container asks for a look.
const restartWindow = 15 * time.Minute

// confirmed asks the guard to look at its own counts.
func confirmed(alert map[string]any) map[string]any {
	alert["labels"].(map[string]any)[LabelConfirm] = ConfirmCounts
	return alert
}

// guardAlerts are about the guard itself.
func (p Params) guardAlerts(s series) []any {
	if !p.Guarded {
		return nil
	}
	var disarmed []string
	for _, gauge := range s.disarmed {
		disarmed = append(disarmed, promql.Above(promql.Max(gauge, "namespace", "rollout"), 0))
	}
	return []any{
		p.alert("RolloutGuardDown", ActionReview, "2m",
			promql.Or(promql.Below(promql.Sum(s.guardLeader, "namespace"), 1), promql.Absent(s.guardLeader)),
			"no guard watches the canary: a bad one stays in traffic until somebody acts"),
		p.alert("RolloutGuardBlind", ActionReview, "1m",
			promql.Above(promql.Max(s.guardBlind, "namespace", "rollout"), 0),
			"the guard sees nothing of the canary, neither its pods' metrics nor Prometheus"),
		p.alert("RolloutGuardDisarmed", ActionReview, "1m", promql.Or(disarmed...),
			"the guard only reports, runs on a configuration that no update has given it, or has a ledger that was cut"),
	}
}

// RunbookLink is the address of an alert in the alert index, whose sections have the names of the alerts. An address
// with an anchor of its own stays as it is.
func RunbookLink(runbook, alert string) string {
	if strings.Contains(runbook, "#") {
		return runbook
	}
	return runbook + "#" + strings.ToLower(alert)
}

func (p Params) alert(name, action, wait, expr, summary string) map[string]any {
	severity := map[string]string{ActionRollback: "critical", ActionReview: "warning"}[action]
	annotations := map[string]any{"summary": fmt.Sprintf("%s %s (%s): %s", p.App, p.Release, p.Environment, summary)}
	if p.RunbookURL != "" {
		annotations["runbook_url"] = RunbookLink(p.RunbookURL, name)
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
