package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/podlabel"
)

const (
	// confirmFor is how long stable's newest counts are waited for before a canary is blamed.
	confirmFor = 400 * time.Millisecond
	// readinessFor is how long a lost readiness is watched before it rolls back: stable's probes may fail a moment later.
	readinessFor = time.Second
	// retryAfterFailure is the distance between two tries of a rollback.
	retryAfterFailure = 5 * time.Second
	// rereadLedger is how often the ledger is read at least.
	rereadLedger = 15 * time.Second
	// blindAfter is how long nothing is seen of a canary before the guard calls itself blind.
	blindAfter = 30 * time.Second
)

// runner watches one rollout. All of its state is the loop's alone; what happens elsewhere comes to the loop as a function.
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

	targets   map[string]*target
	began     bool
	wasReady  map[string]bool
	pods      Pods
	impostors []string
	subject   string // whose evidence the tracker holds: image and weight
	tracker   *tracker
	confirm   *confirmation

	state         *ledger.State
	ledgerVersion string
	ledgerRead    time.Time
	reading       bool

	looking   bool
	looked    time.Time
	aftermath *aftermath

	rolling   bool
	tried     time.Time
	reported  map[string]time.Time
	unreadyAt time.Time
	latchSeen time.Time
	lastSight time.Time
	blind     bool
}

// confirmation waits for stable's counts up to now.
type confirmation struct {
	waiting map[string]bool
}

func newRunner(g *Guard, found *corev1.ConfigMap, config Config) (*runner, error) {
	names, err := NewNames(config.Spec.Metrics, config.Selector, time.Duration(config.Latency))
	if err != nil {
		return nil, err
	}
	return &runner{
		guard: g, config: config, name: config.Spec.App, version: found.ResourceVersion, text: found.Data[ConfigKey], names: names,
		log:  g.options.Logger.With("rollout", config.Spec.App, "release", config.Release),
		done: make(chan struct{}), kick: make(chan struct{}, 1), results: make(chan scraped, 64), apply: make(chan func(context.Context), 16),
		targets: map[string]*target{}, wasReady: map[string]bool{}, reported: map[string]time.Time{},
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
	r.impostors = nil
	for _, pod := range objects.Pods(r.config.canaryLabels()) {
		switch {
		case objects.OwnedBy(pod, r.config.canaryDeployment()):
			r.pods.Canary = append(r.pods.Canary, pod)
		case pod.Labels[podlabel.Version] == r.config.Release:
			r.impostors = append(r.impostors, pod.Name)
		}
	}
	for _, pod := range objects.Pods(map[string]string{podlabel.App: app, podlabel.Track: podlabel.Stable}) {
		if objects.OwnedBy(pod, r.config.stableDeployment()) {
			r.pods.Stable = append(r.pods.Stable, pod)
		}
	}
	known := map[string]bool{}
	for _, pods := range [][]*corev1.Pod{r.pods.Canary, r.pods.Stable} {
		for _, pod := range pods {
			uid := string(pod.UID)
			known[uid] = true
			r.wasReady[uid] = r.wasReady[uid] || isReady(pod) || becameUnready(pod)
		}
	}
	for uid := range r.wasReady {
		if !known[uid] {
			delete(r.wasReady, uid)
		}
	}
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
		if pod.Labels[podlabel.Traffic] == podlabel.Enabled && pod.DeletionTimestamp == nil {
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

// judgePods acts on what the pods' states say.
func (r *runner) judgePods(ctx context.Context) {
	for _, name := range r.impostors {
		r.consider(ctx, Finding{Action: Review, Cause: CauseImpostor, Subject: name,
			Reason: fmt.Sprintf("pod %s has the canary's labels and belongs to no ReplicaSet of %s; it is not counted", name, r.config.canaryDeployment())})
	}
	unready := false
	for _, finding := range r.pods.Findings() {
		if finding.Cause == CauseReadiness && finding.Action == RollBack {
			unready = true
			if r.unreadyAt.IsZero() {
				r.unreadyAt = r.now()
				time.AfterFunc(readinessFor, r.wake)
			}
			if r.now().Sub(r.unreadyAt) < readinessFor {
				continue
			}
		}
		r.consider(ctx, finding)
	}
	if !unready {
		r.unreadyAt = time.Time{}
	}
}

// keepOut finishes what was begun, and keeps out what is latched: somebody may have scaled the canary up by hand.
func (r *runner) keepOut(ctx context.Context) {
	if r.state == nil {
		return
	}
	image := imageOf(r.pods.Deployment)
	latch, latched := r.state.Latch(image)
	present := r.pods.Deployment != nil && r.pods.Deployment.Spec.Replicas != nil && *r.pods.Deployment.Spec.Replicas > 0
	begun := r.state.Unfinished
	if !(latched && present) && begun == nil {
		r.latchSeen = time.Time{}
		return
	}
	if r.latchSeen.IsZero() {
		r.latchSeen = r.now()
	}
	if wait := r.patience(begun) - r.now().Sub(r.latchSeen); wait > 0 {
		time.AfterFunc(wait, r.wake)
		return
	}
	switch {
	case begun != nil && begun.Image != image:
		r.closeBook(ctx, *begun)
	case begun != nil:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseLatched, Subject: image, Reason: begun.Reason})
	default:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseLatched, Subject: image,
			Reason: fmt.Sprintf("the image is latched by entry %d: %s", latch.Seq, latch.Reason)})
	}
}

// patience is how long somebody else's rollback is left to him. A guard that began one and does not act any more is dead or cut off.
func (r *runner) patience(begun *ledger.Entry) time.Duration {
	switch {
	case begun == nil:
		return time.Second // the watches may lag behind a rollback that is just over
	case strings.HasPrefix(begun.Who, "guard/"):
		return 0
	case len(r.inTraffic()) > 0:
		return 3 * time.Second
	default:
		return 45 * time.Second
	}
}

// consider acts on a finding.
func (r *runner) consider(ctx context.Context, finding Finding) {
	if finding.Action == RollBack {
		r.rollBack(ctx, finding)
		return
	}
	r.report(ctx, finding)
}

// report tells of a finding once an hour.
func (r *runner) report(ctx context.Context, finding Finding) {
	key := finding.Cause + "/" + finding.Subject
	if at, told := r.reported[key]; told && r.now().Sub(at) < time.Hour {
		return
	}
	if len(r.reported) > 1000 {
		clear(r.reported)
	}
	r.reported[key] = r.now()
	r.guard.metrics.findings.WithLabelValues(r.name, finding.Cause, string(finding.Action)).Inc()
	r.log.WarnContext(ctx, "for review", "cause", finding.Cause, "reason", finding.Reason)
	r.announce(ctx, kube.Warning, "CanaryNeedsReview", finding.Reason)
}

// announce makes an Event, without waiting for it.
func (r *runner) announce(ctx context.Context, kind, reason, note string) {
	namespace, deployment := r.config.Spec.Namespace, r.config.canaryDeployment()
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := r.guard.options.Cluster.Announce(ctx, namespace, deployment, kind, reason, note); err != nil {
			r.guard.metrics.errors.WithLabelValues(r.name, SourceAPI).Inc()
			r.log.WarnContext(ctx, "no event was made", "error", err)
		}
	}()
}

// failed notes that a source could not be seen; it is logged when it begins.
func (r *runner) failed(ctx context.Context, source string, err error) {
	r.guard.metrics.errors.WithLabelValues(r.name, source).Inc()
	if _, told := r.reported["source/"+source]; !told && !errors.Is(err, context.Canceled) {
		r.reported["source/"+source] = r.now()
		r.log.WarnContext(ctx, "cannot look", "source", source, "error", err)
	}
}

func (r *runner) recovered(ctx context.Context, source string) {
	r.guard.metrics.seen(r.name, source, r.now())
	if _, told := r.reported["source/"+source]; told {
		delete(r.reported, "source/"+source)
		r.log.InfoContext(ctx, "can look again", "source", source)
	}
}

// sight tells of a guard that sees nothing of a canary in traffic. It rolls nothing back for that.
func (r *runner) sight(ctx context.Context) {
	blind := r.tracker != nil && r.now().Sub(r.lastSight) > blindAfter
	if blind == r.blind {
		return
	}
	r.blind = blind
	r.guard.metrics.blind.WithLabelValues(r.name).Set(flag(blind))
	if blind {
		r.log.ErrorContext(ctx, "blind: nothing is seen of the canary; it stays as it is", "since", r.lastSight)
		r.announce(ctx, kube.Warning, "GuardBlind", "the guard sees nothing of the canary, neither its pods' metrics nor Prometheus; it stays as it is")
		return
	}
	r.log.InfoContext(ctx, "the canary is seen again")
	r.announce(ctx, kube.Normal, "GuardSees", "the guard sees the canary again")
}

// take takes a scrape.
func (r *runner) take(ctx context.Context, result scraped) {
	target := result.target
	r.guard.metrics.interval.WithLabelValues(r.name, target.track).Set(result.interval.Seconds())
	if result.err != nil {
		r.notScraped(ctx, target, result.err)
	} else {
		r.lastSight = result.at
		r.recovered(ctx, SourceTargets)
	}
	if r.aftermath != nil && target.track == podlabel.Stable {
		r.aftermath.count(result.at, result.rise)
	}
	if r.tracker == nil {
		return
	}
	if target.track == podlabel.Stable {
		r.tracker.stable(result.at, result.rise)
		r.confirmed(ctx, target)
		return
	}
	if result.err != nil {
		return
	}
	if err := r.tracker.canary(result.at, result.rise); err != nil {
		r.failed(ctx, SourceTargets, err)
		return
	}
	r.look(ctx)
	if r.tracker.warm() && result.interval <= time.Duration(r.config.Interval) {
		time.AfterFunc(time.Duration(r.config.Interval)/5, target.wake)
	}
}

func (r *runner) notScraped(ctx context.Context, target *target, err error) {
	r.failed(ctx, SourceTargets, fmt.Errorf("pod %s: %w", target.pod, err))
	if limited, ok := errors.AsType[*limitedError](err); ok {
		r.report(ctx, Finding{Action: Review, Cause: CauseLimited, Subject: target.track,
			Reason: fmt.Sprintf("the fast path is slower: pod %s %s", target.pod, strings.TrimPrefix(limited.Error(), "the pod "))})
	}
}

// look judges the counts. A canary that seems bad is blamed only after stable's counts up to now are known.
func (r *runner) look(ctx context.Context) {
	now := r.now()
	found := r.tracker.look(now)
	canary, stable := r.tracker.errors.Total()
	r.guard.metrics.look(r.name, found, canary, stable)
	if found.Shared {
		r.report(ctx, Finding{Action: Review, Cause: CauseShared, Subject: "errors", Reason: found.Reason})
	}
	if slow := r.tracker.slowness(); slow.Verdict == gate.Fail {
		r.report(ctx, Finding{Action: Review, Cause: CauseLatency, Subject: r.subject, Reason: slow.Reason})
	}
	if found.Verdict != gate.Fail || r.confirm != nil {
		return
	}
	r.confirm = &confirmation{waiting: map[string]bool{}}
	for uid, target := range r.targets {
		if target.track == podlabel.Stable && !target.isSlow() {
			r.confirm.waiting[uid] = true
			target.wake()
		}
	}
	asked := r.confirm
	time.AfterFunc(confirmFor, func() {
		r.post(func(ctx context.Context) {
			if r.confirm == asked {
				r.conclude(ctx)
			}
		})
	})
	r.confirmed(ctx, nil)
}

// confirmed notes that stable's counts came in.
func (r *runner) confirmed(ctx context.Context, target *target) {
	if r.confirm == nil {
		return
	}
	if target != nil {
		delete(r.confirm.waiting, target.uid)
	}
	if len(r.confirm.waiting) == 0 {
		r.conclude(ctx)
	}
}

func (r *runner) conclude(ctx context.Context) {
	r.confirm = nil
	if r.tracker == nil {
		return
	}
	now := r.now()
	if err := r.tracker.canary(now, Rise{}); err != nil {
		r.failed(ctx, SourceTargets, err)
		return
	}
	found := r.tracker.look(now)
	switch {
	case found.Shared:
		r.report(ctx, Finding{Action: Review, Cause: CauseShared, Subject: "errors", Reason: found.Reason})
	case found.Verdict == gate.Fail:
		r.rollBack(ctx, Finding{Action: RollBack, Cause: CauseErrors, Subject: r.subject, Reason: found.Reason})
	}
}
