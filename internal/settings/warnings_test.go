package settings

import (
	"slices"
	"strings"
	"testing"
)

func TestPortsThatTheEnvironmentLeadsTo(t *testing.T) {
	for given, want := range map[[2]string][]Port{
		{"AUTH_SERVICE_URL", "http://auth:3001"}:                              {3001},
		{"AUTH_SERVICE_URL", "http://auth.internal/v1"}:                       {80},
		{"PAYMENT_API", "https://api.example.com"}:                            {443},
		{"TEMPORAL_ADDRESS", "temporal:7233"}:                                 {7233},
		{"KAFKA_BROKERS", "kafka-0:9092,kafka-1:9093, kafka-2:9094"}:          {9092, 9093, 9094},
		{"REDIS_URL", "redis://redis/0"}:                                      {6379},
		{"DATABASE_URL", "postgresql+asyncpg://u:p@db.internal:6432/orders"}:  {6432},
		{"EVENTSTORE_CONNECTION_STRING", "esdb+discover://es:2113?tls=false"}: {2113},
		{"REDIS_PORT", "6379"}:                                                {6379},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://collector:4317"}:              {4317},
		{"PORT", "3014"}: nil,
		{"CORS_ORIGIN", "https://app.vextrus.com"}:             nil,
		{"OAUTH_REDIRECT_URL", "https://app.example.com/back"}: nil,
		{"SIDECAR", "http://localhost:15000"}:                  nil,
		{"SIDECAR", "127.0.0.1:15000"}:                         nil,
		{"OPENING", "09:30"}:                                   nil,
		{"LOG_LEVEL", "info"}:                                  nil,
		{"IMAGE", "vextrus/finance:v2"}:                        nil,
		{"A", "redis:70000"}:                                   nil,
		{"A", "://"}:                                           nil,
	} {
		if got := LeadsTo(given[0], given[1]); !slices.Equal(got, want) {
			t.Errorf("%s=%s leads to %v, want %v", given[0], given[1], got, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	guarded := []string{"guard", `{"image":"vextrus/rollout:1"}`, "dashboardURL", "https://grafana.example.com",
		"runbookURL", "https://runbooks.example.com"}
	for name, tt := range map[string]struct {
		changes []string
		want    [][]string
	}{
		"all is well": {guarded, nil},
		"closed ports": {append([]string{"env", `{"AUTH_SERVICE_URL":"http://auth:3001","REDIS_URL":"redis://r:6379"}`},
			guarded...), [][]string{{"3001 (env.AUTH_SERVICE_URL), 6379 (env.REDIS_URL)",
			`pulumi config set network '{"ingressNamespaces":[],"egressPorts":[5432,2113,9092,4318,3001,6379]}' -s production`}}},
		"a secret that leads out": {append([]string{"secrets", strings.Replace(goodSecrets, "es:2113", "es:2114", 1)},
			guarded...), [][]string{{"2114 (secretEnv.EVENTSTORE_CONNECTION_STRING)"}}},
		"a track's own": {append([]string{"canary", `{"env":{"NEW_API":"https://api.example.com"}}`}, guarded...),
			[][]string{{"443 (canary.env.NEW_API)"}}},
		"no guard, no links": {nil, [][]string{
			{"no guard watches the canary (guard.image is empty)", "--path guard.image IMAGE -s production"},
			{"dashboardURL is empty", "set dashboardURL https://grafana.example.com -s production"},
			{"runbookURL is empty", "-s production"}}},
		"a guard that is off": {append(guarded[2:], "guard", `{"enabled":false,"image":"a:1"}`),
			[][]string{{"guard.enabled is false", "guard.enabled true -s production"}}},
		"one track needs no guard": {[]string{"strategy", "single"}, nil},
	} {
		s, err := Load("production", production(tt.changes...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := s.Warnings()
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d warnings: %s", name, len(got), strings.Join(got, "\n"))
			continue
		}
		for i, words := range tt.want {
			for _, word := range words {
				if !strings.Contains(got[i], word) {
					t.Errorf("%s: %q does not say %q", name, got[i], word)
				}
			}
			if strings.Contains(got[i], "esdb") {
				t.Errorf("%s: shows a secret: %s", name, got[i])
			}
		}
	}
}
