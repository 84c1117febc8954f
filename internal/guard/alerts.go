package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/sanitize"
)

const (
	// askEvery is the time between two queries for firing alerts, askLimit the time limit of one.
	askEvery = 5 * time.Second
	askLimit = 4 * time.Second
)

// Alert is an alert that fires and asks for a rollback.
type Alert struct {
	Name, Summary string
	Labels        map[string]string
	// Since is when its condition was first met; zero when unknown.
	Since time.Time
}

// concerns reports whether the alert asks to roll back this rollout.
func (a Alert) concerns(c Config) bool {
	return a.Labels["action"] == alerts.ActionRollback && a.Labels["app"] == c.Spec.App &&
		a.Labels["release"] == c.Release &&
		(a.Labels["namespace"] == "" || a.Labels["namespace"] == c.Spec.Namespace)
}

// isAboutCounts reports whether the alert is about requests, which the guard counts itself.
func (a Alert) isAboutCounts() bool { return a.Labels[alerts.LabelConfirm] == alerts.ConfirmCounts }

// finding is what an alert asks for about anything that the guard does not count, such as one that the team wrote: the
// guard trusts it. An alert whose condition was met before this canary took requests is about the canary before it.
func (a Alert) finding(began time.Time) Finding {
	finding := Finding{Action: RollBack, Cause: CauseAlert, Subject: a.Name, Reason: a.text()}
	if !a.Since.IsZero() && a.Since.Before(began) {
		finding.Action = Review
		finding.Reason += fmt.Sprintf("; it has fired since %s, before this canary took requests",
			a.Since.UTC().Format(time.RFC3339))
	}
	return finding
}

// unconfirmed is the finding of an alert about counts that no evidence bears out.
func (a Alert) unconfirmed(why string) Finding {
	return Finding{Action: Review, Cause: CauseAlert, Subject: a.Name, Reason: a.text() + "; " + why}
}

func (a Alert) text() string {
	text := "alert " + a.Name + " fires"
	if a.Summary != "" {
		text += ": " + a.Summary
	}
	return text
}

// askPrometheus asks Prometheus for firing alerts, and for the canary, until the context ends.
func (r *runner) askPrometheus(ctx context.Context) {
	if r.config.Prometheus == "" {
		return
	}
	server, err := r.guard.prometheus(r.config.Prometheus)
	if err != nil {
		r.post(func(ctx context.Context) { r.failed(ctx, SourcePrometheus, err) })
		return
	}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeoutCause(ctx, askLimit, fmt.Errorf("no answer within %v", askLimit))
		firing, err := firing(limited, server, r.config, r.now())
		var canary byPrometheus
		if err == nil {
			canary, err = askCanary(limited, server, r.config, r.now())
		}
		cancel()
		r.post(func(ctx context.Context) {
			r.alarm(ctx, firing)
			if err != nil {
				r.failed(ctx, SourcePrometheus, err)
				return
			}
			r.recovered(ctx, SourcePrometheus)
			r.compare(ctx, canary)
		})
	}
}

// alarm acts on the alerts that concern the rollout.
func (r *runner) alarm(ctx context.Context, firing []Alert) {
	if r.view.tracker == nil {
		return
	}
	for _, alert := range firing {
		switch {
		case !alert.concerns(r.config):
		case alert.isAboutCounts():
			r.lookAgain(ctx, alert)
		default:
			r.consider(ctx, alert.finding(r.view.tracker.began))
		}
	}
}

// lookAgain answers an alert about counts with a look at the guard's own evidence, and only that evidence convicts. The
// alert itself is a test that is repeated all day, and so would be any test of its own on the same counts: with few
// requests, the share of errors in five minutes exceeds its limit by chance in every other soak. Where the guard counts
// nothing, the soak's evidence is read out of turn.
func (r *runner) lookAgain(ctx context.Context, alert Alert) {
	if !r.view.tracker.hasCounted() {
		r.report(ctx, alert.unconfirmed("the guard has counted no request of the canary itself"))
		r.lookOutOfTurn(ctx)
		return
	}
	detection := r.noteCounts(ctx)
	r.follow(ctx, r.view.court.Look(r.now()))
	if detection.LogEvidence < detection.Threshold {
		r.report(ctx, alert.unconfirmed(fmt.Sprintf("the guard's counts do not confirm it: evidence of %.1f nats, and %.1f "+
			"are needed; %s", detection.LogEvidence, detection.Threshold, detection.Reason)))
	}
}

// firing asks Prometheus for the alerts that ask to roll back the rollout, and since when each fires.
func firing(ctx context.Context, asker gate.Asker, config Config, now time.Time) ([]Alert, error) {
	query, err := promql.FiringSince(map[string]string{
		"action": alerts.ActionRollback, "app": config.Spec.App, "release": config.Release,
	})
	if err != nil {
		return nil, err
	}
	firing, err := vector(ctx, asker, query, now)
	if err != nil {
		return nil, err
	}
	var list []Alert
	for _, sample := range firing {
		alert := Alert{Labels: map[string]string{}, Since: time.UnixMilli(int64(float64(sample.Value) * 1000))}
		for name, value := range sample.Metric {
			alert.Labels[string(name)] = string(value)
		}
		alert.Name = clean(alert.Labels[model.AlertNameLabel])
		list = append(list, alert)
	}
	return list, nil
}

// clean bounds a text from outside and removes what a terminal would act on.
func clean(text string) string {
	const most = 300
	text = sanitize.Line(text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
