package guard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/smoke"
)

// lastPart is the end of the watch by which is judged whether the error rate is back to normal; a shorter watch is
// judged by its second half.
const lastPart = 5 * time.Minute

// aftermath is the watch over the stable track after a rollback.
type aftermath struct {
	image, release string
	until          time.Time
	judgeFrom      time.Time
	all, last      gate.Counts
}

// notify pushes an alert about a rollback to Alertmanager, so that the team's own routes bring it to whom they bring
// others.
func (r *runner) notify(ctx context.Context, finding Finding, outcome rollback.Outcome) {
	if r.config.Alertmanager == "" {
		return
	}
	client, address, err := r.guard.options.Reach(r.config.Alertmanager)
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
		// The action is none that a guard acts on: it may listen to the same Alertmanager.
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
		StartsAt: now, EndsAt: now.Add(max(time.Duration(r.config.Watch), lastPart)),
	}
	for name, value := range map[string]string{"runbook_url": r.config.RunbookURL, "dashboard_url": r.config.DashboardURL,
		"evidence": outcome.Evidence} {
		if value != "" {
			notice.Annotations[name] = value
		}
	}
	return notice
}

// watchOver begins the watch over stable, unless it runs already.
func (r *runner) watchOver(ctx context.Context, rolledBack ledger.Entry) {
	length := time.Duration(r.config.Watch)
	until := rolledBack.Time.Add(length)
	if r.aftermath != nil || length == 0 || !until.After(r.now()) {
		return
	}
	r.log.InfoContext(ctx, "watching the stable track", "until", until)
	r.aftermath = &aftermath{
		image: rolledBack.Image, release: rolledBack.Release, until: until, judgeFrom: until.Add(-min(lastPart, length/2)),
	}
	r.aim(ctx)
}

// count adds what stable counted.
func (a *aftermath) count(at time.Time, rise Rise) {
	a.all = plus(a.all, rise.Requests)
	if at.After(a.judgeFrom) {
		a.last = plus(a.last, rise.Requests)
	}
}

// verdict tells whether the error rate is back to normal: its share is below the target.
func (a *aftermath) verdict(target float64) (gate.Verdict, string) {
	share := func(c gate.Counts) float64 { return float64(c.K) / float64(max(c.N, 1)) }
	text := fmt.Sprintf("stable failed %d of %d requests since the rollback, %d of %d (%.2f %%) at the end of the "+
		"watch; normal is below %.2f %%",
		a.all.K, a.all.N, a.last.K, a.last.N, 100*share(a.last), 100*target)
	switch {
	case a.last.N == 0:
		return gate.Inconclusive, text
	case share(a.last) < target:
		return gate.Pass, text
	default:
		return gate.Fail, text
	}
}

// conclude reports the watch when it is over.
func (r *runner) concludeWatch(ctx context.Context) {
	a := r.aftermath
	if a == nil || r.now().Before(a.until) {
		return
	}
	r.aftermath = nil
	r.aim(ctx)
	verdict, text := a.verdict(r.config.errorRate().Target)
	r.log.InfoContext(ctx, "the watch after the rollback is over", "verdict", verdict, "numbers", text)
	if verdict == gate.Pass {
		r.announce(ctx, kube.Normal, "StableIsNormal", text)
	} else {
		r.announce(ctx, kube.Warning, "StableIsNotNormal", text)
	}
	go r.write(ctx, ledger.Entry{
		Kind: ledger.Watched, Image: a.image, Release: a.release, Verdict: string(verdict), Reason: text,
		Numbers: []ledger.Number{{Name: "error rate of stable", Verdict: string(verdict), N: a.last.N, K: a.last.K}},
	})
}

// write adds an entry to the ledger.
func (r *runner) write(ctx context.Context, entry ledger.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	entry.Who = "guard/" + r.guard.options.Identity
	if _, err := ledger.Write(ctx, r.store(), r.guard.options.Now, entry); err != nil {
		r.post(func(ctx context.Context) { r.failed(ctx, SourceLedger, err) })
	}
}

// smokeStable runs the smoke suite against a pod of the stable track and reports what it found.
func (r *runner) smokeStable(ctx context.Context) {
	if r.guard.options.Smoke == nil || r.config.SmokeSuite == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	suite, values, err := r.guard.options.Smoke(r.config)
	if err != nil {
		r.log.WarnContext(ctx, "the smoke suite does not run", "error", err)
		return
	}
	var targets []smoke.Target
	for _, pod := range r.guard.objects.Pods(map[string]string{names.App: r.config.Spec.App, names.Track: names.Stable}) {
		if isReady(pod) && pod.DeletionTimestamp == nil && len(targets) == 0 {
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
