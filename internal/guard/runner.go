package guard

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

const (
	// confirmFor is how long stable's newest counts are waited for before a canary is blamed.
	confirmFor = 400 * time.Millisecond
	// readinessFor is how long a lost readiness is watched before it rolls back: stable's probes may fail a moment later.
	readinessFor = time.Second
	// impostorFor is how long a pod is seen without its ReplicaSet before it is called an impostor: the watches of both
	// are not in step.
	impostorFor = 3 * time.Second
	// retryAfterFailure is the distance between two tries of a rollback.
	retryAfterFailure = 5 * time.Second
	// rereadLedger is how often the ledger is read at least.
	rereadLedger = 15 * time.Second
	// blindAfter is how long nothing is seen of a canary before the guard calls itself blind.
	blindAfter = 30 * time.Second
)

// runner watches one rollout. All of its state is the loop's alone; what happens elsewhere comes to the loop as a
// function.
type runner struct {
	guard   *Guard
	config  Config
	name    string
	version string
	text    string
	names   *Names
	log     *slog.Logger
	stop    context.CancelFunc
	done    chan struct{}
	kick    chan struct{}
	results chan scraped
	apply   chan func(context.Context)

	targets  map[string]*target
	began    bool
	wasReady map[string]bool
	// pods that appeared while the rollout was watched, until they are scraped or could have been
	young     map[string]bool
	pods      Pods
	impostors map[string]time.Time // since when each is seen as one
	subject   string               // whose evidence the tracker holds: image and weight
	tracker   *tracker
	confirm   *confirmation

	state         *ledger.State
	ledgerVersion string
	ledgerRead    time.Time
	reading       bool

	looking   bool
	looked    time.Time
	aftercare *aftercare

	rolling   bool
	tried     time.Time
	reported  map[string]time.Time
	unreadyAt time.Time
	latchSeen time.Time
	lastSight time.Time
	blind     bool
}

func newRunner(g *Guard, found *corev1.ConfigMap, config Config) (*runner, error) {
	names, err := NewNames(config.Spec.Metrics, config.Selector, time.Duration(config.Latency))
	if err != nil {
		return nil, err
	}
	return &runner{
		guard: g, config: config, name: config.Spec.App, version: found.ResourceVersion, text: found.Data[ConfigKey],
		names: names,
		log:   g.options.Logger.With("rollout", config.Spec.App, "release", config.Release),
		done:  make(chan struct{}), kick: make(chan struct{}, 1), results: make(chan scraped, 64),
		apply:   make(chan func(context.Context), 16),
		targets: map[string]*target{}, wasReady: map[string]bool{}, young: map[string]bool{},
		reported: map[string]time.Time{},
	}, nil
}

// wake makes the runner look at its pods.
func (r *runner) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// post hands a function to the loop; after the loop's end it is dropped.
func (r *runner) post(do func(context.Context)) {
	select {
	case r.apply <- do:
	case <-r.done:
	}
}

func (r *runner) now() time.Time { return r.guard.options.Now() }

func (r *runner) run(ctx context.Context) {
	r.log.Info("watching", "dryRun", r.config.DryRun, "interval", r.config.Interval.String())
	r.guard.metrics.dryRun.WithLabelValues(r.name).Set(flag(r.config.DryRun))
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	r.lastSight = r.now()
	go r.askAlerts(ctx)
	r.refresh(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
			r.refresh(ctx)
		case result := <-r.results:
			r.take(ctx, result)
		case do := <-r.apply:
			do(ctx)
		case <-ticker.C:
			r.refresh(ctx)
			r.sight(ctx)
			r.checkpoint(ctx)
			r.concludeWatch(ctx)
		}
	}
}

// refresh looks at what the API server says.
func (r *runner) refresh(ctx context.Context) {
	r.gather()
	r.readLedger(ctx)
	r.begin(ctx)
	r.aim(ctx)
	r.began = true
	r.judgePods(ctx)
	r.keepOut(ctx)
}

// gather sorts the pods by whose they are.
func (r *runner) gather() {
	objects, app := r.guard.objects, r.config.Spec.App
	deployment, exists := objects.Deployment(r.config.Spec.Namespace, r.config.canaryDeployment())
	if !exists {
		deployment = nil
	}
	r.pods = Pods{Deployment: deployment, WasReady: r.wasReady}
	impostors := map[string]time.Time{}
	for _, pod := range objects.Pods(r.config.canaryLabels()) {
		switch {
		case objects.OwnedBy(pod, r.config.canaryDeployment()):
			r.pods.Canary = append(r.pods.Canary, pod)
		case pod.Labels[names.Version] == r.config.Release:
			since, seen := r.impostors[pod.Name]
			if !seen {
				since = r.now()
			}
			impostors[pod.Name] = since
		}
	}
	r.impostors = impostors
	for _, pod := range objects.Pods(map[string]string{names.App: app, names.Track: names.Stable}) {
		if objects.OwnedBy(pod, r.config.stableDeployment()) {
			r.pods.Stable = append(r.pods.Stable, pod)
		}
	}
	known := map[string]bool{}
	for _, pods := range [][]*corev1.Pod{r.pods.Canary, r.pods.Stable} {
		for _, pod := range pods {
			uid := string(pod.UID)
			known[uid] = true
			if _, met := r.wasReady[uid]; !met && r.began {
				r.young[uid] = true
			}
			r.wasReady[uid] = r.wasReady[uid] || podstate.IsReady(pod) || becameUnready(pod)
		}
	}
	gone := func(uid string, _ bool) bool { return !known[uid] }
	maps.DeleteFunc(r.wasReady, gone)
	maps.DeleteFunc(r.young, gone)
}

// imageOf is the digest of a Deployment's image; empty when it has none.
func imageOf(deployment *appsv1.Deployment) string {
	if deployment == nil || len(deployment.Spec.Template.Spec.Containers) == 0 {
		return ""
	}
	return digestOf(deployment.Spec.Template.Spec.Containers[0].Image)
}

// inTraffic are the canary's pods that get requests, or would if they were ready.
func (r *runner) inTraffic() []*corev1.Pod {
	var list []*corev1.Pod
	for _, pod := range r.pods.Canary {
		if pod.Labels[names.Traffic] == names.Enabled && pod.DeletionTimestamp == nil {
			list = append(list, pod)
		}
	}
	return list
}

// begin starts the evidence anew when the canary's image or weight is another one.
func (r *runner) begin(ctx context.Context) {
	if len(r.inTraffic()) == 0 {
		r.tracker, r.subject, r.confirm, r.lastSight = nil, "", nil, r.now()
		return
	}
	weight := -1
	if r.state != nil {
		weight = r.state.Weight
		if r.state.Begun != nil {
			weight = r.state.Begun.To
		}
	}
	subject := fmt.Sprintf("%s at %d %%", imageOf(r.pods.Deployment), weight)
	if r.tracker != nil && subject == r.subject {
		return
	}
	// The first reading of the ledger tells the weight that the canary had all along.
	if r.tracker == nil || !strings.HasSuffix(r.subject, " at -1 %") {
		r.log.InfoContext(ctx, "the evidence begins", "subject", subject)
		r.tracker = newTracker(r.config.errorRate(), r.config.latency(), r.now())
		r.confirm = nil
	}
	r.subject = subject
}

// readLedger keeps the state by the ledger fresh.
func (r *runner) readLedger(ctx context.Context) {
	version := r.guard.objects.ConfigMapVersion(r.config.Spec.Namespace, r.config.Ledger)
	if r.reading || version == r.ledgerVersion && r.now().Sub(r.ledgerRead) < rereadLedger {
		return
	}
	r.reading, r.ledgerVersion, r.ledgerRead = true, version, r.now()
	go func() {
		history, err := ledger.Read(ctx, r.store())
		r.post(func(ctx context.Context) {
			r.reading = false
			if err != nil {
				r.failed(ctx, SourceLedger, err)
				return
			}
			r.recovered(ctx, SourceLedger)
			state := history.State()
			r.state = &state
			if rolledBack, open := unwatched(history); open {
				r.watchOver(ctx, rolledBack)
			}
			_, latched := state.Latch(imageOf(r.pods.Deployment))
			r.guard.metrics.weight.WithLabelValues(r.name).Set(float64(state.Weight))
			r.guard.metrics.latched.WithLabelValues(r.name).Set(flag(latched))
			r.refresh(ctx)
		})
	}()
}

// unwatched is the last rollback after which the watch over stable was not concluded.
func unwatched(history *ledger.Ledger) (ledger.Entry, bool) {
	for _, entry := range slices.Backward(history.Entries()) {
		switch entry.Kind {
		case ledger.Watched:
			return ledger.Entry{}, false
		case ledger.RolledBack:
			return entry, true
		}
	}
	return ledger.Entry{}, false
}

func (r *runner) store() ledger.Store {
	return ledger.InConfigMap{Cluster: r.guard.options.Cluster, Namespace: r.config.Spec.Namespace, Name: r.config.Ledger}
}
