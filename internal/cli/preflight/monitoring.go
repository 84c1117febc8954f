package preflight

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollout"
)

// errNoPrometheus is the reason of rows that need Prometheus.
var errNoPrometheus = errors.New("Prometheus does not answer")

func (c checker) prometheus() Row {
	r := row("prometheus", "restore Prometheus, or correct its address: %s",
		c.on("pulumi config set prometheus NAMESPACE/SERVICE:PORT"))
	switch {
	case c.s.Prometheus == "":
		return r.is(Failed, "config prometheus is empty: the gates have no metrics")
	case c.f.Cluster.Err != nil:
		// Prometheus was not queried: without the cluster the gates have nothing to decide.
		return r.unseen(errNoCluster)
	case c.f.Prometheus.Err != nil:
		return r.is(Failed, "%s", strings.Join(strings.Fields(c.f.Prometheus.Err.Error()), " "))
	default:
		return r.is(OK, "%s answers", c.s.Prometheus)
	}
}

// asked reports whether Prometheus answered the queries of a row.
func (c checker) asked(r Row, err error) (Row, bool) {
	switch {
	case c.f.Cluster.Err != nil:
		return r.unseen(errNoCluster), false
	case c.s.Prometheus == "" || c.f.Prometheus.Err != nil:
		return r.unseen(errNoPrometheus), false
	case c.first():
		return r.is(Skipped, "nothing is rolled out yet"), false
	case err != nil:
		return r.unseen(err), false
	default:
		return r, true
	}
}

func (c checker) targets() Row {
	r, ok := c.asked(row("targets", "kubectl get servicemonitor -n %s -o yaml; its labels must match Prometheus's "+
		"selector: %s", c.s.Namespace,
		c.on("pulumi config get monitoring.labels --path")), c.f.Prometheus.TargetsErr)
	if !ok {
		return r
	}
	var parts []string
	up, down := 0, 0
	tracks := slices.Sorted(maps.Keys(c.f.Prometheus.Up))
	for track := range c.f.Prometheus.Down {
		if !slices.Contains(tracks, track) {
			tracks = append(tracks, track)
		}
	}
	for _, track := range tracks {
		up, down = up+c.f.Prometheus.Up[track], down+c.f.Prometheus.Down[track]
		parts = append(parts, fmt.Sprintf("%s: %d up, %d down", track, c.f.Prometheus.Up[track], c.f.Prometheus.Down[track]))
	}
	switch {
	case up+down == 0:
		return r.is(Failed, "Prometheus scrapes no pod of %s in %s", c.s.App, c.s.Namespace)
	case down > 0:
		return r.is(Failed, "%s", strings.Join(parts, "; "))
	default:
		return r.is(OK, "%s", strings.Join(parts, "; "))
	}
}

func (c checker) rules() Row {
	r := row("rules", "kubectl get prometheusrule -n %s -o yaml; its labels must match Prometheus's selector",
		c.s.Namespace)
	if !c.s.Monitoring.Enabled {
		return r.is(Skipped, "config monitoring.enabled is false: alerts are managed elsewhere")
	}
	r, ok := c.asked(r, c.f.Prometheus.RulesErr)
	if !ok {
		return r
	}
	group := names.Rules(c.s.App, c.s.Environment)
	var missing []string
	for _, name := range []string{group + ".recording", group + ".alerts"} {
		if !contains(c.f.Prometheus.Groups, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) > 0:
		return r.is(Failed, "Prometheus has not loaded %s", strings.Join(missing, ", "))
	case len(c.f.Prometheus.Broken) > 0:
		return r.is(Failed, "failing rules: %s", some(c.f.Prometheus.Broken))
	default:
		return r.is(OK, "recording rules and alerts are loaded and evaluated")
	}
}

// metrics checks the series that the gates count: the request counter with its status label, and a duration bucket at
// the latency limit.
func (c checker) metrics() Row {
	r, ok := c.asked(row("metrics", "correct the metric: %s, or the limit: %s",
		c.on("pulumi config set --path metrics.requestsTotal NAME"),
		c.on("pulumi config set --path criteria.latency BOUND")), c.f.Prometheus.MetricsErr)
	if !ok {
		return r
	}
	if len(c.f.Prometheus.Native) > 0 {
		return c.native()
	}
	m, limit := c.s.Metrics, time.Duration(c.s.Criteria.Latency)
	numbers := regexp.MustCompile(`^[0-9]{3}$`)
	inUnit := float64(limit) / float64(m.DurationUnit.Duration())
	bound := slices.ContainsFunc(c.f.Prometheus.Bounds, func(text string) bool {
		value, err := strconv.ParseFloat(text, 64)
		return err == nil && math.Abs(value-inUnit) <= 1e-9*inUnit
	})
	switch {
	case len(c.f.Prometheus.Statuses) == 0:
		return r.is(Failed, "no series of %s with a label %s for %s within the last day%s", m.RequestsTotal,
			m.StatusLabel, c.s.App, selected(m.Selector))
	case !slices.ContainsFunc(c.f.Prometheus.Statuses, numbers.MatchString) && m.ErrorPattern == "5..":
		return r.is(Failed, "label %s of %s has the values %s, but errors match 5..", m.StatusLabel,
			m.RequestsTotal, some(c.f.Prometheus.Statuses))
	case limit == 0:
		return r.is(OK, "%s by %s; criteria.latency is off%s", m.RequestsTotal, m.StatusLabel, c.probes())
	case len(c.f.Prometheus.Bounds) == 0:
		return r.is(Failed, "no series of %s for %s within the last day%s", m.DurationBucket, c.s.App,
			selected(m.Selector))
	case !slices.ContainsFunc(c.f.Prometheus.Bounds, isFinite):
		return r.is(Failed, "%s has no bucket but +Inf, as a native histogram has none in a classic scrape: no latency can "+
			"be counted", m.DurationBucket)
	case !bound:
		return r.is(OK, "%s by %s; %s has no bucket at the limit of %v, so that a pass needs enough requests under the next "+
			"lower bound (in %s: %s)%s", m.RequestsTotal, m.StatusLabel, m.DurationBucket, limit,
			m.DurationUnit.Plural(), strings.Join(c.f.Prometheus.Bounds, ", "), c.probes())
	default:
		return r.is(OK, "%s by %s, and %s with a bucket at %v%s", m.RequestsTotal, m.StatusLabel, m.DurationBucket, limit,
			c.probes())
	}
}

// native is the row where Prometheus has native histograms in place of the series that the gates count.
func (c checker) native() Row {
	return row("metrics", "keep the classic ones beside them: %s for pods that the stack's ServiceMonitor finds, "+
		"always_scrape_classic_histograms in Prometheus's own configuration for others; or count another metric: %s",
		c.on("pulumi config set --path metrics.scrapeClassicHistograms true"),
		c.on("pulumi config set --path metrics.requestsTotal NAME")).is(Failed,
		"Prometheus keeps %s as native histograms alone, and the gates read classic ones",
		strings.Join(c.f.Prometheus.Native, " and "))
}

func isFinite(bound string) bool {
	value, err := strconv.ParseFloat(bound, 64)
	return err == nil && !math.IsInf(value, 0)
}

// traffic compares the requests of the last day with those that decide the first stage's soak. A stack without a canary
// has none.
func (c checker) traffic() Row {
	r, ok := c.asked(row("traffic", "%s; `%s` computes it in detail", gate.MoreRequests, c.on("rollout forecast")),
		c.f.Prometheus.MetricsErr)
	switch {
	case !ok:
		return r
	case c.s.IsSingle():
		return r.is(Skipped, "the stack has no canary to soak")
	case !(c.f.Prometheus.Customers > 0):
		return r.is(Skipped, "no customer requests within the last day: nothing to expect")
	}
	first, length := c.s.Stages.First(), time.Duration(c.s.Soak.Duration)
	perSecond := c.f.Prometheus.Customers / (24 * time.Hour).Seconds() * float64(first) / 100
	for _, criterion := range rollout.Criteria(c.s) {
		if outlook := criterion.Outlook(perSecond, length); !outlook.Decides() {
			return r.is(Failed, "a soak of %v at %d %% will see about %.0f requests, and the %s needs %d without a bad one to "+
				"pass", c.s.Soak.Duration, first, outlook.Expected, criterion.Name, outlook.Needed)
		}
	}
	return r.is(OK, "a soak of %v at %d %% will see about %.0f requests, which decide", c.s.Soak.Duration, first,
		perSecond*length.Seconds())
}

// probes is the share of probes and scrapes among the requests of the last day.
func (c checker) probes() string {
	all, customers := c.f.Prometheus.Requests, c.f.Prometheus.Customers
	switch {
	case !(all > 0) || customers >= all:
		return ""
	case customers <= 0:
		return "; no customer requests within the last day: all were probes or scrapes, which metrics.exclude leaves out"
	default:
		return fmt.Sprintf("; %.3g %% of the requests of the last day were probes and scrapes, which metrics.exclude leaves "+
			"out", 100*(1-customers/all))
	}
}

// selected lists the labels that a series must have.
func selected(selector map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(selector)) {
		parts = append(parts, name+"="+selector[name])
	}
	if len(parts) == 0 {
		return ""
	}
	return ", with " + strings.Join(parts, ", ")
}

func (c checker) alertmanager() Row {
	r := row("alertmanager", "restore Alertmanager; Prometheus knows it from its own configuration, the guard from %s",
		c.on("pulumi config set --path guard.alertmanager NAMESPACE/SERVICE:PORT"))
	manager := c.f.Alertmanager
	if manager.Address != "" && (manager.Err != nil || manager.Status >= http.StatusBadRequest) {
		return r.is(Failed, "%s", manager.describe())
	}
	switch {
	case c.f.Cluster.Err != nil:
		return r.unseen(errNoCluster)
	case c.s.Prometheus == "" || c.f.Prometheus.Err != nil:
		return r.unseen(errNoPrometheus)
	case c.f.Prometheus.AlertmanagersErr != nil:
		return r.unseen(c.f.Prometheus.AlertmanagersErr)
	case len(c.f.Prometheus.Alertmanagers) == 0:
		return r.is(Failed, "Prometheus has no Alertmanager to send alerts to")
	case manager.Address == "":
		return r.is(OK, "Prometheus sends its alerts to Alertmanager (%d active)", len(c.f.Prometheus.Alertmanagers))
	default:
		return r.is(OK, "Prometheus sends its alerts to Alertmanager (%d active), and %s answers the guard",
			len(c.f.Prometheus.Alertmanagers),
			manager.Address)
	}
}

// describe describes the response of an address.
func (r Reached) describe() string {
	if r.Err != nil {
		return fmt.Sprintf("%s is unreachable: %s", r.Address, strings.Join(strings.Fields(r.Err.Error()), " "))
	}
	return fmt.Sprintf("%s answers with status %d", r.Address, r.Status)
}

func (c checker) grafana() Row {
	r := row("grafana", "correct the address: %s; the dashboard is the ConfigMap %s-dashboard in %s, which "+
		"Grafana's sidecar selects by its labels",
		c.on("pulumi config set dashboardURL ADDRESS"), c.s.App, c.s.Namespace)
	reached := c.f.Grafana
	switch {
	case reached.Address == "":
		return r.is(Skipped, "config dashboardURL is empty: no Grafana to check")
	case reached.Err != nil:
		return r.is(Failed, "%s", reached.describe())
	case reached.Status == http.StatusUnauthorized || reached.Status == http.StatusForbidden:
		return r.is(Unknown, "Grafana answers, but does not show dashboard %s without a login (status %d)",
			c.s.DashboardUID(), reached.Status)
	case reached.Status == http.StatusNotFound && c.first():
		return r.is(OK, "Grafana answers; pulumi up creates dashboard %s", c.s.DashboardUID())
	case reached.Status == http.StatusNotFound:
		return r.is(Failed, "Grafana has no dashboard %s", c.s.DashboardUID())
	case reached.Status >= http.StatusBadRequest:
		return r.is(Failed, "%s", reached.describe())
	default:
		return r.is(OK, "Grafana has dashboard %s", c.s.DashboardUID())
	}
}

func (c checker) otlp() Row {
	r := row("otlp endpoint", "restore the collector, or correct its address: %s",
		c.on("pulumi config set --path env.OTEL_EXPORTER_OTLP_ENDPOINT ADDRESS"))
	reached := c.f.OTLP
	switch {
	case reached.Address == "" && c.s.Env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "":
		return r.unseen(errNoCluster)
	case reached.Address == "":
		return r.is(Skipped, "OTEL_EXPORTER_OTLP_ENDPOINT is not configured: the pods send no traces")
	case reached.Err != nil:
		return r.is(Failed, "%s", reached.describe())
	case reached.Status >= http.StatusInternalServerError:
		return r.is(Failed, "%s", reached.describe())
	default:
		// Any answer to a request without traces shows that something listens.
		return r.is(OK, "%s", reached.describe())
	}
}
