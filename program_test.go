package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
)

func TestProductionAtWeek1(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", productionConfig()); err != nil {
		t.Fatal(err)
	}
	stable := w.replicas(t, "kubernetes:apps/v1:Deployment/stable")
	canary := w.replicas(t, "kubernetes:apps/v1:Deployment/canary")
	if stable != 9 || canary != 1 {
		t.Errorf("%v stable and %v canary pods", stable, canary)
	}
	record := w.inputs["kubernetes:core/v1:ConfigMap/release"]["data"].ObjectValue()
	if record["weight"].StringValue() != "10" || !strings.Contains(record["image"].StringValue(), "v2@sha256:") ||
		!strings.Contains(record["stableImage"].StringValue(), "v1@sha256:") {
		t.Errorf("record %v", record)
	}
	for _, name := range []string{"finance-db-production", "finance-secrets-production"} {
		if _, ok := w.inputs["kubernetes:core/v1:Secret/"+name]; !ok {
			t.Errorf("no secret %s", name)
		}
	}
}

func TestStagingHasOneTrack(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	maps.Copy(config, map[string]string{"strategy": "single", "replicas": "2", "release": "staging",
		"serviceName": "finance-service-staging", "namespace": "vextrus-staging"})
	delete(config, "stableImage")
	if err := w.run(t, "staging", config); err != nil {
		t.Fatal(err)
	}
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/stable"); pods != 2 {
		t.Errorf("%v pods", pods)
	}
	if _, ok := w.inputs["kubernetes:apps/v1:Deployment/canary"]; ok {
		t.Error("a canary in staging")
	}
}

func TestWeightZeroKeepsTheCanaryWithoutPods(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	config["canaryWeight"] = "0"
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/canary"); pods != 0 {
		t.Errorf("%v canary pods", pods)
	}
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/stable"); pods != 10 {
		t.Errorf("%v stable pods", pods)
	}
}

func TestRefusalsChangeNothing(t *testing.T) {
	tests := []struct {
		name   string
		world  func(*world)
		config map[string]string
		want   []string
	}{
		{name: "unreachable cluster", world: func(w *world) { w.offline = errors.New("the API server does not answer") },
			want: []string{"does not answer"}},
		{name: "wrong context", config: map[string]string{"kubeContext": "nowhere"}, want: []string{"nowhere"}},
		{name: "foreign namespace", world: func(w *world) {
			w.owner = &kube.Namespace{Annotations: map[string]string{names.Owner: "other/production"}}
		}, want: []string{"vextrus-production", "other/production", "finance-rollout/production", "kubectl annotate"}},
		{name: "unmarked namespace", world: func(w *world) { w.owner = &kube.Namespace{} },
			want: []string{"somebody else", "kubectl annotate"}},
		{name: "no operator", world: func(w *world) { w.kinds = nil },
			want: []string{"ServiceMonitor", "monitoring.enabled false"}},
		{name: "tag that does not resolve", config: map[string]string{"image": "vextrus/missing:v9"},
			want: []string{"config image", "vextrus/missing:v9"}},
		{name: "stable tag that does not resolve", config: map[string]string{"stableImage": "vextrus/missing:v9"},
			want: []string{"config stableImage"}},
		{name: "weight", config: map[string]string{"canaryWeight": "33"},
			want: []string{"canaryWeight", "33", "30 %", "40 %"}},
		{name: "unknown key", config: map[string]string{"canaryWieght": "30"}, want: []string{"canaryWieght", "no such key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			if tt.world != nil {
				tt.world(w)
			}
			config := productionConfig()
			maps.Copy(config, tt.config)
			err := w.run(t, "production", config)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error does not name %q: %v", word, err)
				}
			}
			delete(w.inputs, "pulumi:pulumi:Stack/"+project+"-production")
			if len(w.inputs) != 0 {
				t.Errorf("made %v", slices.Sorted(maps.Keys(w.inputs)))
			}
		})
	}
}

func TestOwnNamespaceIsNoObstacle(t *testing.T) {
	w := newWorld()
	w.owner = &kube.Namespace{Annotations: map[string]string{names.Owner: "finance-rollout/production"}}
	if err := w.run(t, "production", productionConfig()); err != nil {
		t.Error(err)
	}
}

func TestWithoutMonitoringNoOperatorIsNeeded(t *testing.T) {
	w := newWorld()
	w.kinds = nil
	config := productionConfig()
	config["monitoring"] = `{"enabled":false}`
	if err := w.run(t, "production", config); err != nil {
		t.Error(err)
	}
}

func TestABuiltImageIsDeployedByDigest(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	config["build"] = `{"context":"service"}`
	config["registry"] = `{"server":"registry.example.com","username":"robot","password":"pull-me"}`
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	record := w.inputs["kubernetes:core/v1:ConfigMap/release"]["data"].ObjectValue()
	if got := record["image"].StringValue(); got != builtDigest {
		t.Errorf("the canary runs %q", got)
	}
	if _, ok := w.inputs["kubernetes:core/v1:Secret/registry-production"]; !ok {
		t.Error("no registry credentials for the pods")
	}
}

func TestEveryFailingResourceFailsTheProgram(t *testing.T) {
	w := newWorld()
	config := productionConfig()
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]bool{}
	for key := range w.inputs {
		tokens[key[:strings.LastIndex(key, "/")]] = true
	}
	delete(tokens, "pulumi:pulumi:Stack")
	if len(tokens) < 15 {
		t.Errorf("only %d types of resources", len(tokens))
	}
	for token := range tokens {
		failing := newWorld()
		failing.failing = token
		if err := failing.run(t, "production", config); err == nil {
			t.Errorf("the program passed without %s", token)
		}
	}
}

func TestChecksumFollowsSecretsAndConfig(t *testing.T) {
	load := func(change func(*settings.Settings)) string {
		s := settings.Defaults()
		s.Secrets = map[string]map[string]settings.Secret{"finance-db": {"password": "one"}}
		change(s)
		sum, err := checksum(s)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	before := load(func(*settings.Settings) {})
	if before != load(func(*settings.Settings) {}) {
		t.Error("the checksum is not stable")
	}
	for name, change := range map[string]func(*settings.Settings){
		"secret": func(s *settings.Settings) { s.Secrets["finance-db"]["password"] = "two" },
		"config": func(s *settings.Settings) { s.ConfigEnv["LOG_LEVEL"] = "debug" },
	} {
		if before == load(change) {
			t.Errorf("a changed %s leaves the checksum as it was", name)
		}
	}
}

func TestWhatCannotBeEncodedHasNoChecksum(t *testing.T) {
	if sum, err := digest(func() {}); err == nil {
		t.Errorf("a function has the checksum %s", sum)
	}
}

func TestPodsOf(t *testing.T) {
	object := resource.NewPropertyMapFromMap
	for want, inputs := range map[int]resource.PropertyMap{
		7: object(map[string]any{"spec": map[string]any{"replicas": 7}}),
		3: object(map[string]any{"spec": map[string]any{"minReplicas": 3, "maxReplicas": 9}}),
		0: object(map[string]any{"spec": "unknown"}),
	} {
		if got := podsOf(inputs); got != want {
			t.Errorf("podsOf(%v) = %d", inputs, got)
		}
	}
}

func TestAShrinkingTrackWaitsForTheOther(t *testing.T) {
	deployment := func(replicas int) resource.PropertyMap {
		return resource.NewPropertyMapFromMap(map[string]any{"spec": map[string]any{"replicas": replicas}})
	}
	tests := []struct {
		name                 string
		before, after, other int
		unready              error
		live                 int
		waits, fails         bool
	}{
		{name: "shrinks", before: 9, after: 7, other: 3, waits: true},
		{name: "shrinks in the cluster only", before: 7, live: 10, after: 9, other: 1, waits: true},
		{name: "grows", before: 1, after: 3, other: 7},
		{name: "stays", before: 9, after: 9, other: 1},
		{name: "shrinks beside a track without pods", before: 10, after: 9, other: 0},
		{name: "the other never gets ready", before: 9, after: 7, other: 3, unready: errors.New("1 of 3 ready"), waits: true,
			fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.unready, w.live = tt.unready, tt.live
			h := &hooks{settings: settings.Defaults(), cluster: w}
			h.settings.Namespace = "vextrus-production"
			h.shift = &shift{settings: h.settings, cluster: w, canary: known(onTrial), stable: known(oldImage)}
			err := h.beforeShrink(t.Context(), &pulumi.ResourceHookArgs{
				Name: "stable", OldInputs: deployment(tt.before), NewInputs: deployment(tt.after),
			}, names.Stable, other{deployment: "finance-service-week1", replicas: tt.other})
			if (len(w.awaited) > 0) != tt.waits || (err != nil) != tt.fails {
				t.Fatalf("waited for %v, error %v", w.awaited, err)
			}
			if want := fmt.Sprintf("vextrus-production/finance-service-week1: %d", tt.other); tt.waits && w.awaited[0] != want {
				t.Errorf("waited for %s, want %s", w.awaited[0], want)
			}
			if want := fmt.Sprintf("endpoints of %s: %d", h.settings.ServiceName, tt.other); tt.waits && !tt.fails &&
				!slices.Contains(w.awaited, want) {
				t.Errorf("waited for %v and not for the endpoints", w.awaited)
			}
			if tt.fails && (!strings.Contains(err.Error(), "stays at 9 pods") ||
				!strings.Contains(err.Error(), "1 of 3 ready")) {
				t.Errorf("the error does not tell what it waited for: %v", err)
			}
		})
	}
}
