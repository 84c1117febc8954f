package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

// A verdict says by which limits, soak and bake it was reached, for the reader and for the next program.
func TestAVerdictKeepsWhatItWasJudgedBy(t *testing.T) {
	loose := &ledger.Terms{Soak: 0, Bake: 60, Limits: []ledger.Limit{
		{Name: "error rate", Target: 0.005, Rollback: 0.9}, {Name: "P95 latency", Target: 0.05, Rollback: 1},
		{Name: "queue\x1b[31m", Target: 100, Direction: "below"},
	}}
	memory := &store.Memory{}
	written, err := ledger.Write(t.Context(), memory, time.Now,
		ledger.Entry{Kind: ledger.Verdict, Verdict: "pass", Terms: loose})
	if err != nil {
		t.Fatal(err)
	}
	read, err := ledger.Read(t.Context(), memory)
	if err != nil {
		t.Fatal(err)
	}
	got := read.Entries()[0]
	if diff := cmp.Diff(written.Entries()[0].Terms, got.Terms); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
	want := "verdict pass by soak 0s, bake 1m, error rate below 0.5 % and rolled back above 90 %, " +
		"P95 latency below 5 %, queue"
	if text := got.Describe(); !strings.HasPrefix(text, want) || strings.Contains(text, "\x1b") {
		t.Errorf("described as %q, want %q", text, want)
	}
	if loose.Limits[2].Name != "queue\x1b[31m" {
		t.Error("the caller's terms were changed")
	}
}

func TestTermsForPeople(t *testing.T) {
	for want, terms := range map[string]ledger.Terms{
		"soak 48h, bake 10m":     {Soak: 172800, Bake: 600},
		"soak 1h30m":             {Soak: 5400},
		"soak 45s":               {Soak: 45},
		"soak 0s, q above 0.125": {Limits: []ledger.Limit{{Name: "q", Target: 0.125, Direction: "above"}}},
	} {
		if got := terms.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
