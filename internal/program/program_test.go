package program

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestProductionAtWeek1(t *testing.T) {
	w := newWorld()
	if err := w.run(t, "production", productionConfig()); err != nil {
		t.Fatal(err)
	}
	stable := w.replicas(t, "kubernetes:apps/v1:Deployment/stable")
	canary := w.replicas(t, "kubernetes:apps/v1:Deployment/finance-service-week1")
	if stable != 9 || canary != 1 {
		t.Errorf("%v stable and %v canary pods", stable, canary)
	}
	record := w.inputs["kubernetes:core/v1:ConfigMap/release"]["data"].ObjectValue()
	if record["weight"].StringValue() != "10" || !strings.Contains(record["image"].StringValue(), "v2@sha256:") ||
		!strings.Contains(record["stableImage"].StringValue(), "v1@sha256:") {
		t.Errorf("record %v", record)
	}
	for _, name := range []string{"finance-db-production", "finance-secrets-production"} {
		if w.ofRelease(t, "kubernetes:core/v1:Secret/"+name) == "" {
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
	if _, ok := w.inputs["kubernetes:apps/v1:Deployment/finance-service-week1"]; ok {
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
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/finance-service-week1"); pods != 0 {
		t.Errorf("%v canary pods", pods)
	}
	if pods := w.replicas(t, "kubernetes:apps/v1:Deployment/stable"); pods != 10 {
		t.Errorf("%v stable pods", pods)
	}
	// What passes the gate at 0 % is stable: the canary's image runs nowhere.
	if image := w.text(t, "kubernetes:core/v1:ConfigMap/release", "data.image"); !strings.Contains(image, "finance:v1@") {
		t.Errorf("the record tells of the image %s", image)
	}
}

func TestRefusalsChangeNothing(t *testing.T) {
	tests := []struct {
		name   string
		world  func(*world)
		config map[string]string
		want   []string
	}{
		{name: "unreachable cluster", world: func(w *world) { w.Offline = errors.New("the API server does not answer") },
			want: []string{"does not answer"}},
		{name: "wrong context", config: map[string]string{"kubeContext": "nowhere"}, want: []string{"nowhere"}},
		{name: "foreign namespace", world: func(w *world) {
			w.Owner = &kube.Namespace{Annotations: map[string]string{names.Owner: "other/production"}}
		}, want: []string{"vextrus-production", "other/production", "finance-rollout/production", "kubectl annotate"}},
		{name: "unmarked namespace", world: func(w *world) { w.Owner = &kube.Namespace{} },
			want: []string{"somebody else", "kubectl annotate"}},
		{name: "no operator", world: func(w *world) { w.Served = nil },
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
	w.Owner = &kube.Namespace{Annotations: map[string]string{names.Owner: "finance-rollout/production"}}
	if err := w.run(t, "production", productionConfig()); err != nil {
		t.Error(err)
	}
}

func TestWithoutMonitoringNoOperatorIsNeeded(t *testing.T) {
	w := newWorld()
	w.Served = nil
	config := productionConfig()
	config["monitoring"] = `{"enabled":false}`
	if err := w.run(t, "production", config); err != nil {
		t.Error(err)
	}
}

func TestABuiltImageIsDeployedByDigest(t *testing.T) {
	w := newWorld()
	config := buildingConfig(map[string]string{
		"registry": `{"server":"registry.example.com","username":"robot","password":"pull-me"}`})
	if err := w.run(t, "staging", config); err != nil {
		t.Fatal(err)
	}
	record := w.inputs["kubernetes:core/v1:ConfigMap/release"]["data"].ObjectValue()
	if got := record["image"].StringValue(); got != builtDigest {
		t.Errorf("the only track runs %q", got)
	}
	if got := w.text(t, "docker:index/image:Image/image", "build.dockerfile"); got != "service/Dockerfile" {
		t.Errorf("the Dockerfile is %q, from the program's folder", got)
	}
	if _, ok := w.inputs["kubernetes:core/v1:Secret/registry-staging"]; !ok {
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
	// No pod of the service gets the key of a webhook: it must not replace any.
	for _, key := range []settings.Secret{"one", "two"} {
		if before != load(func(s *settings.Settings) {
			s.Secrets["notify"] = map[string]settings.Secret{"hmac-key": key}
			s.Notify.Webhooks = []settings.Webhook{{Secret: settings.SecretRef{Secret: "notify", Key: "hmac-key"}}}
		}) {
			t.Error("the key of a webhook changes the checksum")
		}
	}
}

func TestWhatCannotBeEncodedHasNoChecksum(t *testing.T) {
	if sum, err := digest(func() {}); err == nil {
		t.Errorf("a function has the checksum %s", sum)
	}
}

// A first update with a canary that never becomes ready ends when progressTimeout is over: the tracks and the Service
// have one limit.
func TestProgressTimeoutLimitsTheServiceAsWellAsTheTracks(t *testing.T) {
	w, config := newWorld(), productionConfig()
	config["progressTimeout"] = "4m"
	if err := w.run(t, "production", config); err != nil {
		t.Fatal(err)
	}
	track := w.text(t, "kubernetes:apps/v1:Deployment/finance-service-week1",
		`metadata.annotations["pulumi.com/timeoutSeconds"]`)
	if service := w.limits["kubernetes:core/v1:Service/traffic"]; track != "240" || service != "4m0s 4m0s" {
		t.Errorf("the track has %q seconds, the Service %q", track, service)
	}
}

func TestAnInterruptionChangesTheTracksAndTheRecord(t *testing.T) {
	for number, want := range map[int]string{0: "", 2: "2"} {
		w := newWorld()
		if number > 0 {
			store := ledger.InConfigMap{Cluster: w, Namespace: "vextrus-production", Name: "finance-service-ledger"}
			_, err := ledger.Write(t.Context(), store, time.Now, ledger.Entry{Kind: ledger.RollbackBegun, Image: "sha256:1111"},
				ledger.Entry{Kind: ledger.RolledBack, Image: "sha256:1111"})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.run(t, "production", productionConfig()); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"kubernetes:apps/v1:Deployment/stable",
			"kubernetes:apps/v1:Deployment/finance-service-week1"} {
			if got := w.text(t, key, `metadata.annotations["finance-rollout/interruption"]`); got != want {
				t.Errorf("after entry %d %s carries %q", number, key, got)
			}
		}
		if got := w.text(t, "kubernetes:core/v1:ConfigMap/release", "data.interruption"); got != want {
			t.Errorf("after entry %d the record carries %q", number, got)
		}
	}
}

// A stack that sets nothing new keeps the checksum of its release: another one would make the gates run again.
func TestStacksThatSetNothingNewKeepTheirChecksum(t *testing.T) {
	for change, same := range map[string]bool{
		"": true, `user {"runAsUser":65532}`: true, `user {"runAsUser":1001}`: false, `writable ["/app/src"]`: false,
		`tmpSize 64Mi`: true, `tmpSize 1Gi`: false, `args ["x"]`: false, `podAnnotations {"a":"b"}`: false,
		`rollingUpdate {"maxSurge":3}`: true, `serviceAccount {"annotations":{"a":"b"}}`: true,
		`envFrom [{"secretRef":"a"}]`: false, `existingSecretEnv {"A":"vault/a"}`: false, `existingSecretEnv {"A":""}`: true,
		`pod {"spec":{"priority":1}}`: false, `canary {"pod":{"spec":{"priority":1}}}`: false,
		`stable {"pod":{"spec":{"priority":1}}}`: true,
	} {
		config := productionConfig()
		if key, value, ok := strings.Cut(change, " "); ok {
			config[key] = value
		}
		s, err := settings.Load("production", testkit.Config(config))
		if err != nil {
			t.Fatal(err)
		}
		got, err := digest(podSpec(s, names.Canary))
		if err != nil || (got == "d911a40037342ac3") != same {
			t.Errorf("%q: checksum %s, %v", change, got, err)
		}
	}
}

// An overlay with further containers narrows the alerts to the service's own.
func TestAlertsKnowTheServicesContainer(t *testing.T) {
	const proxy = `{"spec":{"initContainers":[{"name":"proxy","image":"proxy@sha256:aa","restartPolicy":"Always",
		"securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`
	for pod, want := range map[string]string{"{}": "", proxy: "finance-service"} {
		config := productionConfig()
		config["pod"] = pod
		s, err := settings.Load("production", testkit.Config(config))
		if err != nil {
			t.Fatal(err)
		}
		if got := alertParams(s).Container; got != want {
			t.Errorf("pod %s: the alerts are about %q", pod, got)
		}
	}
}
