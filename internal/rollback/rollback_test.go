package rollback

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// expectOut checks that no canary pod gets requests and that stable can take them all.
func (w *world) expectOut(t *testing.T) {
	t.Helper()
	for _, name := range w.inTraffic() {
		if strings.HasPrefix(name, "canary") {
			t.Errorf("%s still gets requests", name)
		}
	}
	if replicas, ok := w.scaled["finance-v2"]; !ok || replicas != 0 || w.scaled["finance-stable"] != 10 {
		t.Errorf("scaled %v", w.scaled)
	}
	if !slices.Contains(w.ledger, "begun") || !slices.Contains(w.ledger, "finished") {
		t.Errorf("the ledger holds %v", w.ledger)
	}
}

func TestRunInOrder(t *testing.T) {
	w := newWorld()
	outcome := Run(t.Context(), w, w, options())
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	// Events and logs are read at the same time, in any order.
	got := slices.Compact(slices.DeleteFunc(w.called(), func(name string) bool { return name == "events" }))
	want := []string{"begin", "growth", "scale finance-stable", "growth", "label", "logs", "save", "scale finance-v2",
		"label", "growth", "finish"}
	if !slices.Equal(got, want) {
		t.Errorf("called %v, want %v", got, want)
	}
	w.expectOut(t)
	for _, word := range []string{"33 of 90", "3 pods, no endpoint is left", "finance-evidence-20260302-090000"} {
		if !strings.Contains(outcome.String(), word) {
			t.Errorf("the outcome does not tell %q:\n%s", word, outcome)
		}
	}
}

// Whatever fails once, a second run completes the rollback, and the first one does all that it can.
func TestEveryStepMayFailAndTheNextRunCompletes(t *testing.T) {
	for _, step := range []string{"begin", "growth", "scale finance-stable", "logs", "events", "save", "scale finance-v2",
		"finish"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld()
			w.failing = step
			// The waits repeat what fails once.
			w.always = step == "logs" || step == "growth" || step == "scale finance-stable"
			outcome := Run(t.Context(), w, w, options())
			if !errors.Is(outcome.Err(), errTest) && !strings.Contains(fmt.Sprint(outcome.Err()), errTest.Error()) {
				t.Errorf("the failure is not reported: %v", outcome.Err())
			}
			for name, labels := range w.pods {
				if labels["track"] == "canary" && labels["traffic"] != "isolated" {
					t.Errorf("%s was not isolated", name)
				}
			}
			if w.failing, w.always = "", false; Run(t.Context(), w, w, options()).Err() != nil {
				t.Error("the second run fails")
			}
			w.expectOut(t)
		})
	}
}

func TestAnUnreachableLabelStillScalesTheCanaryAway(t *testing.T) {
	w := newWorld()
	w.failing = "label"
	if err := Run(t.Context(), w, w, options()).Err(); err != nil {
		t.Errorf("a label that fails once is not tried again: %v", err)
	}
	w.expectOut(t)
}

func TestEvidenceHoldsNoCredentials(t *testing.T) {
	w := newWorld()
	w.log = `connect postgres://app:hunter22@db:5432/finance password=hunter22 "token":"abcdef0123456789" Bearer abcdefgh12345678 ` +
		`eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzbW9rZSJ9.c2lnbmF0dXJl s3cr3t-value end`
	set := options()
	set.Reason = "s3cr3t-value leaked"
	if err := Run(t.Context(), w, w, set).Err(); err != nil {
		t.Fatal(err)
	}
	evidence, err := Unpack(w.evidence)
	if err != nil {
		t.Fatal(err)
	}
	if len(evidence.Pods) != 3 || len(evidence.Events) != 1 || len(evidence.Pods[0].Logs) != 2 {
		t.Fatalf("%+v", evidence)
	}
	text := fmt.Sprintf("%+v", evidence)
	for _, secret := range []string{"hunter22", "abcdef0123456789", "abcdefgh12345678", "eyJhbGci", "s3cr3t-value"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s stands in the evidence", secret)
		}
	}
	if !strings.Contains(text, "@db:5432/finance") || !strings.Contains(text, " end") {
		t.Errorf("too much was taken out: %s", evidence.Pods[0].Logs["app"])
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	w := newWorld()
	// Text that does not compress: numbers by a small generator.
	var log strings.Builder
	for state := uint32(1); log.Len() < 1<<20; {
		state = state*1664525 + 1013904223
		fmt.Fprintf(&log, "%08x%08x", state, state>>7^state<<9)
	}
	w.log = log.String()
	for i := range 40 {
		w.pods[fmt.Sprintf("canary-x%d", i)] = map[string]string{"track": "canary", "traffic": "enabled"}
	}
	outcome := Run(t.Context(), w, w, options())
	if len(w.evidence) == 0 || len(w.evidence) > archiveBytes {
		t.Errorf("%d bytes: %v", len(w.evidence), outcome.Err())
	}
	if !strings.Contains(fmt.Sprint(outcome.Err()), "more than the 20") {
		t.Errorf("what is missing is not named: %v", outcome.Err())
	}
}

// Half of a line may hold half of a credential, which nothing recognizes.
func TestLogsAreCutBetweenLines(t *testing.T) {
	for _, tt := range []struct {
		text string
		most int
		want string
	}{
		{"short\nenough", 12, "short\nenough"},
		{"token=abcdef0123456789\nthe failure", 20, "…the failure"},
		{"one line without an end", 11, "…hout an end"},
		{"\u00e9\u00e9\n\u00e9\u00e9", 3, "…\u00e9"},
	} {
		if got := end(tt.text, tt.most); got != tt.want {
			t.Errorf("%q cut to %d bytes is %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}
