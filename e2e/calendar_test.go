//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vextrus/finance-rollout/internal/names"
)

// TestCalendar moves a release by the weeks alone, through weeks that fail, and exchanges it for another by name. Its
// parts build on each other and run in order.
func TestCalendar(t *testing.T) {
	takeTurn(t, 9)
	c := open(t, "calendar", 30480)
	c.unset(t, "release")
	c.config(t, "stages[0]", "60")
	c.config(t, "stages[1]", "100")
	c.up(t, "staging")
	inOrder(t, c, []part[*cluster]{
		{name: "there, a week that fails, and back", run: weekThatFails, vital: true},
		{name: "a rename", run: renameRefused, vital: true},
		{name: "there, a release that fails, and back", run: releaseThatFails},
	})
}

// expectCanary checks that one canary lives under the name, with its budget, and no other.
func (c *cluster) expectCanary(t *testing.T, release string, stable, canary int) {
	t.Helper()
	track := metav1.ListOptions{LabelSelector: names.Track + "=" + names.Canary}
	deployments, err := c.kubernetes.AppsV1().Deployments(c.production).List(t.Context(), track)
	if err != nil {
		t.Fatal(err)
	}
	var canaries []string
	for _, deployment := range deployments.Items {
		canaries = append(canaries, deployment.Name)
	}
	name := names.CanaryDeployment("finance-service", release)
	if !slices.Equal(canaries, []string{name}) {
		t.Fatalf("the canary's Deployments are %v, want %s", canaries, name)
	}
	if _, err := c.kubernetes.PolicyV1().PodDisruptionBudgets(c.production).Get(t.Context(), name,
		metav1.GetOptions{}); err != nil {
		t.Errorf("the canary's budget: %v", err)
	}
	for deployment, want := range map[string]int{"finance-service-stable": stable, name: canary} {
		eventually(t, deployment+" is ready", func() bool {
			desired, ready := c.ready(t, deployment)
			return desired == want && ready == want
		})
	}
	c.expectEndpoints(t, stable, canary)
}

// noBake lets updates pass without requests.
func (c *cluster) noBake(t *testing.T) { c.config(t, "bake.duration", "0s") }

// hopelessBake asks for more requests than there are: an update that raises the weight fails.
func (c *cluster) hopelessBake(t *testing.T) {
	c.config(t, "bake.duration", "20s")
	c.config(t, "bake.minRequests", "1000000")
}

// weekThatFails goes from week 1 to a week 2 that does not pass its bake, and back to week 1.
func weekThatFails(t *testing.T, c *cluster) {
	c.noBake(t)
	c.config(t, "week", "1")
	c.up(t, "production")
	c.expectCanary(t, "week1", 4, 6)
	sent := c.customers(t, 50)

	c.hopelessBake(t)
	c.config(t, "week", "2")
	c.config(t, "override.weight", "100")
	c.config(t, "override.reason", "the test does not soak")
	c.refused(t, "verdict inconclusive")
	if desired, _ := c.ready(t, "finance-service-week1"); desired != 10 {
		t.Errorf("week 2 gives the canary %d pods", desired)
	}

	c.noBake(t)
	c.unset(t, "override")
	c.config(t, "week", "1")
	c.up(t, "production")
	c.expectCanary(t, "week1", 4, 6)
	sent.end()
	sent.expectAnswers(t)
	deployment, err := c.kubernetes.AppsV1().Deployments(c.production).Get(t.Context(), "finance-service-week1",
		metav1.GetOptions{})
	if err != nil || deployment.Annotations["deployment.kubernetes.io/revision"] != "1" {
		t.Errorf("the weeks restarted the canary's pods: %v %v", deployment.Annotations, err)
	}
	if text, err := c.pulumi(t, "preview", "--stack", "production", "--expect-no-changes"); err != nil {
		t.Errorf("the preview of an unchanged stack has changes: %v\n%s", err, tail(text))
	}
}

// renameRefused asks for another name at the same weight.
func renameRefused(t *testing.T, c *cluster) {
	before := c.generations(t)
	c.config(t, "release", "v2")
	c.refused(t, "renamed canary", "week1 is on trial", "pulumi config set canaryWeight 0 -s production")
	output, err := c.pulumi(t, "preview", "--stack", "production")
	if err == nil || !strings.Contains(output, "renamed canary") {
		t.Errorf("the preview of a rename: %v\n%s", err, tail(output))
	}
	after := c.generations(t)
	for name, generation := range before {
		if after[name] != generation {
			t.Errorf("%s changed by a refused update", name)
		}
	}
	c.expectCanary(t, "week1", 4, 6)
}

// exchange takes the old canary out, and configures that the release enters in the first stage.
func (c *cluster) exchange(t *testing.T, old, release string) {
	t.Helper()
	c.config(t, "release", release)
	c.config(t, "canaryWeight", "0")
	c.up(t, "production")
	c.expectCanary(t, old, 10, 0)
	c.unset(t, "canaryWeight")
}

// releaseThatFails goes from v2 to a v3 that does not pass its bake, and back to v2.
func releaseThatFails(t *testing.T, c *cluster) {
	sent := c.customers(t, 50)
	c.exchange(t, "week1", "v2")
	c.up(t, "production")
	c.expectCanary(t, "v2", 4, 6)

	c.exchange(t, "v2", "v3")
	c.hopelessBake(t)
	c.refused(t, "verdict inconclusive")
	c.noBake(t)
	c.exchange(t, "v3", "v2")
	c.up(t, "production")
	c.expectCanary(t, "v2", 4, 6)
	sent.end()
	sent.expectAnswers(t)
}
