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

// prometheus asks everything that the rows about monitoring need.
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
	// Others' rules are not this stack's to mend.
	var own []string
	for _, broken := range into.Broken {
		if strings.Contains(broken, names.Rules(r.Settings.App, r.Settings.Environment)+".") {
			own = append(own, broken)
		}
	}
	into.Broken = own
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
		return nil, nil, fmt.Errorf("%s gives a %s", selector, answer.Type())
	}
	up, down = map[string]int{}, map[string]int{}
	for _, sample := range vector {
		track := string(sample.Metric[names.Track])
		if track == "" {
			continue // the guard's pods, and whatever else carries the name of the app
		}
		if sample.Value == 1 {
			up[track]++
		} else {
			down[track]++
		}
	}
	return up, down, nil
}

// metrics finds out what the gates would find.
func (r *reader) metrics(ctx context.Context, server Server) (statuses, bounds []string, err error) {
	metrics := rollout.SoakSpec(r.Settings).Metrics
	now := r.Now()
	ask := func(metric, label string) []string {
		selector, wrong := promql.Selector(metric, metrics.Selector)
		if wrong != nil {
			err = errors.Join(err, wrong)
			return nil
		}
		values, wrong := server.LabelValues(ctx, label, selector, now.Add(-metricsBack), now)
		err = errors.Join(err, wrong)
		return values
	}
	statuses = ask(metrics.RequestsTotal, metrics.StatusLabel)
	bounds = ask(metrics.DurationBucket, model.BucketLabel)
	return statuses, bounds, err
}

// metricsBack is how far back series are looked for: a quiet night must not look like a missing metric.
const metricsBack = 24 * time.Hour

// alertmanager asks the one that the guard tells.
func (r *reader) alertmanager(ctx context.Context) {
	if r.Settings.Guard.Alertmanager == "" {
		return
	}
	r.facts.Alertmanager = preflight.Reached{Address: r.Settings.Guard.Alertmanager}
	at, err := endpoint.Parse(r.Settings.Guard.Alertmanager)
	if err != nil {
		r.facts.Alertmanager.Err = err
		return
	}
	r.facts.Alertmanager.Status, r.facts.Alertmanager.Err = r.reach(ctx, at, "/-/ready")
}

// grafana asks for the dashboard.
func (r *reader) grafana(ctx context.Context) {
	base := strings.TrimSuffix(r.Settings.DashboardURL, "/")
	r.facts.Grafana = preflight.Reached{Address: alerts.DashboardLink(base, r.Settings.DashboardUID())}
	r.facts.Grafana.Status, r.facts.Grafana.Err = get(ctx, r.HTTP,
		base+"/api/dashboards/uid/"+url.PathEscape(r.Settings.DashboardUID()))
}

// otlp asks where the pods send their traces. A name of the cluster is reached through the API server, as seen from
// the stack's namespace.
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
	r.facts.OTLP.Status, r.facts.OTLP.Err = r.reach(ctx, at, "/v1/traces")
}

// inCluster reads an address as pods see it: a Service by its short or long name, or a host elsewhere.
func inCluster(address, namespace string) (endpoint.Endpoint, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Hostname() == "" {
		return endpoint.Endpoint{}, fmt.Errorf("%q is no address", address)
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
		// This is how the API server is told to speak TLS with a Service.
		at.Service, at.Port = "https:"+at.Service, 443
	}
	if port := parsed.Port(); port != "" {
		at.Port, err = strconv.Atoi(port)
	}
	return at, err
}

// reach asks an endpoint, directly or through the API server.
func (r *reader) reach(ctx context.Context, at endpoint.Endpoint, path string) (int, error) {
	if at.URL != "" {
		return get(ctx, r.HTTP, at.URL+path)
	}
	client, base := endpoint.Way{Proxy: r.cluster}.Reach(at)
	return get(ctx, client, base+path)
}

// get asks for a page. An answer of the API server in place of the Service's own is an error: it says that there is
// nobody.
func get(ctx context.Context, client *http.Client, address string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		// The address is in the row already.
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return 0, errors.Join(err, lateCause(ctx))
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

func lateCause(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}
