package guard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/smoke"
	"github.com/vextrus/finance-rollout/internal/soak"
)

// aftercare is the watch over the stable track after a rollback.
type aftercare struct {
	image, release string
	watch          rollback.Watch
	// all are stable's requests since the rollback, judged and slow those of the part that the verdict rests on.
	all, judged, slow gate.Counts
}

const (
	// noticeLeast is how long the alert about a rollback fires at least, so that no route misses it.
	noticeLeast = 5 * time.Minute
	// smokeLimit bounds the smoke suite against stable.
	smokeLimit = 2 * time.Minute
)

// notify pushes an alert about a rollback to Alertmanager, which routes it as it does the team's own alerts.
func (r *runner) notify(ctx context.Context, finding Finding, outcome rollback.Outcome) {
	if r.config.Alertmanager == "" {
		return
	}
	client, address, err := r.guard.options.Reach(SourceAlertmanager, r.config.Alertmanager)
	if err == nil {
		err = rollback.Alertmanager{Client: client, Address: address}.Push(ctx, r.notice(finding, outcome))
	}
	if err != nil {
		r.post(func(ctx context.Context) { r.failed(ctx, SourceAlertmanager, err) })
		return
	}
	r.post(func(ctx context.Context) { r.recovered(ctx, SourceAlertmanager) })
}

func (r *runner) notice(finding Finding, outcome rollback.Outcome) rollback.Notice {
	now := r.now()
	notice := rollback.Notice{
		// A guard that listens to the same Alertmanager must not act on this alert: the action is another one.
		Labels: map[string]string{
			"alertname": "CanaryRolledBack", "severity": "critical", "action": "rolled-back", "app": r.config.Spec.App,
			"environment": r.config.Environment, "namespace": r.config.Spec.Namespace, "release": r.config.Release,
			"cause": finding.Cause,
		},
		Annotations: map[string]string{
			"summary": fmt.Sprintf("%s %s (%s) was rolled back: %s", r.config.Spec.App, r.config.Release,
				r.config.Environment, outcome.Reason),
			"description": outcome.String(),
		},
		StartsAt: now, EndsAt: now.Add(max(time.Duration(r.config.Watch), noticeLeast)),
	}
	runbook := r.config.RunbookURL
	if runbook != "" {
		runbook = alerts.RunbookLink(runbook, notice.Labels["alertname"])
	}
	for name, value := range map[string]string{"runbook_url": runbook, "dashboard_url": r.config.DashboardURL,
		"evidence": outcome.Evidence} {
		if value != "" {
			notice.Annotations[name] = value
		}
	}
	return notice
}

// watchOver begins the watch over stable after a rollback, unless one runs.
func (r *runner) watchOver(ctx context.Context, rolledBack ledger.Entry) {
	watch := rollback.NewWatch(rolledBack.Time, time.Duration(r.config.Watch), r.config.Spec.Criteria)
	if r.actions.aftercare != nil || watch.Length == 0 || !watch.Until().After(r.now()) {
		return
	}
	r.log.InfoContext(ctx, "watching the stable track", "until", watch.Until())
	r.actions.aftercare = &aftercare{image: rolledBack.Image, release: rolledBack.Release, watch: watch}
	r.aim(ctx)
}

// count adds stable's counts of one scrape.
func (a *aftercare) count(at time.Time, rise Rise) {
	a.all = a.all.Plus(rise.Requests)
	if at.After(a.watch.Window(a.watch.Until()).Start) {
		a.judged, a.slow = a.judged.Plus(rise.Requests), a.slow.Plus(rise.Slow)
	}
}

// verdict is the verdict of the watch, with its text for an Event.
func (a *aftercare) verdict() (gate.Evaluation, string) {
	evaluation := a.watch.Judge(a.judged, a.slow, a.watch.Until())
	return evaluation, fmt.Sprintf("stable failed %d of %d requests since the rollback; in the last %v: %s",
		a.all.K, a.all.N, evaluation.End.Sub(evaluation.Start), evaluation.Reasons(evaluation.Verdict()))
}

// concludeWatch reports the watch when it is over.
func (r *runner) concludeWatch(ctx context.Context) {
	a := r.actions.aftercare
	if a == nil || r.now().Before(a.watch.Until()) {
		return
	}
	r.actions.aftercare = nil
	r.aim(ctx)
	evaluation, text := a.verdict()
	verdict := evaluation.Verdict()
	r.log.InfoContext(ctx, "the watch after the rollback is over", "verdict", verdict, "numbers", text)
	if verdict == gate.Pass {
		r.announce(ctx, kube.Normal, "StableIsNormal", text)
	} else {
		r.announce(ctx, kube.Warning, "StableIsNotNormal", text)
	}
	go r.write(ctx, ledger.Entry{
		Kind: ledger.Watched, Image: a.image, Release: a.release, Verdict: string(verdict), Reason: text,
		Numbers: soak.Numbers(evaluation),
	})
}

// write adds an entry to the ledger.
func (r *runner) write(ctx context.Context, entry ledger.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeLimit)
	defer cancel()
	entry.Who = r.guard.who()
	if _, err := ledger.Write(ctx, r.store(), r.guard.options.Now, entry); err != nil {
		r.post(func(ctx context.Context) { r.failed(ctx, SourceLedger, err) })
	}
}

// smokeStable runs the smoke suite against a pod of the stable track and reports the result.
func (r *runner) smokeStable(ctx context.Context) {
	if r.guard.options.Smoke == nil || r.config.SmokeSuite == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), smokeLimit)
	defer cancel()
	suite, values, err := r.guard.options.Smoke(r.config)
	if err != nil {
		r.log.WarnContext(ctx, "cannot run the smoke suite", "error", err)
		return
	}
	var targets []smoke.Target
	for _, pod := range r.guard.objects.Pods(r.config.stableLabels()) {
		if podstate.IsReady(pod) && pod.DeletionTimestamp == nil && len(targets) == 0 {
			targets = append(targets, smoke.Target{Name: pod.Name, BaseURL: r.address(pod),
				Client: &http.Client{Timeout: time.Minute}})
		}
	}
	report := smoke.Run(ctx, suite, targets, values)
	verdict, kind := gate.Pass, kube.Normal
	text := fmt.Sprintf("smoke suite %s against stable after the rollback: %d of %d passed", suite.Name, report.Passed,
		report.Total)
	if !report.OK() {
		verdict, kind = gate.Inconclusive, kube.Warning
		for _, failure := range report.Failures() {
			text += fmt.Sprintf("; %s: %s", failure.Check, failure.Reason)
		}
	}
	r.log.InfoContext(ctx, "smoke suite", "verdict", verdict, "result", text)
	r.announce(ctx, kind, "StableSmoke", text)
	r.write(ctx, ledger.Entry{Kind: ledger.Verdict, Release: r.config.Release, Verdict: string(verdict), Reason: text})
}
