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

// judge decides what an alert asks for. An alert whose condition was met before this canary took requests is about
// the canary before it. An alert about counts must be confirmed by the guard's own counts, where there are any: with
// few requests, the share of errors in five minutes exceeds its limit by chance too often. The guard trusts an alert
// about anything that it does not count itself, such as an alert that the team wrote.
func (a Alert) judge(t *tracker, now time.Time) Finding {
	finding := Finding{Action: RollBack, Cause: CauseAlert, Subject: a.Name, Reason: "alert " + a.Name + " fires"}
	if a.Summary != "" {
		finding.Reason += ": " + a.Summary
	}
	if a.Labels[alerts.LabelConfirm] == alerts.ConfirmCounts && t.hasCounted() {
		sure, text := t.confirms(now)
		finding.Reason += "; " + text
		if !sure {
			finding.Action = Review
			finding.Reason += ", which does not confirm it"
		}
		return finding
	}
	if !a.Since.IsZero() && a.Since.Before(t.began) {
		finding.Action = Review
		finding.Reason += fmt.Sprintf("; it has fired since %s, before this canary took requests",
			a.Since.UTC().Format(time.RFC3339))
	}
	return finding
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
		if alert.concerns(r.config) {
			r.consider(ctx, alert.judge(r.view.tracker, r.now()))
		}
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
