package settings

import (
	"errors"
	"strings"
	"testing"
)

// A name that is made of others is checked as a whole, and blamed on the setting that can change it.
func TestComposedNamesAreCheckedAsAWhole(t *testing.T) {
	gateway := `{"namespace":"infra","name":"public"}`
	webhook := []string{"guard", `{"image":"vextrus/rollout:v1","webhookToken":"finance-secrets/jwt-secret"}`}
	tests := []struct {
		name    string
		changes []string
		key     string // empty where the name is allowed
	}{
		{name: "the guard's Deployment", changes: []string{"release", "guard"}, key: "release"},
		{name: "the stable track's Deployment", changes: []string{"release", "stable", "stableVersion", "v1"},
			key: "release"},
		{name: "the stable version", changes: []string{"release", "v1", "stableVersion", "v1"}, key: "release"},
		{name: "a name that begins with the guard's", changes: []string{"release", "guard2"}},
		{name: "app and release together", changes: []string{"app", strings.Repeat("a", 49), "release", "v2-hotfix"},
			key: "release"},
		{name: "app and release that fit", changes: []string{"app", strings.Repeat("a", 49), "release", "v2-rc1"}},
		{name: "an app too long for stable", changes: []string{"app", strings.Repeat("a", 51), "namespace", "pay"},
			key: "app"},
		{name: "an app too long for the webhook", changes: append([]string{"app",
			strings.Repeat("a", 50), "namespace", "pay"},
			webhook...), key: "app"},
		{name: "an app that fits the webhook", changes: append([]string{"app", strings.Repeat("a", 49), "namespace", "pay"},
			webhook...)},
		{name: "the guard's Service", changes: []string{"serviceName", "finance-service-guard"}, key: "serviceName"},
		{name: "the webhook's Service", changes: []string{"serviceName", "finance-service-guard-webhook"},
			key: "serviceName"},
		{name: "a Service too long for its tracks", changes: []string{"serviceName", strings.Repeat("s", 57), "traffic",
			"gateway", "gateway", gateway}, key: "serviceName"},
		{name: "a Service that fits its tracks", changes: []string{"serviceName", strings.Repeat("s", 56), "traffic",
			"gateway", "gateway", gateway}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			problem, ok := errors.AsType[*Error](err)
			switch {
			case (tt.key != "") != (err != nil):
				t.Errorf("error %v", err)
			case tt.key != "" && (!ok || problem.Key != tt.key || !strings.Contains(problem.Fix, " -s production")):
				t.Errorf("error %v, want one with %s", err, tt.key)
			}
		})
	}
}
