package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Cluster is what a guard does in the cluster; internal/kube's Client.
type Cluster interface {
	rollback.Cluster
	rollback.Router
	rollback.Opener
	soak.Pods
	ledger.ConfigMaps
	// Announce makes an Event about a Deployment.
	Announce(ctx context.Context, namespace, deployment, kind, reason, note string) error
}

// Objects is what a guard has at hand of the cluster; internal/kube's Objects.
type Objects interface {
	Synced() bool
	Pods(labels map[string]string) []*corev1.Pod
	Deployment(namespace, name string) (*appsv1.Deployment, bool)
	OwnedBy(pod *corev1.Pod, deployment string) bool
	ConfigMaps(label, value string) []*corev1.ConfigMap
	ConfigMapVersion(namespace, name string) string
}

// Options are what a guard works with.
type Options struct {
	// Identity names this guard among others.
	Identity string
	Cluster  Cluster
	// Watch begins to watch the cluster; changed is called after every change.
	Watch func(ctx context.Context, changed func()) (Objects, error)
	// Lead calls lead while this guard is the one that acts.
	Lead func(ctx context.Context, lead func(context.Context), standing func(leader string)) error
	// Leading is called when this guard begins or ends to be the one that acts; nil for nothing.
	Leading func(ctx context.Context, leads bool)
	// Reach gives the client and the address for a server by its endpoint as the configuration has it.
	Reach func(endpoint string) (client *http.Client, address string, err error)
	// Smoke gives the smoke suite of a rollout and its values; nil for none.
	Smoke func(Config) (*smoke.Suite, smoke.Values, error)
	// Token gives the bearer token of the webhook; nil for no webhook.
	Token func() (string, error)
	// Registry takes the guard's metrics.
	Registry prometheus.Registerer
	Logger   *slog.Logger
	Now      func() time.Time
	// DryRun only reports, whatever the configurations say.
	DryRun bool
}

// Guard watches the rollouts of a namespace.
type Guard struct {
	options Options
	metrics *instruments
	scrape  *http.Client
	objects Objects
	changed chan struct{}
	synced  atomic.Bool
	leads   atomic.Bool
	// beat is when the loop last went round, in Unix seconds.
	beat atomic.Int64

	// background are the rollbacks that run.
	background sync.WaitGroup

	mu      sync.Mutex
	runners map[string]*runner
}

// New makes a guard. It does nothing before Run.
func New(options Options) *Guard {
	return &Guard{
		options: options, metrics: newInstruments(options.Registry), scrape: newScrapeClient(),
		changed: make(chan struct{}, 1), runners: map[string]*runner{},
	}
}

// errUnsynced says that the cluster could not be listed.
var errUnsynced = errors.New("the cluster was not listed")

// Run watches until the context ends. Rollbacks that have begun are carried on for some seconds after that.
func (g *Guard) Run(ctx context.Context) error {
	objects, err := g.options.Watch(ctx, g.notify)
	if err != nil {
		return err
	}
	g.objects = objects
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for !objects.Synced() {
		g.alive()
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errUnsynced, context.Cause(ctx))
		case <-ticker.C:
		}
	}
	g.synced.Store(true)
	go g.beatUntil(ctx)
	return g.options.Lead(ctx, g.lead, func(leader string) { g.options.Logger.Info("leader", "name", leader) })
}

// notify is called by the watches.
func (g *Guard) notify() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

func (g *Guard) alive() { g.beat.Store(g.options.Now().Unix()) }

// beatUntil keeps a guard that stands by alive.
func (g *Guard) beatUntil(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if !g.leads.Load() {
			g.alive()
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// lead watches the rollouts while this guard is the one that acts.
func (g *Guard) lead(ctx context.Context) {
	g.stand(ctx, true)
	defer g.stand(context.WithoutCancel(ctx), false)
	var running sync.WaitGroup
	defer running.Wait()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for ctx.Err() == nil {
		g.alive()
		g.reconcile(ctx, &running)
		select {
		case <-ctx.Done():
		case <-g.changed:
		case <-ticker.C:
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, runner := range g.runners {
		runner.stop()
		// Whoever acts next tells of them.
		g.metrics.forget(runner.name)
		delete(g.runners, name)
	}
	g.metrics.rollouts.Set(0)
}

func (g *Guard) stand(ctx context.Context, leads bool) {
	g.leads.Store(leads)
	g.metrics.leader.Set(flag(leads))
	if g.options.Leading != nil {
		g.options.Leading(ctx, leads)
	}
}

// reconcile starts, ends and wakes the runners by the configurations that there are.
func (g *Guard) reconcile(ctx context.Context, running *sync.WaitGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wanted := map[string]bool{}
	for _, found := range g.objects.ConfigMaps(ConfigLabel, ConfigValue) {
		wanted[found.Name] = true
		before := g.runners[found.Name]
		if before != nil && (before.version == found.ResourceVersion || before.text == found.Data[ConfigKey]) {
			before.version = found.ResourceVersion
			before.wake()
			continue
		}
		config, err := ParseConfig(found.Data[ConfigKey])
		if err == nil && config.Spec.Namespace != found.Namespace {
			err = fmt.Errorf("it is about namespace %s and lies in %s", config.Spec.Namespace, found.Namespace)
		}
		if err != nil {
			// What was guarded before goes on as it was.
			g.metrics.errors.WithLabelValues(found.Name, SourceConfig).Inc()
			g.options.Logger.Error("the configuration is not used", "configmap", found.Name, "error", err)
			if before != nil {
				before.version = found.ResourceVersion
			}
			continue
		}
		if before != nil {
			before.stop()
		}
		g.start(ctx, running, found, config, before)
	}
	for name, runner := range g.runners {
		if !wanted[name] {
			runner.stop()
			g.metrics.forget(runner.name)
			delete(g.runners, name)
		}
	}
	g.metrics.rollouts.Set(float64(len(g.runners)))
}

func (g *Guard) start(ctx context.Context, running *sync.WaitGroup, found *corev1.ConfigMap, config Config,
	before *runner) {
	config.DryRun = config.DryRun || g.options.DryRun
	runner, err := newRunner(g, found, config)
	if err != nil {
		g.metrics.errors.WithLabelValues(found.Name, SourceConfig).Inc()
		g.options.Logger.Error("the configuration is not used", "configmap", found.Name, "error", err)
		return
	}
	ctx, runner.stop = context.WithCancel(ctx)
	g.runners[found.Name] = runner
	running.Go(func() {
		if before != nil {
			<-before.done
		}
		defer close(runner.done)
		runner.run(ctx)
	})
}
