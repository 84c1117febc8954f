package ledger

import (
	"testing"
	"time"
)

func TestAttestations(t *testing.T) {
	monday := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	week := monday.Add(7 * 24 * time.Hour)
	ledger, err := (&Ledger{}).with(monday, []Entry{
		{Kind: Attested, Name: "security-audit", Who: "anna", Link: "https://wiki/audit/1", Until: &monday},
		{Kind: Attested, Name: "database-backup", Who: "ben", Link: "snap-17", Until: &week},
		{Kind: Attested, Name: "security-audit", Who: "anna", Link: "https://wiki/audit/2", Until: &week},
		{Kind: Rehearsed, Stack: "staging", Took: 1200, Verdict: "pass"},
		{Kind: Attested, Name: "sign-off", Who: "cto", Link: "mail"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var names string
	for _, entry := range ledger.Attestations() {
		names += entry.Name + "=" + entry.Link + " "
	}
	if want := "database-backup=snap-17 security-audit=https://wiki/audit/2 sign-off=mail "; names != want {
		t.Errorf("%s, want %s", names, want)
	}
	audit, exists := ledger.Attestation("security-audit")
	if !exists || !audit.Holds(monday.Add(time.Hour)) || audit.Holds(week) || audit.Holds(monday.Add(-time.Hour)) {
		t.Errorf("the audit %+v exists: %v", audit, exists)
	}
	signed, _ := ledger.Attestation("sign-off")
	if !signed.Holds(week.Add(1000 * time.Hour)) {
		t.Error("an attestation without an end ends")
	}
	if entry, exists := ledger.Attestation("nothing"); exists || entry.Holds(monday) {
		t.Errorf("nobody attested it: %+v", entry)
	}
	if rehearsal, exists := ledger.Rehearsal(); !exists || rehearsal.Took != 1200 {
		t.Errorf("rehearsal %+v, %v", rehearsal, exists)
	}
	if _, exists := (&Ledger{}).Rehearsal(); exists {
		t.Error("an empty ledger has a rehearsal")
	}
	if entry, attested := ledger.State().Attested("security-audit"); !attested || entry.Link != "https://wiki/audit/2" {
		t.Errorf("the state has %+v, %v", entry, attested)
	}
	if entry, attested := ledger.State().Attested("nothing"); attested {
		t.Errorf("the state has %+v", entry)
	}
	if state := ledger.State(); state.Weight != 0 || state.Begun != nil || state.Interruption() != 0 {
		t.Errorf("attestations move the rollout: %+v", state)
	}
}
