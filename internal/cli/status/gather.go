package status

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Cluster is the part of internal/kube's Client that a status reads.
type Cluster interface {
	ledger.ConfigMaps
	soak.Pods
	// Deployment returns a Deployment; the second result is false when it does not exist.
	Deployment(ctx context.Context, namespace, name string) (*appsv1.Deployment, bool, error)
	// Endpoints returns the names of the pods that a Service routes to.
	Endpoints(ctx context.Context, namespace, service string) ([]string, error)
	// LeaseHolder returns the holder of a Lease and the time of the last renewal.
	LeaseHolder(ctx context.Context, namespace, name string) (holder string, renewed time.Time, err error)
}

// Source is the origin of a status. Rollout and Cluster are of the same stack; Cluster adds what only a status reads.
type Source struct {
	Rollout *rollout.Rollout
	Cluster Cluster
	// Stack and Origin are the names of the stack and of its cluster, for people.
	Stack, Origin string
	// Staging returns the digest that the staging stack has verified; nil where nobody can tell.
	Staging func(ctx context.Context) (string, error)
	// Evidence caches the readings of the soak's evidence.
	Evidence *EvidenceCache
}

const (
	// clusterBudget limits all reads from the API server, metricsBudget each query to Prometheus.
	clusterBudget = 10 * time.Second
	metricsBudget = 700 * time.Millisecond
	// shareWindow is the window over which the canary's share is measured.
	shareWindow = 5 * time.Minute
	// shownEntries is the number of ledger entries shown.
	shownEntries = 8
	// stoppedAfter is the age at which an operator's Lease counts as abandoned.
	stoppedAfter = kube.HoldFor
)

// gathering collects what the concurrent reads return.
type gathering struct {
	source   Source
	now      time.Time
	mu       sync.Mutex
	missing  map[string]error
	pods     map[string][]corev1.Pod // by track
	taking   []string
	tracks   map[string]*appsv1.Deployment
	state    *ledger.State
	entries  []ledger.Entry
	record   map[string]string
	guard    *appsv1.Deployment
	leader   string
	renewed  time.Time
	operator string
	alerts   []Alert
	holds    []Hold
	share    *model.Vector
	staged   string
}

// Gather reads the state of the rollout. It always returns a status, which lists the parts that could not be read.
func Gather(ctx context.Context, source Source) *Status {
	ctx, cancel := context.WithTimeoutCause(ctx, clusterBudget, fmt.Errorf("no answer within %v", clusterBudget))
	defer cancel()
	// The name tells which Deployment is the canary's; it may have changed since the last look.
	onTrial, err := source.Rollout.Named(ctx, names.Digest(source.Rollout.Settings.Image))
	source.Rollout = onTrial
	g := &gathering{source: source, now: source.Rollout.Clock.Now(), missing: map[string]error{},
		tracks: map[string]*appsv1.Deployment{}, pods: map[string][]corev1.Pod{}}
	g.miss("release", err)
	s := source.Rollout.Settings
	var reading sync.WaitGroup
	read := func(part string, do func(context.Context) error) {
		reading.Go(func() { g.miss(part, do(ctx)) })
	}
	read("endpoints", g.readEndpoints)
	for track, name := range trackNames(s) {
		read("deployment "+name, func(ctx context.Context) error { return g.deployment(ctx, track, name) })
		read("pods of "+name, func(ctx context.Context) error {
			pods, err := source.Cluster.DeploymentPods(ctx, s.Namespace, name)
			g.mu.Lock()
			defer g.mu.Unlock()
			g.pods[track] = pods
			return err
		})
	}
	read("release record", func(ctx context.Context) (err error) {
		g.record, _, err = source.Cluster.ConfigMap(ctx, s.Namespace, names.Record(s.App))
		return err
	})
	if s.ImageFromStaging() && source.Staging != nil {
		read("staging", func(ctx context.Context) (err error) {
			g.staged, err = source.Staging(ctx)
			return err
		})
	}
	if !s.IsSingle() {
		read("operator", g.readOperator)
		read("alerts", g.readAlerts)
		if s.IsGuarded() {
			read("guard", g.readGuard)
		}
		// The measured share and the soak need the start of the stage.
		reading.Go(func() {
			g.miss("ledger", g.readLedger(ctx))
			reading.Go(func() { g.readHolds(ctx) })
			g.miss("share of the requests", g.readShare(ctx))
		})
	}
	reading.Wait()
	return g.status(ctx)
}

func trackNames(s *settings.Settings) map[string]string {
	deployments := map[string]string{names.Stable: rollout.StableDeployment(s)}
	if !s.IsSingle() {
		deployments[names.Canary] = names.CanaryDeployment(s.App, s.Release)
	}
	return deployments
}

// readEndpoints finds the pods that serve requests: the endpoints of the one Service over both tracks, or of one
// Service per track where a route splits the requests.
func (g *gathering) readEndpoints(ctx context.Context) error {
	s := g.source.Rollout.Settings
	services := []string{s.ServiceName}
	if s.IsGateway() {
		services = []string{names.TrackService(s.ServiceName, names.Stable), names.TrackService(s.ServiceName, names.Canary)}
	}
	for _, service := range services {
		pods, err := g.source.Cluster.Endpoints(ctx, s.Namespace, service)
		if err != nil {
			return err
		}
		g.taking = append(g.taking, pods...)
	}
	return nil
}

// miss records that a part could not be read, if err is not nil.
func (g *gathering) miss(part string, err error) {
	if err == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missing[part] = err
}

func (g *gathering) deployment(ctx context.Context, track, name string) error {
	deployment, exists, err := g.source.Cluster.Deployment(ctx, g.source.Rollout.Settings.Namespace, name)
	if err != nil || !exists {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tracks[track] = deployment
	return nil
}

func (g *gathering) readLedger(ctx context.Context) error {
	history, err := ledger.Read(ctx, g.source.Rollout.Ledger())
	if history == nil {
		return err
	}
	// What is left of a ledger that has lost entries is shown with that.
	state, entries := history.State(), history.Entries()
	g.state, g.entries = &state, entries
	return err
}

// readHolds reads what holds the next upward move back. What it cannot read is a hold.
func (g *gathering) readHolds(ctx context.Context) {
	if g.state == nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, metricsBudget,
		fmt.Errorf("prometheus did not answer within %v", metricsBudget))
	defer cancel()
	next := plan.Move{Kind: plan.Advance, From: g.state.Weight,
		To: g.source.Rollout.Settings.Stages.Next(g.state.Weight)}
	if g.state.Begun != nil {
		next.Kind = plan.Resume
	}
	g.holds = holdsOf(g.source.Rollout.Holds(ctx, *g.state, next, g.state.Image), g.now, g.source.Stack)
}

func (g *gathering) readGuard(ctx context.Context) (err error) {
	s, name := g.source.Rollout.Settings, names.Guard(g.source.Rollout.Settings.App)
	if g.guard, _, err = g.source.Cluster.Deployment(ctx, s.Namespace, name); err != nil {
		return err
	}
	g.leader, g.renewed, err = g.source.Cluster.LeaseHolder(ctx, s.Namespace, name)
	return err
}

func (g *gathering) readOperator(ctx context.Context) error {
	s := g.source.Rollout.Settings
	holder, renewed, err := g.source.Cluster.LeaseHolder(ctx, s.Namespace, names.OperatorLease(s.App))
	if err == nil && g.now.Sub(renewed) < stoppedAfter {
		g.operator = holder
	}
	return err
}

// ask runs one query.
func (g *gathering) ask(ctx context.Context, query string) (model.Vector, error) {
	server, err := g.source.Rollout.Prometheus()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, metricsBudget,
		fmt.Errorf("prometheus did not answer within %v", metricsBudget))
	defer cancel()
	answer, err := server.Ask(ctx, query, g.now)
	if err != nil {
		return nil, err
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("query %s returned a %s instead of a vector", query, answer.Type())
	}
	return vector, nil
}

func (g *gathering) readAlerts(ctx context.Context) error {
	s := g.source.Rollout.Settings
	query, err := promql.Firing(map[string]string{"namespace": s.Namespace, names.App: s.App})
	if err != nil {
		return err
	}
	samples, err := g.ask(ctx, query)
	g.alerts = alertsOf(samples)
	return err
}

// alertsOf are the alerts of a query for those that fire, the gravest first.
func alertsOf(firing model.Vector) []Alert {
	var list []Alert
	for _, sample := range firing {
		alert := Alert{Name: string(sample.Metric["alertname"]), Severity: string(sample.Metric["severity"]),
			Action: string(sample.Metric["action"])}
		if !slices.Contains(list, alert) {
			list = append(list, alert)
		}
	}
	slices.SortFunc(list, func(a, b Alert) int { return strings.Compare(a.Severity+a.Name, b.Severity+b.Name) })
	return list
}

// window is the window over which the share is measured: the time since the stage was reached, at most shareWindow.
func (g *gathering) window() time.Duration {
	if g.state == nil {
		return shareWindow
	}
	return windowOf(*g.state, time.Duration(g.source.Rollout.Settings.Metrics.Interval), g.now)
}

func windowOf(state ledger.State, interval time.Duration, now time.Time) time.Duration {
	if state.SoakSince.IsZero() {
		return shareWindow
	}
	return min(shareWindow, max(now.Sub(state.SoakSince), 4*interval).Round(time.Second))
}

func (g *gathering) readShare(ctx context.Context) error {
	spec := rollout.SoakSpec(g.source.Rollout.Settings)
	query, err := spec.Metrics.Increase(g.window())
	if err != nil {
		return err
	}
	samples, err := g.ask(ctx, query)
	if err == nil {
		g.share = &samples
	}
	return err
}

// passed returns the weight that last passed its gate, from the release record.
func (g *gathering) passed() *int {
	weight, err := strconv.Atoi(g.record["weight"])
	if err != nil {
		return nil
	}
	return &weight
}
