//go:build e2e

package e2e

import (
	"testing"

	"github.com/vextrus/finance-rollout/internal/terminal"
)

// commandFinish takes the release from 0 % to the finish. On the way it rolls back from 100 %, where the Service
// selects only the canary; the next updates restore the Service's selector.
func commandFinish(t *testing.T, c *cluster) {
	image := c.configured(t, "staging", "image")
	c.config(t, "image", image)
	c.bringBack(t)
	c.config(t, "bake.duration", "0s")
	override := []string{"--override", "the test does not wait", "--yes"}
	toTheTop := func() {
		for _, weight := range []string{"30", "60", "100"} {
			c.expect(t, terminal.ExitDone, append([]string{"advance", "-s", "production", "--to", weight}, override...),
				"its soak begins")
		}
	}
	toTheTop()
	c.rollBack(t, "rolled back")
	c.bringBack(t)
	toTheTop()
	c.expect(t, terminal.ExitUnknown, []string{"finish", "-s", "production", "--yes"}, "soak too short")
	c.expect(t, terminal.ExitDone, append([]string{"finish", "-s", "production"}, override...), "against: ")
	c.expectTracks(t, 10, 0)
	c.expectStanding(t, terminal.ExitDone, "idle", 10, 0)
	if stable := c.configured(t, "production", "stableImage"); stable != image {
		t.Errorf("the stable image is %q, want %q", stable, image)
	}
	if output, err := c.pulumi(t, "preview", "--stack", "production", "--refresh", "--expect-no-changes"); err != nil {
		t.Errorf("the stack is at another position: %v\n%s", err, tail(output))
	}
}
