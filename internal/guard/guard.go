package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// Cluster is what a guard needs of the cluster to act; internal/kube's Client implements it.
type Cluster interface {
	rollback.Cluster
	rollback.Router
	rollback.Opener
	soak.Pods
	ledger.ConfigMaps
	notify.Cluster
	// Announce makes an Event about a Deployment. The kind is kube.Normal or kube.Warning.
	Announce(ctx context.Context, namespace, deployment, kind, reason, note string) error
}

// Objects is a copy of the cluster that watches keep fresh; internal/kube's Objects implements it.
type Objects interface {
	// Synced reports whether everything was listed once.
	Synced() bool
	// Pods lists the pods that carry all the labels.
	Pods(labels map[string]string) []*corev1.Pod
	// Deployment gives a Deployment; the second result is false when it does not exist.
	Deployment(namespace, name string) (*appsv1.Deployment, bool)
	// OwnedBy reports whether a ReplicaSet of the Deployment owns the pod.
	OwnedBy(pod *corev1.Pod, deployment string) bool
	// ConfigMaps lists the ConfigMaps whose label has the value.
	ConfigMaps(label, value string) []*corev1.ConfigMap
	// ConfigMapVersion is a ConfigMap's resource version; empty when it does not exist.
	ConfigMapVersion(namespace, name string) string
}

// Options are what a guard needs to run. Leading, Smoke, Token and Key are optional.
type Options struct {
	// Identity distinguishes this guard from others.
	Identity string
	Cluster  Cluster
	// Configurations are the names of the ConfigMaps that this guard goes by; empty for every one with the label. A guard
	// that takes them all is commanded by everybody who may make ConfigMaps.
	Configurations []string
	// Watch starts the watches and calls changed after every change.
	Watch func(ctx context.Context, changed func()) (Objects, error)
	// Lead calls lead while this guard is the leader, and standing with the name of every new leader.
	Lead func(ctx context.Context, lead func(context.Context), standing func(leader string)) error
	// Leading is called when this guard becomes the leader and when it stops being it; nil for no call.
	Leading func(ctx context.Context, leads bool)
	// Reach gives the client and the address for an endpoint of the configuration: that of SourcePrometheus or
	// SourceAlertmanager.
	Reach func(source, endpoint string) (client *http.Client, address string, err error)
	// OwnClient gives the client for an address of the stack's own criteria, by the name of its login; empty for none.
	OwnClient func(login string) (*http.Client, error)
	// Smoke gives the smoke suite of a rollout and its values; nil for no suite.
	Smoke func(Config) (*smoke.Suite, smoke.Values, error)
	// Token gives the webhook's bearer token; nil for no webhook.
	Token func() (string, error)
	// Key gives the key of a webhook that is told of events, by its name in the configuration; nil for a guard that tells
	// none.
	Key func(name string) (string, error)
	// LedgerKey gives the private key by which the guard signs the ledger; nil for a guard without one.
	LedgerKey func() (string, error)
	// Registry registers the guard's metrics.
	Registry prometheus.Registerer
	Logger   *slog.Logger
	Now      func() time.Time
	// DryRun only reports, also where the configurations say otherwise.
	DryRun bool
}

// Guard watches the rollouts of a namespace.
type Guard struct {
	options Options
	metrics *instruments
	// scrape makes the client that reads the pods' pages.
	scrape func(expected *ScrapeTLS) *http.Client

	objects Objects
	changed chan struct{}
	synced  atomic.Bool
	leads   atomic.Bool
	// beat is the time of the loop's last turn, in Unix seconds.
	beat atomic.Int64

	heads heads
	// budget is that of the series of all pods.
	budget *budget

	// background counts the rollbacks that run, and what tells webhooks.
	background sync.WaitGroup

	mu      sync.Mutex
	runners map[string]*runner
	// foreign are the versions of configurations that the guard was not started for, by their names.
	foreign map[string]string
}

// New makes a guard that does nothing before Run.
func New(options Options) *Guard {
	return &Guard{
		options: options, metrics: newInstruments(options.Registry), scrape: newScrapeClient,
		budget: newBudget(mostKept), changed: make(chan struct{}, 1), runners: map[string]*runner{},
		foreign: map[string]string{},
	}
}

// errUnsynced says that the cluster could not be listed.
var errUnsynced = errors.New("the cluster was not listed")

// Run watches until the context ends. Rollbacks that run then are not interrupted: [Guard.Drain] waits for them. It
// returns an error when the cluster cannot be listed or the leader cannot be elected.
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

// who names the guard in the ledger.
func (g *Guard) who() string { return guardPrefix + g.options.Identity }

// guardPrefix marks guards among the writers of the ledger.
const guardPrefix = "guard/"

// notify is called by the watches.
func (g *Guard) notify() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

func (g *Guard) alive() { g.beat.Store(g.options.Now().Unix()) }

// beatUntil keeps a guard healthy that is not the leader.
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

// lead guards the rollouts while this guard is the leader.
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
		// The next leader exports their metrics.
		g.metrics.forget(runner.name())
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

// reconcile starts, stops and wakes the runners so that they match the configurations.
func (g *Guard) reconcile(ctx context.Context, running *sync.WaitGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wanted := map[string]bool{}
	for _, source := range g.objects.ConfigMaps(ConfigLabel, ConfigValue) {
		if !g.goesBy(source) {
			continue
		}
		wanted[source.Name] = true
		before := g.runners[source.Name]
		if before != nil && (before.version == source.ResourceVersion || before.text == source.Data[ConfigKey]) {
			before.version = source.ResourceVersion
			before.wake()
			continue
		}
		config, err := ParseConfig(source.Data[ConfigKey])
		if err == nil && config.Spec.Namespace != source.Namespace {
			err = fmt.Errorf("spec.namespace is %s, but the ConfigMap is in %s: only the rollouts of its own namespace are "+
				"guarded", config.Spec.Namespace, source.Namespace)
		}
		if err != nil {
			// The rollout stays guarded by its last valid configuration.
			g.metrics.errors.WithLabelValues(source.Name, SourceConfig).Inc()
			g.options.Logger.Error("cannot use the configuration", "configmap", source.Name, "error", err)
			if before != nil {
				before.version = source.ResourceVersion
			}
			continue
		}
		if before != nil {
			before.stop()
		}
		g.start(ctx, running, source, config, before)
	}
	for name, runner := range g.runners {
		if !wanted[name] {
			runner.stop()
			g.metrics.forget(runner.name())
			delete(g.runners, name)
		}
	}
	g.metrics.rollouts.Set(float64(len(g.runners)))
}

// goesBy reports whether the guard was started for a configuration. Each version of another one is reported once.
func (g *Guard) goesBy(source *corev1.ConfigMap) bool {
	if g.isStartedFor(source.Name) {
		return true
	}
	if g.foreign[source.Name] != source.ResourceVersion {
		g.foreign[source.Name] = source.ResourceVersion
		g.metrics.errors.WithLabelValues(source.Name, SourceConfig).Inc()
		g.options.Logger.Warn("ignores a configuration that it was not started for", "configmap", source.Name, "startedFor",
			g.options.Configurations)
	}
	return false
}

func (g *Guard) isStartedFor(configuration string) bool {
	return len(g.options.Configurations) == 0 || slices.Contains(g.options.Configurations, configuration)
}

func (g *Guard) start(ctx context.Context, running *sync.WaitGroup, source *corev1.ConfigMap, config Config,
	before *runner) {
	config.DryRun = config.DryRun || g.options.DryRun
	runner, err := newRunner(g, source, config)
	if err != nil {
		g.metrics.errors.WithLabelValues(source.Name, SourceConfig).Inc()
		g.options.Logger.Error("cannot use the configuration", "configmap", source.Name, "error", err)
		return
	}
	if before != nil {
		runner.before = before.quiet
	}
	ctx, runner.stop = context.WithCancel(ctx)
	g.runners[source.Name] = runner
	running.Go(func() {
		if before != nil {
			<-before.done
		}
		defer close(runner.done)
		runner.run(ctx)
	})
}
