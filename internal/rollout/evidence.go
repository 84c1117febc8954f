package rollout

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/api"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/podlabel"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Proxy reaches a port of a Service through the API server; internal/kube's Client does.
type Proxy interface {
	ServiceProxy(namespace, service string, port int) (transport http.RoundTripper, baseURL string)
}

// Prometheus reaches the server that the setting of that name tells of: at its address, or as a Service of the cluster through the
// API server. In a pod (inPod) it is reached by the Service's own name instead.
func Prometheus(proxy Proxy, setting string, inPod bool) (*gate.Prometheus, error) {
	endpoint, err := settings.ParseEndpoint(setting)
	if err != nil {
		return nil, fmt.Errorf("prometheus %q: %w", setting, err)
	}
	config := api.Config{Address: endpoint.URL, RoundTripper: gate.Bounded(api.DefaultRoundTripper)}
	switch {
	case endpoint.URL != "":
	case inPod:
		config.Address = fmt.Sprintf("http://%s.%s.svc:%d", endpoint.Service, endpoint.Namespace, endpoint.Port)
	default:
		transport, address := proxy.ServiceProxy(endpoint.Namespace, endpoint.Service, endpoint.Port)
		config = api.Config{Address: address, RoundTripper: gate.Bounded(transport)}
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", setting, err)
	}
	return gate.NewPrometheus(client), nil
}

// Criteria are the success conditions on requests.
func Criteria(s *settings.Settings) []gate.Criterion {
	errorRate := gate.ErrorRate(s.Criteria.ErrorRate, s.Criteria.RollbackErrorRate)
	latency := gate.Latency(time.Duration(s.Criteria.Latency), 1-s.Criteria.SlowShare)
	// The guide leaves slowness to a person: it keeps a release from advancing and rolls none back.
	latency.Rollback = 1
	list := []gate.Criterion{errorRate, latency}
	for i := range list {
		list[i].MinRequests = int64(s.Bake.MinRequests)
		list[i].Alpha = 1 - s.Bake.Confidence
		list[i].PassAlpha = 1 - s.Criteria.Confidence
	}
	return list
}

// SoakSpec is what the stack's soak looks at, the bake too.
func SoakSpec(s *settings.Settings) soak.Spec {
	metrics := gate.DefaultMetrics()
	metrics.RequestsTotal, metrics.StatusLabel, metrics.ErrorPattern = s.Metrics.RequestsTotal, s.Metrics.StatusLabel, s.Metrics.ErrorPattern
	metrics.DurationBucket = s.Metrics.DurationBucket
	metrics = metrics.With(s.Metrics.Selector).With(map[string]string{"namespace": s.Namespace, podlabel.App: s.App})
	metrics.ScrapeInterval = time.Duration(s.Metrics.Interval)
	spec := soak.Spec{
		Namespace: s.Namespace, App: s.App, Metrics: metrics, Criteria: Criteria(s), Alerts: s.Monitoring.Enabled,
		Plan: plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)},
	}
	for _, own := range s.Criteria.Own {
		spec.Own = append(spec.Own, gate.QueryCriterion{Name: own.Name, Query: own.Query, Limit: own.Limit, Direction: own.Direction})
	}
	return spec
}

// LookAtSoak gathers the evidence of the stage that the rollout stands at by its ledger, afresh. The server is asked for only here,
// and what keeps it from being reached is a result with verdict error.
func LookAtSoak(ctx context.Context, s *settings.Settings, pods soak.Pods, server func() (soak.Server, error), state ledger.State, now time.Time) advance.Soak {
	spec := SoakSpec(s)
	prometheus, err := server()
	if err != nil {
		return advance.Soak{
			Plan: spec.Plan, Extensions: state.Extensions, Since: state.SoakSince,
			Evaluation: soak.Unseen(gate.Window{Start: state.SoakSince, End: now}, err),
		}
	}
	return soak.Look(ctx, spec, pods, prometheus, state, now)
}
