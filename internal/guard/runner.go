package guard

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/quarantine"
	"github.com/vextrus/finance-rollout/internal/signature"
)

const (
	// impostorFor is how long a pod must be seen without its ReplicaSet before it counts as an impostor: the watches of
	// both are not in step.
	impostorFor = 3 * time.Second
	// retryAfterFailure is the time between two tries of a rollback.
	retryAfterFailure = 5 * time.Second
	// rereadLedger is the longest time between two readings of the ledger.
	rereadLedger = 15 * time.Second
)

// runner guards one rollout. The view holds what is seen, the record what the ledger says, and the actions what is
// done; the runner's methods lead from the first two to the third. All three belong to the loop: work that runs
// beside it hands its result back as a function.
type runner struct {
	guard  *Guard
	config Config
	// version and text are those of the ConfigMap that the configuration was read from.
	version, text string
	counted       *Names
	// scrape reads the pods' pages.
	scrape *http.Client
	log    *slog.Logger

	loop
	results chan scraped
	// courier tells the webhooks; nil where there are none. Quiet is closed when it has ended, before is that of the
	// runner before this one; nil for none.
	courier       *notify.Courier
	quiet, before chan struct{}

	view      view
	record    record
	actions   actions
	isolation isolation
	stray     stray
}

// loop runs functions one after the other.
type loop struct {
	stop  context.CancelFunc
	done  chan struct{}
	kick  chan struct{}
	apply chan func(context.Context)
}

func newLoop() loop {
	return loop{
		done: make(chan struct{}), kick: make(chan struct{}, 1), apply: make(chan func(context.Context), 16),
	}
}

// wake makes the runner look at its pods.
func (l *loop) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// post hands a function to the loop and drops it after the loop's end.
func (l *loop) post(do func(context.Context)) {
	select {
	case l.apply <- do:
	case <-l.done:
	}
}

func newRunner(g *Guard, source *corev1.ConfigMap, config Config) (*runner, error) {
	counted, err := NewNames(config.Spec.Metrics, config.Selector, time.Duration(config.Latency))
	if err != nil {
		return nil, err
	}
	r := &runner{
		guard: g, config: config, version: source.ResourceVersion, text: source.Data[ConfigKey], counted: counted,
		scrape: g.scrape(config.TLS),
		log:    g.options.Logger.With("rollout", config.Spec.App, "release", config.Release),
		loop:   newLoop(), results: make(chan scraped, 64), view: newView(config), actions: newActions(),
		isolation: isolation{policy: quarantine.DefaultPolicy()},
		quiet:     make(chan struct{}),
	}
	r.courier = r.newCourier()
	return r, nil
}

// name is the rollout's in metrics.
func (r *runner) name() string { return r.config.Spec.App }

func (r *runner) now() time.Time { return r.guard.options.Now() }

func (r *runner) store() ledger.Store { return r.guard.store(r.config) }

// store keeps the ledger of a rollout.
func (g *Guard) store(config Config) ledger.Store {
	return ledger.InConfigMap{Cluster: g.options.Cluster, Namespace: config.Spec.Namespace, Name: config.Ledger,
		Record: names.Record(config.Spec.App), Signature: g.signing(config)}
}

// signing is how the ledger is signed, with the guard's own key.
func (g *Guard) signing(config Config) ledger.Signing {
	// What is no key was refused with the configuration.
	trusted, _ := signature.ParsePublics(config.LedgerKeys)
	signing := ledger.Signing{Trusted: trusted}
	if g.options.LedgerKey != nil {
		signing.Key = func(context.Context) (ed25519.PrivateKey, error) {
			text, err := g.options.LedgerKey()
			if err != nil {
				return nil, err
			}
			return signature.ParsePrivate(text)
		}
	}
	return signing
}

func (r *runner) run(ctx context.Context) {
	r.log.Info("watching", "dryRun", r.config.DryRun, "interval", r.config.Interval.String())
	r.guard.metrics.dryRun.WithLabelValues(r.name()).Set(flag(r.config.DryRun))
	if r.config.DryRun {
		r.announce(ctx, kube.Warning, names.GuardDisarmed, "the guard only reports: it takes no bad canary out of traffic, "+
			"and nothing advances")
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	r.view.sight.restart(r.now())
	go r.askPrometheus(ctx)
	r.deliver(ctx)
	r.refresh(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
			r.refresh(ctx)
		case result := <-r.results:
			r.receive(ctx, result)
		case do := <-r.apply:
			do(ctx)
		case <-ticker.C:
			r.refresh(ctx)
			r.tendQuarantine(ctx)
			r.reportSight(ctx)
			r.compareConfiguration(ctx)
			r.checkpoint(ctx)
			r.concludeWatch(ctx)
		}
	}
}

// refresh acts on what the API server and the ledger say now.
func (r *runner) refresh(ctx context.Context) {
	r.view.update(r.guard.objects, r.config, r.now())
	r.readLedger(ctx)
	if r.view.follow(r.config, r.record.weight(), r.now()) {
		r.log.InfoContext(ctx, "the evidence begins", "subject", r.view.subject.String())
	}
	r.aim(ctx)
	r.view.noteUnwatched(r.guard.objects.Pods(r.config.canaryLabels()), r.now())
	r.view.listed = true
	r.judgePods(ctx)
	r.keepOut(ctx)
}

// unreadable reports a ledger that is not to be relied on. Entries read before still count: a latch that was cut off
// still keeps its image out. A guard that has read none goes by what is left.
func (r *runner) unreadable(ctx context.Context, left *ledger.Ledger, err error) {
	cut := errors.Is(err, ledger.ErrCut)
	r.guard.metrics.ledgerCut.WithLabelValues(r.name()).Set(flag(cut))
	if cut && r.actions.isNews(names.LedgerCut, r.now()) {
		r.announce(ctx, kube.Warning, names.LedgerCut, err.Error())
	}
	r.failed(ctx, SourceLedger, err)
	if cut && r.record.state == nil && left != nil {
		state := left.State()
		r.record.state = &state
		r.refresh(ctx)
	}
}

// readLedger keeps the record fresh.
func (r *runner) readLedger(ctx context.Context) {
	version := r.guard.objects.ConfigMapVersion(r.config.Spec.Namespace, r.config.Ledger)
	if !r.record.startReading(version, r.now()) {
		return
	}
	go func() {
		history, err := ledger.Read(ctx, r.store())
		if err == nil {
			r.courier.Follow(history)
		}
		r.post(func(ctx context.Context) {
			r.record.reading = false
			if err == nil {
				err = r.guard.heads.follow(r.config.Spec.Namespace+"/"+r.config.Ledger, history)
			}
			if err != nil {
				r.unreadable(ctx, history, err)
				return
			}
			r.recovered(ctx, SourceLedger)
			r.guard.metrics.ledgerCut.WithLabelValues(r.name()).Set(0)
			state := history.State()
			r.record.state = &state
			if rolledBack, open := unwatched(history); open {
				r.watchOver(ctx, rolledBack)
			}
			r.guard.metrics.weight.WithLabelValues(r.name()).Set(float64(state.Weight))
			r.guard.metrics.latched.WithLabelValues(r.name()).Set(flag(r.record.isLatched(r.view.image(), r.view.identity())))
			r.refresh(ctx)
		})
	}()
}
