package guarded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/cli/evidence"
	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/guard"
	"github.com/vextrus/finance-rollout/internal/guard/command"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

const (
	// clusterLimit bounds a look at the API server, metricsLimit a query of Prometheus, chartsLimit those of the charts.
	clusterLimit = 5 * time.Second
	metricsLimit = time.Second
	chartsLimit  = 20 * time.Second
	// rereadLedger is the longest time between two readings of a ledger that has not changed.
	rereadLedger = 15 * time.Second
	// chartsSpan is the time that the charts show.
	chartsSpan = time.Hour
)

// look looks at one rollout.
type look struct {
	source command.PageSource
	name   string

	// reading is held while the ledger is read.
	reading sync.Mutex
	last    reading

	mu sync.Mutex
	// connected is to the server of this address; nil before the first question.
	connected command.PageServer
	address   string
}

// reading is what the ledger and the release record said.
type reading struct {
	at      time.Time
	version string
	history *ledger.Ledger
	record  map[string]string
	err     error
}

func (l *look) seen() (guard.Seen, error) {
	rollouts := l.source.Watcher.Rollouts()
	i := slices.IndexFunc(rollouts, func(seen guard.Seen) bool { return seen.Name == l.name })
	if i < 0 {
		return guard.Seen{}, fmt.Errorf("the guard does not watch %s any more", l.name)
	}
	return rollouts[i], nil
}

// status is the rollout as the guard sees it.
func (l *look) status(ctx context.Context) *status.Status {
	ctx, cancel := context.WithTimeoutCause(ctx, clusterLimit, fmt.Errorf("no answer within %v", clusterLimit))
	defer cancel()
	seen, err := l.seen()
	if err != nil {
		return &status.Status{Time: l.source.Now().UTC(), Phase: status.PhaseUnknown, ByGuard: true,
			Unreachable: err.Error()}
	}
	sight := status.Sight{
		Time: l.source.Now(), Stack: stackOf(seen.Config), Origin: "seen by the guard " + l.source.Identity,
		Release: seen.Config.Release, Spec: seen.Config.Spec, Deployments: seen.Deployments, Pods: seen.Pods,
		Guard:   status.Guard{Wanted: true, Ready: seen.Ready, DryRun: seen.Config.DryRun},
		Missing: map[string]error{},
	}
	var missing sync.Mutex
	miss := func(part string, err error) {
		if err != nil {
			missing.Lock()
			defer missing.Unlock()
			sight.Missing[part] = err
		}
	}
	var reads sync.WaitGroup
	reads.Go(func() { miss(status.PartEndpoints, l.readEndpoints(ctx, seen.Config, &sight)) })
	reads.Go(func() { miss("leader of the guards", l.readLeader(ctx, seen.Config, &sight)) })
	reads.Go(func() { miss("alerts", l.readAlerts(ctx, seen.Config, &sight)) })
	reads.Go(func() {
		read := l.readLedger(ctx, seen)
		sight.History, sight.Record = read.history, read.record
		miss(status.PartLedger, read.err)
		// The window of the requests begins with the stage.
		miss("share of the requests", l.readRequests(ctx, seen.Config, &sight))
	})
	reads.Wait()
	return sight.Status()
}

// stackOf is the stack's name for people.
func stackOf(config guard.Config) string {
	switch {
	case config.Stack != "":
		return config.Stack
	case config.Notify != nil && config.Notify.Stack != "":
		return config.Notify.Stack
	default:
		return config.Environment
	}
}

func (l *look) readEndpoints(ctx context.Context, config guard.Config, sight *status.Sight) error {
	services := []string{config.Service}
	if config.Route != nil {
		services = slices.Sorted(maps.Keys(config.Route.Weights))
	}
	for _, service := range services {
		pods, err := l.source.Cluster.Endpoints(ctx, config.Spec.Namespace, service)
		if err != nil {
			return err
		}
		sight.Taking = append(sight.Taking, pods...)
	}
	return nil
}

func (l *look) readLeader(ctx context.Context, config guard.Config, sight *status.Sight) (err error) {
	sight.Guard.Leader, sight.Guard.Renewed, err = l.source.Cluster.LeaseHolder(ctx, config.Spec.Namespace, l.source.Lease)
	return err
}

// readLedger reads the ledger again when it has changed, or after a while: the page looks often.
func (l *look) readLedger(ctx context.Context, seen guard.Seen) reading {
	l.reading.Lock()
	defer l.reading.Unlock()
	now := l.source.Now()
	if l.last.err == nil && l.last.history != nil && l.last.version == seen.LedgerVersion &&
		now.Sub(l.last.at) < rereadLedger {
		return l.last
	}
	next := reading{at: now, version: seen.LedgerVersion}
	next.history, next.err = l.source.Watcher.History(ctx, seen.Config)
	if next.err == nil {
		next.record, _, next.err = l.source.Cluster.ConfigMap(ctx, seen.Config.Spec.Namespace,
			names.Record(seen.Config.Spec.App))
	}
	l.last = next
	return next
}

// server is the configuration's Prometheus. The connection is kept: the page asks often.
func (l *look) server(config guard.Config) (command.PageServer, error) {
	if config.Prometheus == "" {
		return nil, errors.New("config prometheus is not set")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connected != nil && l.address == config.Prometheus {
		return l.connected, nil
	}
	server, err := l.source.Prometheus(config.Prometheus)
	if err != nil {
		return nil, err
	}
	l.connected, l.address = server, config.Prometheus
	return server, nil
}

// ask runs one query.
func (l *look) ask(ctx context.Context, config guard.Config, query string, at time.Time) (model.Vector, error) {
	server, err := l.server(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, metricsLimit,
		fmt.Errorf("prometheus did not answer within %v", metricsLimit))
	defer cancel()
	answer, err := server.Ask(ctx, query, at)
	if err != nil {
		return nil, err
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("query %s returned a %s instead of a vector", query, answer.Type())
	}
	return vector, nil
}

func (l *look) readAlerts(ctx context.Context, config guard.Config, sight *status.Sight) error {
	query, err := promql.Firing(map[string]string{"namespace": config.Spec.Namespace, names.App: config.Spec.App})
	if err != nil {
		return err
	}
	sight.Firing, err = l.ask(ctx, config, query, sight.Time)
	return err
}

func (l *look) readRequests(ctx context.Context, config guard.Config, sight *status.Sight) error {
	query, err := config.Spec.Metrics.Increase(sight.Window())
	if err != nil {
		return err
	}
	vector, err := l.ask(ctx, config, query, sight.Time)
	if err == nil {
		sight.Requests = &vector
	}
	return err
}

// charts are those of both tracks over the last hour.
func (l *look) charts(ctx context.Context, current *status.Status) (report.Section, error) {
	seen, err := l.seen()
	if err != nil {
		return report.Section{}, err
	}
	server, err := l.server(seen.Config)
	if err != nil {
		return report.Section{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, chartsLimit, fmt.Errorf("no answer within %v", chartsLimit))
	defer cancel()
	return report.Panels(ctx, server, report.Question{Metrics: seen.Config.Spec.Metrics, Release: current.Release,
		Criteria: seen.Config.Spec.Criteria, Start: current.Time.Add(-chartsSpan), End: current.Time,
		Title: "The last hour"})
}

// evidence says where it is: an archive holds logs, and unpacked it may be larger than the guard's memory.
func (l *look) evidence(_ context.Context, current *status.Status) ([]evidence.Summary, error) {
	return nil, fmt.Errorf("the guard's page shows no evidence: rollout evidence list -s %s", current.Stack)
}

// forecast says where it is: it needs the stack's plan, and seconds of computing.
func (l *look) forecast(_ context.Context, current *status.Status) (*forecast.Forecast, error) {
	return nil, fmt.Errorf("the guard's page computes no forecast: rollout forecast -s %s", current.Stack)
}
