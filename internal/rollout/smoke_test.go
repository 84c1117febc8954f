package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit"
	"github.com/vextrus/finance-rollout/internal/testkit/cluster"
)

func TestASmokeTestIsNotedWhileAReleaseLives(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	sent := gate.Window{Start: start, End: start.Add(4 * time.Second)}
	noted := []ledger.Span{{Start: sent.Start, End: sent.End}}
	for name, tt := range map[string]struct {
		entries []ledger.Entry
		sent    gate.Window
		want    []ledger.Span
	}{
		"no release":           {sent: sent},
		"a shift is under way": {entries: []ledger.Entry{begun("week1", imageA, 0, 10)}, sent: sent, want: noted},
		"a soak":               {entries: []ledger.Entry{reached("week1", imageA, 10)}, sent: sent, want: noted},
		"at 0 %": {entries: []ledger.Entry{reached("week1", imageA, 10), reached("week1", imageA, 0)},
			sent: sent},
		"no request was sent": {entries: []ledger.Entry{reached("week1", imageA, 10)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Rollout{Settings: production(t, nil), Cluster: cluster.New(t), Clock: testkit.Clock(sent.End), Who: "anna"}
			if len(tt.entries) > 0 {
				if _, err := ledger.Write(t.Context(), r.Ledger(), r.Clock.Now, tt.entries...); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.NoteSmokeTest(t.Context(), tt.sent); err != nil {
				t.Fatal(err)
			}
			history, err := ledger.Read(t.Context(), r.Ledger())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, history.State().SmokeTests); diff != "" {
				t.Errorf("noted (-want +got)\n%s", diff)
			}
		})
	}
}
