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
	// askEvery is how often Prometheus is asked for firing alerts, askLimit how long it may take.
	askEvery = 5 * time.Second
	askLimit = 4 * time.Second
)

// Alert is one that fires and asks for a rollback.
type Alert struct {
	Name, Summary string
	Labels        map[string]string
	// Since is when its condition was met first; zero when that is not known.
	Since time.Time
}

// concerns tells whether the alert is about the rollout and asks for it to be rolled back.
func (a Alert) concerns(c Config) bool {
	return a.Labels["action"] == alerts.ActionRollback && a.Labels["app"] == c.Spec.App &&
		a.Labels["release"] == c.Release &&
		(a.Labels["namespace"] == "" || a.Labels["namespace"] == c.Spec.Namespace)
}

// judge says what an alert asks for. One about something that began before the evidence on this canary did is about
// the one before it. One about counts must be borne out by the guard's own, where it has any: the share of errors in
// five minutes exceeds its limit by chance too often where requests are few. What the guard cannot count, such as an
// alert of the team's own, is believed.
func (a Alert) judge(t *tracker) Finding {
	finding := Finding{Action: RollBack, Cause: CauseAlert, Subject: a.Name, Reason: "alert " + a.Name + " fires"}
	if a.Summary != "" {
		finding.Reason += ": " + a.Summary
	}
	counted := a.Labels[alerts.LabelConfirm] == alerts.ConfirmCounts && t.counted()
	if counted {
		sure, text := t.bearsOut()
		finding.Reason += "; " + text
		if !sure {
			finding.Action = Review
			finding.Reason += ", which does not bear it out"
		}
		return finding
	}
	if !a.Since.IsZero() && a.Since.Before(t.began) {
		finding.Action = Review
		finding.Reason += fmt.Sprintf("; it does so since %s, before this canary took requests",
			a.Since.UTC().Format(time.RFC3339))
	}
	return finding
}

// askAlerts asks Prometheus as long as the runner runs.
func (r *runner) askAlerts(ctx context.Context) {
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
		cancel()
		r.post(func(ctx context.Context) {
			if err != nil {
				r.failed(ctx, SourcePrometheus, err)
				return
			}
			r.lastSight = r.now()
			r.recovered(ctx, SourcePrometheus)
			r.alarm(ctx, firing)
		})
	}
}

// alarm acts on alerts.
func (r *runner) alarm(ctx context.Context, firing []Alert) {
	if r.tracker == nil {
		return
	}
	for _, alert := range firing {
		if alert.concerns(r.config) {
			r.consider(ctx, alert.judge(r.tracker))
		}
	}
}

// firing asks for the rollout's alerts that fire and ask for a rollback, with the time at which each became active.
func firing(ctx context.Context, asker gate.Asker, config Config, now time.Time) ([]Alert, error) {
	query, err := promql.FiringSince(map[string]string{
		"action": alerts.ActionRollback, "app": config.Spec.App, "release": config.Release,
	})
	if err != nil {
		return nil, err
	}
	answer, err := asker.Ask(ctx, query, now)
	if err != nil {
		return nil, err
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the query for alerts answers with a %s", answer.Type())
	}
	var found []Alert
	for _, sample := range vector {
		alert := Alert{Labels: map[string]string{}, Since: time.UnixMilli(int64(float64(sample.Value) * 1000))}
		for name, value := range sample.Metric {
			alert.Labels[string(name)] = string(value)
		}
		alert.Name = clean(alert.Labels[model.AlertNameLabel])
		found = append(found, alert)
	}
	return found, nil
}

// clean bounds a text of outside and takes out what is no text.
func clean(text string) string {
	const most = 300
	text = sanitize.Line(text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
