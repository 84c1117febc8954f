package settings

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/kube/podstate"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestOverlaysOfATrack(t *testing.T) {
	s, err := Load("production", production("pod", `{"spec":{"nodeSelector":{"pool":"a"},"priority":7}}`,
		"canary", `{"pod":{"spec":{"nodeSelector":{"pool":"b"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	both := Overlay{"spec": map[string]any{"nodeSelector": map[string]any{"pool": "a"}, "priority": int64(7)}}
	stable := Overlay{"spec": map[string]any{"nodeSelector": map[string]any{"pool": "b"}}}
	if diff := cmp.Diff([]Overlay{both}, s.Overlays(names.Stable)); diff != "" {
		t.Errorf("stable: %s", diff)
	}
	if diff := cmp.Diff([]Overlay{both, stable}, s.Overlays(names.Canary)); diff != "" {
		t.Errorf("canary: %s", diff)
	}
	if s.HasFurtherContainers() {
		t.Error("a node selector is taken for a container")
	}
}

// Each refusal names the key, what was given, what is allowed and the command that resolves it.
func TestOverlaysAreRefusedByTheirKey(t *testing.T) {
	const container = `{"spec":{"containers":[{"name":"finance-service",`
	tests := []struct {
		name    string
		changes []string
		want    []string
	}{
		{"a typo", []string{"pod", `{"spec":{"contaners":[]}}`},
			[]string{"config pod.spec.contaners", "no such field; did you mean containers?",
				"pulumi config rm --path pod.spec.contaners -s production"}},
		{"a typo in a list", []string{"canary", `{"pod":{"spec":{"tolerations":[{"kay":"spot"}]}}}`},
			[]string{"config canary.pod.spec.tolerations[0].kay", "did you mean key?"}},
		{"a name in another case", []string{"pod", `{"spec":{"NodeSelector":{}}}`},
			[]string{"config pod.spec.NodeSelector", "did you mean nodeSelector?"}},
		{"a field of something else", []string{"pod", `{"kind":"Deployment"}`},
			[]string{"config pod.kind", "no such field of a PodTemplateSpec"}},
		{"a text for a number", []string{"pod", `{"spec":{"terminationGracePeriodSeconds":"60"}}`},
			[]string{`config pod.spec.terminationGracePeriodSeconds is "60"`, "not a whole number"}},
		{"a number for a text", []string{"pod", container + `"env":[{"name":"A","value":5}]}]}}`},
			[]string{"config pod.spec.containers[0].env[0].value", "a text is needed"}},
		{"a quantity", []string{"pod", `{"spec":{"volumes":[{"name":"a","emptyDir":{"sizeLimit":"much"}}]}}`},
			[]string{"config pod.spec.volumes[0].emptyDir.sizeLimit", "much"}},
		{"an object for a list", []string{"pod", `{"spec":{"containers":{"name":"a"}}}`},
			[]string{"config pod.spec.containers", "a list is needed"}},
		{"another track", []string{"canary", `{"pod":{"metadata":{"labels":{"track":"stable"}}}}`},
			[]string{`config canary.pod.metadata.labels.track is "stable"`, `stays "canary"`,
				"pulumi config rm --path canary.pod.metadata.labels.track -s production"}},
		{"a label with a path", []string{"pod", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"helm"}}}`},
			[]string{`config pod.metadata.labels["app.kubernetes.io/managed-by"] is "helm"`,
				`pulumi config rm --path 'pod.metadata.labels["app.kubernetes.io/managed-by"]' -s production`}},
		{"the service's image", []string{"pod", container + `"image":"finance:v9"}]}}`},
			[]string{`config pod.spec.containers[0].image is "finance:v9"`, "image and stableImage",
				"pulumi config rm --path 'pod.spec.containers[0].image' -s production"}},
		{"the service's port", []string{"stable", `{"pod":` + container + `"ports":[{"name":"http","containerPort":80}]}]}}}`},
			[]string{`config stable.pod.spec.containers[0].ports is "http 80"`, "the port http 3014", "containerPort"}},
		{"no readiness probe", []string{"pod", container + `"readinessProbe":null}]}}`},
			[]string{"config pod.spec.containers[0].readinessProbe", "gets requests before it can answer"}},
		{"no containers", []string{"pod", `{"spec":{"containers":[{"$patch":"replace"}]}}`},
			[]string{"config pod.spec.containers", "the container finance-service is the service itself"}},
		{"no spec", []string{"pod", `{"spec":{"$patch":"replace"}}`},
			[]string{"config pod.spec", "the service itself", "pulumi config rm --path pod.spec -s production"}},
		{"a policy", []string{"pod", `{"spec":{"restartPolicy":"OnFailure"}}`},
			[]string{`config pod.spec.restartPolicy is "OnFailure"`, "restart always"}},
		{"a privileged sidecar", []string{"pod",
			`{"spec":{"containers":[{"name":"proxy","image":"p","securityContext":{"privileged":true}}]}}`},
			[]string{"config pod.spec", "level restricted", "privileged"}},
		{"root", []string{"user", `{"runAsUser":0}`}, []string{`config user.runAsUser is "0"`, "as root",
			"pulumi config set --path user.runAsUser 1001 -s production"}},
		{"a group below zero", []string{"user", `{"fsGroup":-1}`}, []string{`config user.fsGroup is "-1"`}},
		{"a writable folder by a relative path", []string{"writable", `["src"]`},
			[]string{`config writable[0] is "src"`, "absolute path", "--path 'writable[0]' /app/logs -s production"}},
		{"the whole file system", []string{"writable", `["/"]`}, []string{`config writable[0] is "/"`}},
		{"a folder twice", []string{"writable", `["/a","/a"]`}, []string{"config writable[1]", "writable already"}},
		{"tmp", []string{"writable", `["/tmp"]`}, []string{"config writable[0]", "writable already"}},
		{"a size", []string{"tmpSize", "big"}, []string{`config tmpSize is "big"`, "64Mi"}},
		{"an annotation of the rollout", []string{"podAnnotations", `{"finance-rollout/config-checksum":"x"}`},
			[]string{`config podAnnotations["finance-rollout/config-checksum"] is "x"`, "belong to the rollout",
				`pulumi config rm --path 'podAnnotations["finance-rollout/config-checksum"]' -s production`}},
		{"no name of an annotation", []string{"serviceAccount", `{"annotations":{"a b":"x"}}`},
			[]string{`config serviceAccount.annotations["a b"]`, "no name of an annotation"}},
		{"no surge", []string{"rollingUpdate", `{"maxSurge":0}`},
			[]string{`config rollingUpdate.maxSurge is "0"`, "no pod could ever be replaced"}},
		{"a surge in words", []string{"rollingUpdate", `{"maxSurge":"some"}`}, []string{"config rollingUpdate.maxSurge"}},
		{"more than all", []string{"rollingUpdate", `{"maxUnavailable":"150%"}`},
			[]string{"config rollingUpdate.maxUnavailable", "at most 100%"}},
		{"a memory limit is needed", []string{"resources", `{"limits":{"memory":""}}`},
			[]string{"config resources.limits.memory"}},
		{"an existing secret without a key", []string{"existingSecretEnv", `{"A":"vault-db"}`},
			[]string{"config existingSecretEnv.A", "secret/key"}},
		{"an existing secret by no name", []string{"existingSecretEnv", `{"A":"Vault/key"}`},
			[]string{`config existingSecretEnv.A is "Vault/key"`, "no name of a Secret"}},
		{"a variable from two secrets", []string{"existingSecretEnv", `{"JWT_SECRET":"vault/jwt"}`},
			[]string{"config existingSecretEnv.JWT_SECRET", "finance-secrets/jwt-secret",
				`pulumi config set --path secretEnv.JWT_SECRET '""' -s production`}},
		{"a source without a name", []string{"envFrom", `[{"prefix":"A_"}]`}, []string{"config envFrom[0]", "secretRef"}},
		{"a source with two names", []string{"envFrom", `[{"secretRef":"a","configMapRef":"b"}]`},
			[]string{"config envFrom[0]", "one of secretRef and configMapRef"}},
		{"a source in Kubernetes' own form", []string{"envFrom", `[{"secretRef":{"name":"a"}}]`},
			[]string{"config envFrom[0].secretRef", "a text is needed"}},
		{"a typo in a source", []string{"envFrom", `[{"secretref":"a","secret":"b"}]`},
			[]string{"config envFrom[0].secret", "no such field"}},
		{"a command that is a text", []string{"command", `"node"`}, []string{"config command"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			testkit.WantError(t, err, tt.want...)
		})
	}
}

// encrypted is a stack that keeps a key encrypted.
type encrypted struct {
	testkit.Config
	key string
}

func (e encrypted) IsSecret(key string) bool { return key == e.key || key == "secrets" }

func TestEncryptedOverlaysAreRefused(t *testing.T) {
	patch := `{"spec":{"containers":[{"name":"finance-service","env":[{"name":"A","value":"s3cr3t-value"}]}]}}`
	_, err := Load("production", encrypted{production("pod", patch), "pod"})
	testkit.WantError(t, err, "config pod", "plain text in the Deployment", "secretKeyRef")
	if strings.Contains(err.Error(), "s3cr3t-value") {
		t.Errorf("the error shows the value: %v", err)
	}
	// A track's other settings may be encrypted.
	if _, err := Load("production", encrypted{production("canary", `{"env":{"A":"b"}}`), "canary"}); err != nil {
		t.Error(err)
	}
}

func TestShortSettingsOfThePods(t *testing.T) {
	s, err := Load("production", production("user", `{"runAsUser":"1001","runAsGroup":0}`, "writable", `["/app/src"]`,
		"tmpSize", "1Gi", "args", `["--port",9898]`, "podAnnotations", `{"linkerd.io/inject":"enabled","rank":5}`,
		"rollingUpdate", `{"maxSurge":3}`, "resources", `{"limits":{"cpu":""}}`,
		"serviceAccount", `{"annotations":{"iam.gke.io/gcp-service-account":"a@b.c"}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{s.User, s.Writable, s.TmpSize, s.Args, s.PodAnnotations, s.RollingUpdate, s.Resources.Limits,
		s.ServiceAccount.Annotations}
	want := []any{User{1001, 0, 65532}, []string{"/app/src"}, Quantity("1Gi"), Words{"--port", "9898"},
		Values{"linkerd.io/inject": "enabled", "rank": "5"}, RollingUpdate{"3", "0"}, Quantities{"", "2Gi"},
		Values{"iam.gke.io/gcp-service-account": "a@b.c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatThePodsAskFor(t *testing.T) {
	sidecar := `{"pod":{"spec":{"containers":[{"name":"proxy","image":"p","resources":{"requests":{"cpu":"100m"}},
		"securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}}`
	s, err := Load("production", production("resources", `{"requests":{"cpu":"200m"}}`, "canary", sidecar))
	if err != nil {
		t.Fatal(err)
	}
	for track, want := range map[string]string{names.Stable: "200m 1Gi", names.Canary: "300m 1Gi"} {
		pods, err := s.Pods(track)
		if err != nil {
			t.Fatal(err)
		}
		cpu, memory := podstate.Requests(pods)
		if got := cpu.String() + " " + memory.String(); got != want {
			t.Errorf("a %s pod asks for %s, want %s", track, got, want)
		}
	}
}
