package settings

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

const goodGateway = `{"namespace":"infra","name":"public"}`

func throughGateway(changes ...string) testkit.Config {
	return production(append([]string{"traffic", "gateway", "gateway", goodGateway}, changes...)...)
}

func TestGatewayPosition(t *testing.T) {
	tests := []struct {
		name    string
		changes []string
		want    plan.Position
	}{
		{"week 1", nil, plan.Position{Week: 1, Weight: 10, Stable: 10, Canary: 1}},
		{"a weight that ten pods cannot express", []string{"canaryWeight", "33"},
			plan.Position{Week: 1, Weight: 33, Stable: 10, Canary: 4}},
		{"one percent", []string{"canaryWeight", "1"}, plan.Position{Week: 1, Weight: 1, Stable: 10, Canary: 1}},
		{"nothing", []string{"canaryWeight", "0"}, plan.Position{Week: 1, Stable: 10}},
		{"everything", []string{"week", "4"}, plan.Position{Week: 4, Weight: 100, Stable: 10, Canary: 10, Warm: true}},
		{"fewer stable pods", []string{"gateway", `{"namespace":"infra","name":"public","stableReplicas":2}`, "week", "3"},
			plan.Position{Week: 3, Weight: 60, Stable: 4, Canary: 6}},
		{"one pod", []string{"replicas", "1"}, plan.Position{Week: 1, Weight: 10, Stable: 1, Canary: 1}},
		{"autoscalers", []string{"week", "2", "canary", `{"autoscale":{"min":5,"max":20,"cpuPercent":70}}`, "stable",
			`{"autoscale":{"max":40,"cpuPercent":150}}`},
			plan.Position{Week: 2, Weight: 30, Stable: 10, Canary: 5}},
		{"an autoscaler without pods", []string{"canaryWeight", "0", "canary",
			`{"autoscale":{"min":5,"max":20,"cpuPercent":70}}`},
			plan.Position{Week: 1, Stable: 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Load("production", throughGateway(tt.changes...))
			if err != nil {
				t.Fatal(err)
			}
			if s.Position() != tt.want {
				t.Errorf("position %+v, want %+v", s.Position(), tt.want)
			}
			if time.Duration(s.Gateway.Timeout) != time.Minute {
				t.Errorf("timeout %s", s.Gateway.Timeout)
			}
		})
	}
}

func TestGatewayRefuses(t *testing.T) {
	gateway := func(fields string) string { return `{"namespace":"infra","name":"public",` + fields + `}` }
	autoscale := func(fields string) string { return `{"autoscale":{` + fields + `}}` }
	tests := []struct {
		name   string
		source testkit.Config
		want   []string
	}{
		{"no gateway", production("traffic", "gateway"), []string{"gateway.name", "missing",
			"pulumi config set --path gateway.name NAME",
			"gateway.namespace", "pulumi config set --path gateway.namespace NAME"}},
		{"name", throughGateway("gateway", `{"namespace":"infra","name":"The Edge"}`),
			[]string{"gateway.name", `"The Edge"`}},
		{"listener", throughGateway("gateway", gateway(`"sectionName":"web_1"`)),
			[]string{"gateway.sectionName", `"web_1"`, "config rm"}},
		{"host", throughGateway("gateway", gateway(`"hostnames":["*.example.com","a b"]`)),
			[]string{"gateway.hostnames[1]", `"a b"`}},
		{"stable pods", throughGateway("gateway", gateway(`"stableReplicas":11`)),
			[]string{"gateway.stableReplicas", `"11"`, "1 to replicas, which is 10"}},
		{"negative stable pods", throughGateway("gateway", gateway(`"stableReplicas":-1`)),
			[]string{"gateway.stableReplicas", `"-1"`}},
		{"timeout", throughGateway("gateway", gateway(`"timeout":"10ms"`)), []string{"gateway.timeout", `"10ms"`, "1s"}},
		{"unknown field", throughGateway("gateway", gateway(`"class":"x"`)),
			[]string{"config gateway", "class", "sectionName"}},
		{"one track", throughGateway("strategy", "single"), []string{"config traffic", `"gateway"`, "one track",
			"pulumi config set traffic replicas"}},
		{"session affinity", throughGateway("service", `{"sessionAffinity":true}`),
			[]string{"service.sessionAffinity", "Gateway"}},
		{"long name", throughGateway("serviceName", strings.Repeat("a", 57)), []string{"serviceName", "at most 56"}},
		{"autoscaler beside pod counts", production("canary", autoscale(`"max":10,"cpuPercent":70`)),
			[]string{"canary.autoscale", "share of the pods is its share of the requests", "pulumi config set traffic gateway"}},
		{"stable autoscaler beside pod counts", production("stable", autoscale(`"max":10,"cpuPercent":70`)),
			[]string{"stable.autoscale"}},
		{"too few pods at most", throughGateway("canary", autoscale(`"max":9,"cpuPercent":70`)),
			[]string{"canary.autoscale.max", `"9"`, "allowed are 10"}},
		{"less at most than at least", throughGateway("canary", autoscale(`"min":20,"max":19,"cpuPercent":70`)),
			[]string{"canary.autoscale.max", "allowed are 20"}},
		{"too many pods", throughGateway("canary", autoscale(`"max":1001,"cpuPercent":70`)),
			[]string{"canary.autoscale.max", "to 1000"}},
		{"negative least", throughGateway("canary", autoscale(`"min":-1,"max":10,"cpuPercent":70`)),
			[]string{"canary.autoscale.min", `"-1"`}},
		{"no use of the CPU", throughGateway("stable", autoscale(`"max":10`)),
			[]string{"stable.autoscale.cpuPercent", "requests.cpu"}},
		{"weight", throughGateway("canaryWeight", "101"), []string{"canaryWeight", `"101"`, "0 to 100"}},
		{"week", throughGateway("week", "5"), []string{"config week", "1 to 4"}},
		{"replicas", throughGateway("replicas", "0"), []string{"config replicas", `"0"`}},
		{"quarantine", throughGateway("guard", `{"quarantine":true}`), []string{"config guard.quarantine",
			"cannot give a route's weights back", "pulumi config set --path guard.quarantine false -s production"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("production", tt.source)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error does not name %q: %v", word, err)
				}
			}
			if _, typed := errors.AsType[*Error](err); !typed {
				t.Errorf("error holds no *Error: %v", err)
			}
		})
	}
}

// The settings of a Gateway may stand by while the pods split the requests, so that one key switches between the two.
func TestGatewaySettingsMayStandBy(t *testing.T) {
	s, err := Load("production", production("gateway", goodGateway))
	if err != nil || s.IsGateway() || s.Position().Stable != 9 {
		t.Errorf("%+v, %v", s.Position(), err)
	}
}
