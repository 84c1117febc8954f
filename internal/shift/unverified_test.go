package shift

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
)

// `pulumi up --exclude` of the release record moves the pods and runs no gate. The next preview and the next update say
// so, whatever they change, until the gate has passed.
func TestAShiftWhoseGateWasLeftOutWasNeverVerified(t *testing.T) {
	for name, dryRun := range map[string]bool{"a preview": true, "an update": false} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, 10, served{}, born.Add(time.Minute))
			if err := tr.Judge(t.Context()); err != nil { // the tracks move, and nothing more happens
				t.Fatal(err)
			}
			next := tr.shared(t, 10)
			next.dryRun = dryRun
			heard := func() string {
				t.Helper()
				next.heard.warnings = nil
				if err := next.Look(t.Context()); err != nil {
					t.Fatal(err)
				}
				return strings.Join(next.heard.warnings, "\n")
			}
			if text := heard(); !strings.Contains(text, "v2 was never verified at 10 %") ||
				!strings.Contains(text, "`pulumi up -s production`, without --exclude and --target") {
				t.Errorf("warned %q", text)
			}
			next.dryRun = false
			if err := next.Judge(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := next.reached(t.Context()); err != nil {
				t.Fatal(err)
			}
			if text := heard(); text != "" {
				t.Errorf("after its gate it warned %q", text)
			}
		})
	}
}

func TestWhatWasNeverVerified(t *testing.T) {
	begun := func(to int) *ledger.Entry {
		return &ledger.Entry{Seq: 7, Who: "anna", Time: born, Release: "v2", To: to}
	}
	for name, tt := range map[string]struct {
		state ledger.State
		want  string
	}{
		"no shift":       {ledger.State{Weight: 10}, ""},
		"a first one":    {ledger.State{Begun: begun(10)}, "v2 was never verified at 10 %"},
		"an advance":     {ledger.State{Weight: 10, Begun: begun(30)}, "never verified at 30 %"},
		"another image":  {ledger.State{Weight: 10, Begun: begun(10)}, "the shift that anna began"},
		"the way down":   {ledger.State{Weight: 30, Begun: begun(10)}, ""},
		"the way to 0 %": {ledger.State{Begun: begun(0)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := unverified(tt.state)
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("said %q, want %q", got, tt.want)
			}
		})
	}
}
