package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
)

const key = "key-of-the-relay"

var about = notify.About{Stack: "production", Namespace: "vextrus-production", App: "finance-service",
	DashboardURL: "https://grafana.example.com", RunbookURL: "https://runbook.example.com"}

func stateOf(name string) notify.State {
	return notify.State{Name: name, At: time.Now(), Release: "week1", Reason: "errors > 1 % & more", Key: name}
}

// What the rollout sends passes the relay's check, and comes out of it once.
func TestTheRelayTakesWhatTheRolloutSends(t *testing.T) {
	bodies, status := map[string][]string{}, http.StatusOK
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var message any
		if err := json.NewDecoder(request.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		raw, _ := json.Marshal(message)
		bodies[request.URL.Path] = append(bodies[request.URL.Path], string(raw))
		if request.URL.Path == "/teams" {
			w.WriteHeader(status)
		}
	}))
	defer service.Close()
	targets := targetsOf(func(name string) string {
		return map[string]string{"SLACK_URL": service.URL + "/slack", "TEAMS_URL": service.URL + "/teams",
			"PAGERDUTY_KEY": "k", "ALERTMANAGER_URL": service.URL}[name]
	})
	for i := range targets {
		if targets[i].name == "pagerduty" {
			targets[i].address = service.URL + "/pagerduty"
		}
	}
	relay := httptest.NewServer(newRelay([]byte(key), targets, time.Now))
	defer relay.Close()
	send := func(with, name string) error {
		sender := notify.Sender{Now: time.Now, Key: func(context.Context, string) ([]byte, error) {
			return []byte(with), nil
		}}
		return sender.Send(t.Context(), notify.Webhook{URL: relay.URL}, about.Of(stateOf(name)))
	}
	if err := send("another key", names.EventRolledBack); err == nil || len(bodies) > 0 {
		t.Fatalf("a wrong signature: %v, %v", err, bodies)
	}
	// Teams is away: the sender has to try again, and the others get the event once.
	status = http.StatusServiceUnavailable
	if err := send(key, names.EventRolledBack); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("a target that is away: %v", err)
	}
	status = http.StatusOK
	for range 2 {
		if err := send(key, names.EventRolledBack); err != nil {
			t.Error(err)
		}
	}
	for path, want := range map[string]int{"/slack": 1, "/teams": 2, "/pagerduty": 1, "/api/v2/alerts": 1} {
		if got := len(bodies[path]); got != want {
			t.Errorf("%s got %d messages, want %d", path, got, want)
		}
	}
	for path, text := range map[string]string{"/slack": "&amp;gt; 1 % &amp;amp; more", "/teams": "AdaptiveCard",
		"/pagerduty": `"severity":"critical"`, "/api/v2/alerts": `"event":"rolled-back"`} {
		if got := strings.ReplaceAll(bodies[path][0], `\u0026`, "&amp;"); !strings.Contains(got, text) {
			t.Errorf("%s got %s", path, got)
		}
	}
}

func TestPagerDutyIsCalledForWhatIsUrgent(t *testing.T) {
	for name, want := range map[string]string{names.EventEntered: "", names.EventGuardBlind: "trigger",
		names.EventGuardSees: "resolve"} {
		var read event
		raw, _ := json.Marshal(about.Of(stateOf(name)))
		if err := json.Unmarshal(raw, &read); err != nil {
			t.Fatal(err)
		}
		message, _ := pagerDuty(read, "k").(map[string]any)
		action, _ := message["event_action"].(string)
		if action != want || want != "" && message["dedup_key"] != read.Source+"/guard-blind" {
			t.Errorf("%s: %v", name, message)
		}
	}
}
