package preflight

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// source is a configuration for tests.
type source map[string]string

func (s source) Get(key string) (string, bool) { value, ok := s[key]; return value, ok }
func (s source) IsSecret(key string) bool      { return key == "secrets" }
func (s source) Keys() []string                { return slices.Sorted(maps.Keys(s)) }

// stack is production with some settings changed.
func stack(t testing.TB, changes map[string]string) *settings.Settings {
	t.Helper()
	values := source{
		"week": "1", "image": "registry.example/vextrus/finance@" + onTrial,
		"stableImage": "registry.example/vextrus/finance@" + stable,
		"namespace":   "vextrus-production", "prometheus": "monitoring/prometheus-operated:9090",
		"dashboardURL": "https://grafana.example",
		"guard":        `{"image":"registry.example/vextrus/rollout@` + stable + `","alertmanager":"monitoring/alertmanager-operated:9093"}`,
		"secrets": `{"finance-db":{"host":"db","username":"finance","password":"x-x-x"},
			"finance-secrets":{"jwt-secret":"sign-with-me","eventstore-connection":"esdb://es:2113","cors-origin":"https://app.example"}}`,
	}
	maps.Copy(values, changes)
	s, err := settings.Load("production", values)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// memory keeps a ledger.
type memory struct{ data map[string]string }

func (m *memory) Load(context.Context) (map[string]string, string, error) {
	return m.data, fmt.Sprint(len(m.data)), nil
}

func (m *memory) Save(_ context.Context, data map[string]string, _ string) error {
	m.data = data
	return nil
}

func history(t testing.TB, entries ...ledger.Entry) *ledger.Ledger {
	t.Helper()
	store := &memory{}
	written := &ledger.Ledger{}
	for _, entry := range entries {
		at := entry.Time
		if at.IsZero() {
			at = now.Add(-24 * time.Hour)
		}
		var err error
		if written, err = ledger.Write(t.Context(), store, func() time.Time { return at }, entry); err != nil {
			t.Fatal(err)
		}
	}
	return written
}

func vouched(name string) ledger.Entry {
	until := now.Add(7 * 24 * time.Hour)
	return ledger.Entry{Kind: ledger.Attested, Who: "anna", Name: name, Link: "https://wiki.example/" + name,
		Reason: "score 92, no open findings", Until: &until}
}

var usual = []ledger.Entry{
	{Kind: ledger.ShiftBegun, Release: "week1", Image: onTrial, Stable: stable, To: 10},
	{Kind: ledger.Rehearsed, Stack: "staging", Took: 1312, Verdict: "pass"},
	vouched("security-audit"), vouched("database-backup"), vouched("eventstore-backup"), vouched("sign-off"),
}

// inOrder are the facts of a stack where all is well.
func inOrder(t testing.TB, s *settings.Settings) Facts {
	f := Facts{
		Now: now, Stack: "production", Owner: "finance-rollout/production",
		Cluster:   Cluster{Origin: `context "production"`, Version: "v1.34.4"},
		Namespace: Namespace{Exists: true, Owner: "finance-rollout/production"},
		Secrets:   map[string]Secret{},
		Image:     Image{Digest: onTrial}, StableImage: Image{Digest: stable},
		Prometheus: Prometheus{
			Up:       map[string]int{"canary": 1, "stable": 9},
			Groups:   []string{"finance-service-production.recording", "finance-service-production.alerts", "other"},
			Statuses: []string{"200", "500"}, Bounds: []string{"0.25", "0.5", "1", "+Inf"}, Alertmanagers: []string{"http://am"},
			Requests: 864000, Customers: 864000,
		},
		Alertmanager: Reached{Address: "monitoring/alertmanager-operated:9093", Status: 200},
		Grafana:      Reached{Address: "https://grafana.example/d/finance-week1", Status: 200},
		OTLP:         Reached{Address: "http://signoz:4318", Status: 405},
		Staging:      Staging{Verified: onTrial},
		Ledger:       Ledger{History: history(t, usual...)},
		Capacity:     Capacity{Nodes: []Node{{"a", 4000, 8 << 30, 100}, {"b", 300, 8 << 30, 100}}},
		Past:         Past{Soaks: 9, Upper: 0.28, Dispersion: 1.1},
	}
	for name, keys := range NeededSecrets(s) {
		f.Secrets[name] = Secret{Exists: true, Keys: map[string]string{}}
		for _, key := range keys {
			f.Secrets[name].Keys[key] = KeySet
		}
	}
	for _, access := range Needed(s) {
		f.Permissions = append(f.Permissions, Permission{Access: access, Allowed: true})
	}
	return f
}

func find(t testing.TB, list Checklist, name string) Row {
	t.Helper()
	for _, row := range list.Rows {
		if row.Name == name {
			return row
		}
	}
	t.Fatalf("there is no row %s", name)
	return Row{}
}
