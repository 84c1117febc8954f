package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/cli/preflight"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/rollout"
)

// prometheus reads the facts of the rows on monitoring.
func (r *reader) prometheus(ctx context.Context) {
	into := &r.facts.Prometheus
	if r.Settings.Prometheus == "" {
		return
	}
	server, err := r.Prometheus(r.cluster)
	if err == nil {
		_, err = server.Ask(ctx, promql.Reachable, r.Now())
	}
	if into.Err = err; err != nil {
		return
	}
	into.Up, into.Down, into.TargetsErr = r.targets(ctx, server)
	into.Groups, into.Broken, into.RulesErr = server.RuleGroups(ctx)
	into.Alertmanagers, into.AlertmanagersErr = server.Alertmanagers(ctx)
	into.Statuses, into.Bounds, into.MetricsErr = r.metrics(ctx, server)
	into.Requests, into.Customers = r.requests(ctx, server)
	into.Native = r.native(ctx, server, into)
	// Only this stack's rules matter.
	var broken []string
	for _, rule := range into.Broken {
		if strings.Contains(rule, names.Rules(r.Settings.App, r.Settings.Environment)+".") {
			broken = append(broken, rule)
		}
	}
	into.Broken = broken
}

// targets counts the scraped pods of each track.
func (r *reader) targets(ctx context.Context, server Server) (up, down map[string]int, err error) {
	selector, err := promql.Selector("up", map[string]string{"namespace": r.Settings.Namespace, names.App: r.Settings.App})
	if err != nil {
		return nil, nil, err
	}
	answer, err := server.Ask(ctx, selector, r.Now())
	if err != nil {
		return nil, nil, err
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, nil, fmt.Errorf("query %s returned a %s instead of a vector", selector, answer.Type())
	}
	up, down = map[string]int{}, map[string]int{}
	for _, sample := range vector {
		track := string(sample.Metric[names.Track])
		if track == "" {
			continue // the guard's pods, and other pods with the app's label
		}
		if sample.Value == 1 {
			up[track]++
		} else {
			down[track]++
		}
	}
	return up, down, nil
}

// metrics reads the label values of the series that the gates count.
func (r *reader) metrics(ctx context.Context, server Server) (statuses, bounds []string, err error) {
	metrics := rollout.SoakSpec(r.Settings).Metrics
	now := r.Now()
	ask := func(metric, label string) []string {
		selector, wrong := metrics.Select(metric)
		if wrong != nil {
			err = errors.Join(err, wrong)
			return nil
		}
		values, wrong := server.LabelValues(ctx, label, selector, now.Add(-metricsBack), now)
		err = errors.Join(err, wrong)
		return values
	}
	statuses = ask(metrics.RequestsTotal, metrics.StatusLabel)
	if r.Settings.Criteria.Latency > 0 {
		bounds = ask(metrics.DurationBucket, model.BucketLabel)
	}
	return statuses, bounds, err
}

// requests counts those of the last day, with and without probes and scrapes; both are 0 if Prometheus does not say.
func (r *reader) requests(ctx context.Context, server Server) (all, customers float64) {
	metrics := rollout.SoakSpec(r.Settings).Metrics
	for into, of := range map[*float64]func(string) (string, error){
		&all: metrics.SelectAll, &customers: func(metric string) (string, error) { return metrics.Select(metric) },
	} {
		selector, err := of(metrics.RequestsTotal)
		if err != nil {
			return 0, 0
		}
		answer, err := server.Ask(ctx, promql.Sum(promql.Increase(selector, metricsBack)), r.Now())
		vector, ok := answer.(model.Vector)
		if err != nil || !ok || len(vector) > 1 {
			return 0, 0
		}
		if len(vector) == 1 {
			*into = float64(vector[0].Value)
		}
	}
	return all, customers
}

// metricsBack is the period in which series are searched: a quiet night must not look like a missing metric.
const metricsBack = 24 * time.Hour

// alertmanager checks the Alertmanager that the guard sends to.
func (r *reader) alertmanager(ctx context.Context) {
	if r.Settings.Guard.Alertmanager == "" {
		return
	}
	r.facts.Alertmanager = preflight.Reached{Address: endpoint.Shown(r.Settings.Guard.Alertmanager)}
	at, err := endpoint.Parse(r.Settings.Guard.Alertmanager)
	if err != nil {
		r.facts.Alertmanager.Err = err
		return
	}
	r.facts.Alertmanager.Status, r.facts.Alertmanager.Err = r.reach(ctx, at, "/-/ready", r.Alertmanager)
}

// grafana checks the dashboard.
func (r *reader) grafana(ctx context.Context) {
	base := strings.TrimSuffix(r.Settings.DashboardURL, "/")
	r.facts.Grafana = preflight.Reached{Address: alerts.DashboardLink(base, r.Settings.DashboardUID())}
	r.facts.Grafana.Status, r.facts.Grafana.Err = get(ctx, r.HTTP,
		base+"/api/dashboards/uid/"+url.PathEscape(r.Settings.DashboardUID()))
}

// otlp checks the endpoint to which the pods send traces. A Service is reached through the API server.
func (r *reader) otlp(ctx context.Context) {
	address := r.Settings.Env["OTEL_EXPORTER_OTLP_ENDPOINT"]
	if address == "" {
		return
	}
	r.facts.OTLP = preflight.Reached{Address: address}
	at, err := inCluster(address, r.Settings.Namespace)
	if err != nil {
		r.facts.OTLP.Err = err
		return
	}
	r.facts.OTLP.Status, r.facts.OTLP.Err = r.reach(ctx, at, "/v1/traces", nil)
}

// inCluster parses an address as pods of the namespace resolve it: a Service by its short or full name, or any other
// host.
func inCluster(address, namespace string) (endpoint.Endpoint, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Hostname() == "" {
		return endpoint.Endpoint{}, fmt.Errorf("address %q: allowed are URLs such as http://collector.observability:4318",
			address)
	}
	parts := strings.Split(parsed.Hostname(), ".")
	service := len(parts) <= 2 || parts[2] == "svc"
	if !service || strings.Contains(parsed.Hostname(), ":") {
		return endpoint.Endpoint{URL: strings.TrimSuffix(address, "/")}, nil
	}
	at := endpoint.Endpoint{Namespace: namespace, Service: parts[0], Port: 80}
	if len(parts) > 1 {
		at.Namespace = parts[1]
	}
	if parsed.Scheme == "https" {
		// With this prefix the API server's proxy speaks TLS to the Service.
		at.Service, at.Port = "https:"+at.Service, 443
	}
	if port := parsed.Port(); port != "" {
		at.Port, err = strconv.Atoi(port)
	}
	return at, err
}

// reach requests a path of an endpoint, directly or through the API server, with a login or without.
func (r *reader) reach(ctx context.Context, at endpoint.Endpoint, path string, login endpoint.Login) (int, error) {
	if at.URL != "" && login == nil {
		return get(ctx, r.HTTP, at.URL+path)
	}
	client, base := endpoint.Way{Proxy: r.cluster, Login: login}.Reach(at)
	return get(ctx, client, base+path)
}

// get requests a page and returns its status. If the API server answers in place of the Service, nothing listens
// there: that is an error.
func get(ctx context.Context, client *http.Client, address string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		if late := context.Cause(ctx); late != nil {
			err = late
		}
		return 0, endpoint.WithoutURL(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < http.StatusBadRequest {
		return answer.StatusCode, nil
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 8<<10))
	if err != nil {
		return answer.StatusCode, nil
	}
	var status struct{ Kind, Message string }
	if json.Unmarshal(body, &status) == nil && status.Kind == "Status" {
		return 0, errors.New(status.Message)
	}
	return answer.StatusCode, nil
}
