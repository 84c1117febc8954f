//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/identity"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
)

// TestIdentity puts changes of the configuration on trial: a value that starts well and turns bad never reaches a pod
// of the stable track, whatever becomes of its pods, and a finish gives stable just what passed.
func TestIdentity(t *testing.T) {
	takeTurn(t, 4)
	c := open(t, "identity", 30150)
	c.config(t, "guard.enabled", "false") // it would act first: this tests the updates alone
	c.config(t, "soak.duration", "20s")
	c.config(t, "stages[0]", "10")
	c.config(t, "stages[1]", "100")
	c.config(t, "configEnv.FAULTS_ENABLED", "true")
	c.up(t, "staging")
	c.config(t, "image", c.configured(t, "production", "stableImage"))
	c.config(t, "staging.required", "false")
	first := c.customers(t, 50)
	c.up(t, "production")
	first.end()
	inOrder(t, c, []part[*cluster]{
		{name: "what belongs to a release", run: ownObjects, vital: true},
		{name: "a value of the ConfigMap", run: badValue("configEnv.FAULTS", "errors=0.5", "config.FAULTS added")},
		{name: "a variable", run: badValue("canary.env.FAULTS", "errors=0.5", "env.FAULTS added")},
		{name: "a secret", run: badSecret},
		{name: "the express lane", run: expressLane},
		{name: "finish", run: finishConfiguration},
	})
}

// ownObjects checks that names begin with the guide's, that content cannot change, and that both tracks run their own
// release by the ledger.
func ownObjects(t *testing.T, c *cluster) {
	for _, track := range []string{names.Stable, names.Canary} {
		for _, pod := range c.pods(t, track) {
			for _, name := range podReferences(&pod) {
				base := strings.TrimSuffix(name, name[strings.LastIndex(name, "-"):])
				if !slices.Contains([]string{"finance-db-production", "finance-secrets-production",
					"finance-service-config"}, base) {
					t.Errorf("a pod of %s refers to %s", track, name)
				}
			}
		}
	}
	for _, name := range podReferences(&c.pods(t, names.Stable)[0]) {
		patch := []string{"patch", "secret/" + name, "-n", c.production, "-p", `{"stringData":{"password":"x"}}`}
		if strings.Contains(name, "-config-") {
			patch = []string{"patch", "configmap/" + name, "-n", c.production, "-p", `{"data":{"LOG_LEVEL":"x"}}`}
		}
		if output, err := c.run(t, "kubectl", patch...); err == nil || !strings.Contains(output, "immutable") {
			t.Errorf("%s can be changed: %v\n%s", name, err, output)
		}
	}
	c.expectIdentity(t)
	if text, err := c.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the preview of an unchanged stack has changes: %v\n%s", err, tail(text))
	}
}

// badValue sets a value that starts well and fails requests.
func badValue(path, value, words string) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		c.turnsBad(t, words, func() { c.config(t, path, value) }, func() { c.unset(t, path) })
	}
}

// badSecret does the same with a secret. The variable that refers to it was on trial as well, and stays out with it.
func badSecret(t *testing.T, c *cluster) {
	c.secret(t, "secrets.finance-secrets.faults", "errors=0")
	c.config(t, "secretEnv.FAULTS", "finance-secrets/faults")
	c.customers(t, 50)
	c.up(t, "production")
	c.turnsBad(t, "secret finance-secrets-production changed",
		func() { c.secret(t, "secrets.finance-secrets.faults", "errors=0.5") },
		func() {
			c.secret(t, "secrets.finance-secrets.faults", "errors=0")
			c.unset(t, "secretEnv.FAULTS")
		})
}

// turnsBad sets a bad value, sees it rolled back and stable untouched, and sets the value back.
func (c *cluster) turnsBad(t *testing.T, words string, set, back func()) {
	t.Helper()
	suite := c.configured(t, "production", "smoke.suite")
	c.livenessOnly(t)
	defer c.config(t, "smoke.suite", suite)
	before := c.stableIdentities(t)
	watched := c.watchStable(t)
	c.customers(t, 50)
	set()
	c.refused(t, "verdict fail", "rolled back")
	c.expectTracks(t, 10, 0)
	pod := c.pods(t, names.Stable)[0]
	if output, err := c.run(t, "kubectl", "delete", "pod", pod.Name, "-n", c.production, "--wait=true"); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	c.expectTracks(t, 10, 0)
	c.refused(t, "latched", "kept out, compared with what stable runs", words)
	c.config(t, "canaryWeight", "0")
	if output, err := c.pulumi(t, "preview", "--stack", "production"); err != nil ||
		!strings.Contains(output, "stable keeps what it runs") || !strings.Contains(output, words) {
		t.Errorf("the preview does not say that stable keeps what it runs: %v\n%s", err, tail(output))
	}
	c.up(t, "production")
	if output, err := c.pulumi(t, "up", "--stack", "production", "--yes", "--skip-preview", "--refresh"); err != nil {
		t.Errorf("up --refresh: %v\n%s", err, tail(output))
	}
	if ran := watched(); !slices.Equal(ran, before) {
		t.Errorf("pods of the stable track ran %v, and before it was %v", ran, before)
	}
	back()
	c.config(t, "canaryWeight", "10")
	c.up(t, "production")
	c.expectTracks(t, 9, 1)
}

// expressLane rotates a secret on both tracks in one update, in the middle of a soak and without a failed request. One
// that the service cannot work with stops at the canary, and opens no latch on the image.
func expressLane(t *testing.T, c *cluster) {
	const host = "secrets.finance-db.host"
	before := c.state(t)
	c.secret(t, "secrets.finance-secrets.eventstore-connection", "memory://rotated")
	c.config(t, "express.reason", "the connection leaked")
	sent := c.customers(t, 100)
	whole := c.watchCapacity(t)
	c.up(t, "production")
	whole()
	sent.end()
	sent.expectAnswers(t)
	c.expectTracks(t, 9, 1)
	c.expectIdentity(t)
	after := c.state(t)
	if !after.SoakSince.Equal(before.SoakSince) {
		t.Errorf("the soak began at %v, and before the rotation it was %v", after.SoakSince, before.SoakSince)
	}
	for name, changes := range map[string][]identity.Change{
		"stable": identity.Changes(before.StableIdentity, after.StableIdentity),
		"canary": identity.Changes(before.Identity, after.Identity),
	} {
		if got := identity.Describe(changes); got != "secret finance-secrets-production changed" {
			t.Errorf("%s changed in %q", name, got)
		}
	}
	if text, err := c.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the preview after an express change has changes: %v\n%s", err, tail(text))
	}

	watched := c.watchStable(t)
	c.customers(t, 50)
	c.secret(t, host, "nowhere.invalid")
	c.refused(t, "was that of another change")
	c.config(t, "express.reason", "the database moves")
	c.refused(t, "stable keeps its values", "dependencies", "its image is not")
	c.expectTracks(t, 10, 0)
	pod := c.pods(t, names.Stable)[0]
	if output, err := c.run(t, "kubectl", "delete", "pod", pod.Name, "-n", c.production, "--wait=true"); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	c.expectTracks(t, 10, 0)
	if ran, want := watched(), []string{after.StableIdentity.Hash()}; !slices.Equal(ran, want) {
		t.Errorf("pods of the stable track ran %v, want %v", ran, want)
	}
	c.secret(t, host, "postgres.data.svc")
	c.unset(t, "express")
	for _, weight := range []string{"0", "10"} {
		c.config(t, "canaryWeight", weight)
		c.up(t, "production")
	}
	c.expectTracks(t, 9, 1)
}

// finishConfiguration takes a changed configuration beside stable's image to 100 % and finishes it.
func finishConfiguration(t *testing.T, c *cluster) {
	c.customers(t, 100)
	c.config(t, "configEnv.LOG_LEVEL", "debug")
	c.up(t, "production")
	c.config(t, "canaryWeight", "100")
	c.upWhenSoaked(t, "critical alerts fired") // about the bad values of the parts before, until it resolves
	passed := c.state(t).Identity
	c.config(t, "finish", passed.Hash())
	c.config(t, "canaryWeight", "0")
	whole := c.watchCapacity(t)
	c.upWhenSoaked(t)
	whole()
	c.expectTracks(t, 10, 0)
	if ran := c.stableIdentities(t); !slices.Equal(ran, []string{passed.Hash()}) {
		t.Errorf("stable runs %v, and %s passed", ran, passed.Hash())
	}
	c.expectIdentity(t)
	if last, _ := c.history(t).LastMove(); last.Kind != ledger.Finished {
		t.Errorf("the last move is %s", last.Kind)
	}
	if text, err := c.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the preview after a finish has changes: %v\n%s", err, tail(text))
	}
}

// expectIdentity checks that the pods of both tracks are what the ledger says.
func (c *cluster) expectIdentity(t *testing.T) {
	t.Helper()
	state := c.state(t)
	for track, want := range map[string]identity.Identity{
		names.Stable: state.StableIdentity, names.Canary: state.Identity,
	} {
		for _, pod := range c.pods(t, track) {
			if got := pod.Annotations[names.Identity]; got == "" || got != want.Hash() {
				t.Errorf("%s runs %q, and the ledger says %q", pod.Name, got, want.Hash())
			}
		}
	}
	if got := fmt.Sprint(c.outputs(t)["stableIdentity"]); got != state.StableIdentity.Hash() {
		t.Errorf("the outputs tell of %s, and the ledger of %s", got, state.StableIdentity.Hash())
	}
}

// pods are those of a track that are not on their way out.
func (c *cluster) pods(t *testing.T, track string) []corev1.Pod {
	t.Helper()
	list, err := c.kubernetes.CoreV1().Pods(c.production).List(t.Context(), metav1.ListOptions{
		LabelSelector: names.App + "=finance-service," + names.Track + "=" + track})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.DeletionTimestamp != nil })
}

func (c *cluster) stableIdentities(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, pod := range c.pods(t, names.Stable) {
		found[pod.Annotations[names.Identity]] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// watchStable watches every pod of the stable track until end is called, which returns the identities that they had.
// One that is on its way out belongs to the update before.
func (c *cluster) watchStable(t *testing.T) (end func() []string) {
	t.Helper()
	ran := map[string]bool{}
	stop := c.watchPods(t, names.App+"=finance-service,"+names.Track+"="+names.Stable, func(pods []corev1.Pod) {
		for i := range pods {
			if pods[i].DeletionTimestamp == nil {
				ran[pods[i].Annotations[names.Identity]] = true
			}
		}
	})
	return func() []string {
		stop()
		return slices.Sorted(maps.Keys(ran))
	}
}

// podReferences are the Secrets and ConfigMaps that a pod takes its variables from.
func podReferences(pod *corev1.Pod) []string {
	found := map[string]bool{}
	for _, container := range pod.Spec.Containers {
		for _, variable := range container.Env {
			if variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil {
				found[variable.ValueFrom.SecretKeyRef.Name] = true
			}
		}
		for _, source := range container.EnvFrom {
			if source.ConfigMapRef != nil {
				found[source.ConfigMapRef.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
