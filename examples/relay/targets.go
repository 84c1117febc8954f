package main

import (
	"fmt"
	"strings"
	"time"
)

// event is what the relay reads of a CloudEvent.
type event struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	Source  string    `json:"source"`
	Subject string    `json:"subject"`
	Time    time.Time `json:"time"`
	Data    struct {
		Stack, Namespace, App, Release, Reason, Who string
		DashboardURL, RunbookURL                    string
	} `json:"data"`
}

func (e event) name() string { return strings.TrimPrefix(e.Type, "com.vextrus.finance-rollout.") }

// urgent reports whether somebody has to act at once.
func (e event) urgent() bool { return e.name() == "rolled-back" || e.name() == "guard-blind" }

// text is the event in one line.
func (e event) text() string {
	text := fmt.Sprintf("%s in %s: %s", e.Subject, e.Data.Stack, e.name())
	if e.Data.Reason != "" {
		text += ": " + e.Data.Reason
	}
	return text
}

// target is a service that people read. A message of nil leaves an event out.
type target struct {
	name, address string
	message       func(event) any
}

// targetsOf are the targets that the environment names.
func targetsOf(getenv func(string) string) []target {
	var targets []target
	add := func(name, address string, message func(event) any) {
		targets = append(targets, target{name, address, message})
	}
	if address := getenv("SLACK_URL"); address != "" {
		add("slack", address, slack)
	}
	if address := getenv("TEAMS_URL"); address != "" {
		add("teams", address, teams)
	}
	if key := getenv("PAGERDUTY_KEY"); key != "" {
		add("pagerduty", "https://events.pagerduty.com/v2/enqueue", func(e event) any { return pagerDuty(e, key) })
	}
	if address := getenv("ALERTMANAGER_URL"); address != "" {
		add("alertmanager", strings.TrimSuffix(address, "/")+"/api/v2/alerts", alertmanager)
	}
	return targets
}

// slack is a message for an incoming webhook. The three signs are those that Slack asks to escape.
func slack(e event) any {
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(e.text())
	if e.Data.DashboardURL != "" {
		text += "\n<" + e.Data.DashboardURL + "|dashboard>"
	}
	return map[string]any{"text": text}
}

// teams is a message for the webhook of a workflow: an Adaptive Card.
func teams(e event) any {
	card := map[string]any{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
		"body": []any{map[string]any{"type": "TextBlock", "wrap": true, "text": e.text()}},
	}
	if e.Data.RunbookURL != "" {
		card["actions"] = []any{map[string]any{"type": "Action.OpenUrl", "title": "Runbook", "url": e.Data.RunbookURL}}
	}
	return map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive", "content": card,
	}}}
}

// pagerDuty is an event of the Events API v2. A guard that sees again resolves what a blind one triggered; everything
// that is not urgent is left out.
func pagerDuty(e event, key string) any {
	message := map[string]any{"routing_key": key, "event_action": "trigger", "dedup_key": e.Source + "/" + e.name()}
	switch {
	case e.name() == "guard-sees":
		message["event_action"], message["dedup_key"] = "resolve", e.Source+"/guard-blind"
		return message
	case !e.urgent():
		return nil
	case e.name() == "rolled-back":
		message["dedup_key"] = e.ID
	}
	message["payload"] = map[string]any{"summary": limited(e.text()), "source": e.Source, "severity": "critical",
		"timestamp": e.Time, "custom_details": e.Data}
	return message
}

// limited is a text within the 1,024 characters that PagerDuty takes.
func limited(text string) string {
	if runes := []rune(text); len(runes) > 1024 {
		return string(runes[:1024])
	}
	return text
}

// alertmanager is an alert that fires for a while. Alertmanager routes it to mail by its label.
func alertmanager(e event) any {
	severity := "info"
	if e.urgent() {
		severity = "critical"
	}
	return []any{map[string]any{
		"labels": map[string]string{"alertname": "RolloutEvent", "event": e.name(), "severity": severity,
			"app": e.Data.App, "namespace": e.Data.Namespace, "release": e.Data.Release, "id": e.ID},
		"annotations": map[string]string{"summary": e.text(), "runbook_url": e.Data.RunbookURL},
		"startsAt":    e.Time, "endsAt": e.Time.Add(time.Hour),
	}}
}
