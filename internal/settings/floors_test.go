package settings

import (
	"strings"
	"testing"
)

func TestLimitsBelowTheirFloors(t *testing.T) {
	tests := []struct {
		name   string
		config map[string]string
		// loose are what the limits are found to be, in order; fails is what the settings are refused by.
		loose []string
		fails string
	}{
		{name: "the defaults"},
		{name: "limits that ask for nothing",
			config: map[string]string{"soak": `{"duration":"0s"}`,
				"criteria": `{"errorRate":0.9,"rollbackErrorRate":0.95,"slowShare":0.99,"confidence":0.51}`,
				"bake":     `{"duration":"0s"}`},
			loose: []string{"soak.duration is 0s, and at least 1d is allowed",
				"bake.duration is 0s, and at least 1m is allowed",
				"criteria.errorRate is 0.9, and at most 0.05 is allowed",
				"criteria.rollbackErrorRate is 0.95, and at most 0.1 is allowed",
				"criteria.slowShare is 0.99, and at most 0.25 is allowed",
				"criteria.confidence is 0.51, and at least 0.8 is allowed"}},
		{name: "on the floor",
			config: map[string]string{"soak": `{"duration":"24h"}`,
				"criteria": `{"errorRate":0.05,"rollbackErrorRate":0.1}`, "bake": `{"duration":"1m"}`}},
		{name: "a floor that is lowered with a reason",
			config: map[string]string{"soak": `{"duration":"1m"}`, "floors": `{"soak":"0s","reason":"a drill"}`}},
		{name: "a floor that is lowered without one",
			config: map[string]string{"floors": `{"soak":"0s","reason":" "}`},
			fails:  "floors.soak is 0s, and at least 1d is allowed without floors.reason"},
		{name: "a floor that is raised needs none",
			config: map[string]string{"floors": `{"soak":"96h"}`},
			loose:  []string{"soak.duration is 2d, and at least 4d is allowed"}},
		{name: "a comparison with stable that finds nothing",
			config: map[string]string{"criteria": `{"relativeRatio":100,"relativeSlower":10}`},
			loose: []string{"criteria.relativeRatio is 100, and at most 5 is allowed",
				"criteria.relativeSlower is 10, and at most 2 is allowed"}},
		{name: "a latency that nothing exceeds", config: map[string]string{"criteria": `{"latency":"1h"}`},
			loose: []string{"criteria.latency is 1h, and at most 10s is allowed"}},
		{name: "a latency that is not judged", config: map[string]string{"criteria": `{"latency":"off"}`}},
		{name: "a service that answers slowly", config: map[string]string{"criteria": `{"latency":"1m"}`,
			"floors": `{"latency":"2m","reason":"it renders reports"}`}},
		{name: "a floor of the latency that is lowered without a reason",
			config: map[string]string{"floors": `{"latency":"2m"}`},
			fails:  "floors.latency is 2m, and at most 10s is allowed without floors.reason"},
		{name: "a floor of the latency that is off", config: map[string]string{"floors": `{"latency":"off"}`},
			fails: "floors.latency"},
		{name: "no comparison with stable", config: map[string]string{"criteria": `{"relative":"off","relativeRatio":100}`},
			loose: []string{"criteria.relative is off, and at least review is allowed"}},
		{name: "no comparison with stable, with a reason", config: map[string]string{"criteria": `{"relative":"off"}`,
			"floors": `{"relative":"off","reason":"the new release answers less"}`}},
		{name: "a floor of the comparison that is lowered without one",
			config: map[string]string{"floors": `{"relativeRatio":20}`},
			fails:  "floors.relativeRatio is 20, and at most 5 is allowed without floors.reason"},
		{name: "a floor that is raised to a rollback", config: map[string]string{"floors": `{"relative":"rollback"}`},
			loose: []string{"criteria.relative is review, and at least rollback is allowed"}},
		{name: "a floor that is no answer", config: map[string]string{"floors": `{"relative":"hold","reason":"x"}`},
			fails: "allowed are review, rollback, off"},
		{name: "a floor that is no factor", config: map[string]string{"floors": `{"relativeSlower":0,"reason":"x"}`},
			fails: "relativeSlower more than 1"},
		{name: "a floor that is no share", config: map[string]string{"floors": `{"errorRate":1.5,"reason":"x"}`},
			fails: "more than 0 and at most 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := production()
			for key, value := range tt.config {
				config[key] = value
			}
			s, err := Load("production", config)
			if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("error %v, want one with %q", err, tt.fails)
			}
			if err != nil {
				return
			}
			var loose []string
			for _, limit := range s.LooseLimits() {
				loose = append(loose, limit.String())
			}
			if got, want := strings.Join(loose, "\n"), strings.Join(tt.loose, "\n"); got != want {
				t.Errorf("loose are\n%s\nwant\n%s", got, want)
			}
		})
	}
}
