package live

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// load reads the settings of a stack whose canary is v2, with ten pods.
func load(t *testing.T, changes map[string]string) *settings.Settings {
	t.Helper()
	s, err := settings.Load("production", testkit.Config{
		"app": "shop", "namespace": "shop", "release": "v2", "image": "shop:2", "stableImage": "shop:1", "week": "1",
		"serviceName": "shop", "prometheus": "http://127.0.0.1:1", "replicas": "10",
		"secretEnv": `{"PASSWORD":"db/password"}`, "secrets": `{"db":{"password":"` + secret + `"}}`,
		"smoke": `{"tokenFrom":"","originFrom":""}`,
	}.With(changes))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// planned are the Deployments with the numbers of pods that they should have.
func planned(options Options) map[string]int {
	pods := map[string]int{}
	for _, target := range options.Targets {
		pods[target.Name] = target.Planned
	}
	return pods
}

func TestTheTargetsOfAStack(t *testing.T) {
	gateway := testkit.Config{"traffic": "gateway", "gateway": `{"name":"edge","namespace":"edge"}`}
	scaled := gateway.With(map[string]string{"canary": `{"autoscale":{"min":2,"max":10,"cpuPercent":70}}`})
	for name, tt := range map[string]struct {
		changes          map[string]string
		planned          map[string]int
		weight, replicas int
	}{
		"both tracks":   {nil, map[string]int{"shop-v2": 1, "shop-stable": 9}, 10, 10},
		"no canary":     {map[string]string{"canaryWeight": "0"}, map[string]int{"shop-stable": 10}, 0, 10},
		"by a gateway":  {gateway, map[string]int{"shop-v2": 1, "shop-stable": 10}, 0, 0},
		"by autoscaler": {scaled, map[string]int{"shop-v2": 0, "shop-stable": 10}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			options := OptionsOf(load(t, tt.changes), "production", time.Minute, "/health", time.Now)
			if diff := cmp.Diff(tt.planned, planned(options)); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
			if options.Weight != tt.weight || options.Replicas != tt.replicas {
				t.Errorf("weight %d of %d pods", options.Weight, options.Replicas)
			}
		})
	}
}

func TestOptionsSelectTheSeriesOfTheTrack(t *testing.T) {
	options := OptionsOf(load(t, nil), "production", time.Minute, "/health", time.Now)
	want := map[string]map[string]string{
		"shop-v2":     {"namespace": "shop", "app": "shop", "track": "canary", "version": "v2"},
		"shop-stable": {"namespace": "shop", "app": "shop", "track": "stable"},
	}
	got := map[string]map[string]string{}
	for _, target := range options.Targets {
		got[target.Name] = target.Metrics.Selector
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("selectors (-want +got):\n%s", diff)
	}
	kinds := map[gate.Kind]int{}
	for _, criterion := range options.Criteria {
		kinds[criterion.Kind]++
	}
	if kinds[gate.KindErrorRate] != 1 || kinds[gate.KindLatency] != 1 {
		t.Errorf("criteria %v", kinds)
	}
	if text := options.Redact("postgres://ann:hunter2@db/shop refused"); text == "" ||
		cmp.Equal(text, "postgres://ann:hunter2@db/shop refused") {
		t.Errorf("a credential is left in %q", text)
	}
}

// A rollout that stands elsewhere is not measured by the plan, and the options that were planned stay as they are.
func TestUnplanned(t *testing.T) {
	options := OptionsOf(load(t, nil), "production", time.Minute, "/health", time.Now)
	unplanned := options.Unplanned()
	if diff := cmp.Diff(map[string]int{"shop-v2": 0, "shop-stable": 0}, planned(unplanned)); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if unplanned.Weight != 0 || unplanned.Replicas != 0 {
		t.Errorf("weight %d of %d pods", unplanned.Weight, unplanned.Replicas)
	}
	if diff := cmp.Diff(map[string]int{"shop-v2": 1, "shop-stable": 9}, planned(options)); diff != "" {
		t.Errorf("the plan is changed (-want +got):\n%s", diff)
	}
}
