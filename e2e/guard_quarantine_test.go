//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// burst lets a canary fail for a few seconds: in quarantine it leaves the traffic as fast as by a rollback, is not
// latched, and comes back by itself. One that goes on failing is rolled back when it offends for the fifth time in a
// row.
func burst(t *testing.T, g *guarded) {
	g.reconfigure(t, func(text string) string { return strings.Replace(text, "{", `{"quarantine":true,`, 1) })
	g.enter(t, healthy)
	if err := g.Reached(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.customers(t)
	time.Sleep(15 * time.Second) // one that has never worked is convicted at once
	mark := g.mark(t)
	g.fault(t, "errors=0.33")
	eventually(t, "the canary is in quarantine", func() bool {
		return len(g.noted(t, mark, ledger.Quarantined)) > 0
	})
	g.fault(t, "")
	eventually(t, "no endpoint of the canary is left", func() bool {
		left, err := g.Endpoints(t.Context())
		return err == nil && len(left) == 0
	})
	eventually(t, "the canary is let in again", func() bool {
		left, err := g.Endpoints(t.Context())
		return err == nil && len(left) == g.Canary && len(g.noted(t, mark, ledger.Readmitted)) == 1
	})
	g.expectIn(t)
	g.expectNoted(t, mark, ledger.Quarantined, ledger.Readmitted)
	mark = g.mark(t)
	g.fault(t, "errors=0.33")
	g.expectOut(t)
	if offences := len(g.noted(t, mark, ledger.Quarantined)); offences < 1 || offences > 4 {
		t.Errorf("the canary was rolled back after %d quarantines", offences)
	}
}
