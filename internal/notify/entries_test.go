package notify

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/rollback"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

const onTrial = "sha256:1111"

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func about() About {
	return About{Stack: "production", Namespace: "vextrus-production", App: "finance-service",
		DashboardURL: "https://grafana.example.com/d/finance-week1", RunbookURL: "https://runbook.example.com"}
}

// history is a ledger with these entries, a minute apart.
func history(t *testing.T, entries ...ledger.Entry) *ledger.Ledger {
	t.Helper()
	memory := &store.Memory{}
	for i, entry := range entries {
		memory.Write(t, noon.Add(time.Duration(i)*time.Minute), entry)
	}
	read, err := ledger.Read(t.Context(), memory)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func eventNames(recorded []Recorded) []string {
	list := []string{}
	for _, m := range recorded {
		list = append(list, m.Event.Name())
	}
	return list
}

// terms are those of a soak of 48 hours with extensions of 24.
func terms() *ledger.Terms { return &ledger.Terms{Soak: 48 * 3600, Extension: 24 * 3600} }

func entered() ledger.Entry {
	return ledger.Entry{Kind: ledger.ShiftReached, Release: "week1", Image: onTrial, Stable: "sha256:0000", To: 10}
}

func checkpoint(hours int64, verdict string) ledger.Entry {
	return ledger.Entry{Kind: ledger.Checkpoint, Release: "week1", Image: onTrial, From: 10, To: 10, Verdict: verdict,
		Soaked: hours * 3600, Terms: terms(), Numbers: []ledger.Number{{Name: "error rate", Verdict: verdict, N: 9}}}
}

func extended() ledger.Entry {
	return ledger.Entry{Kind: ledger.Extended, Release: "week1", Image: onTrial, To: 10, Terms: terms(), Reason: "by 24h"}
}

func begun() ledger.Entry {
	return ledger.Entry{Kind: ledger.RollbackBegun, Release: "week1", Image: onTrial, From: 10, Reason: "errors"}
}

func rolledBack(reason string) ledger.Entry {
	return ledger.Entry{Kind: ledger.RolledBack, Release: "week1", Image: onTrial, Verdict: "complete", Reason: reason}
}

func TestTheEventsOfALedger(t *testing.T) {
	tests := []struct {
		name    string
		entries []ledger.Entry
		want    []string
	}{
		{"nothing", nil, []string{}},
		{"enters", []ledger.Entry{{Kind: ledger.StagingVerified}, {Kind: ledger.ShiftBegun, To: 10}, entered()},
			[]string{names.EventEntered}},
		{"goes up", []ledger.Entry{entered(), {Kind: ledger.ShiftReached, Image: onTrial, From: 10, To: 30}},
			[]string{names.EventEntered, names.EventShifted}},
		{"goes down without a rollback", []ledger.Entry{entered(), {Kind: ledger.ShiftReached, Image: onTrial, From: 10}},
			[]string{names.EventEntered, names.EventShifted}},
		{"soaks", []ledger.Entry{entered(), checkpoint(1, "pass"), checkpoint(47, "pass")}, []string{names.EventEntered}},
		{"passes its soak once", []ledger.Entry{entered(), checkpoint(48, "pass"), checkpoint(52, "pass")},
			[]string{names.EventEntered, names.EventSoakPassed}},
		{"is not ready without a pass", []ledger.Entry{entered(), checkpoint(48, "inconclusive"),
			checkpoint(49, "error")}, []string{names.EventEntered}},
		{"is extended, and passes at the end of that", []ledger.Entry{entered(), checkpoint(48, "inconclusive"), extended(),
			checkpoint(52, "pass"), checkpoint(72, "pass")},
			[]string{names.EventEntered, names.EventExtended, names.EventSoakPassed}},
		{"soaks at every weight", []ledger.Entry{entered(), checkpoint(48, "pass"),
			{Kind: ledger.ShiftReached, Image: onTrial, From: 10, To: 30}, checkpoint(48, "pass")},
			[]string{names.EventEntered, names.EventSoakPassed, names.EventShifted, names.EventSoakPassed}},
		{"a checkpoint of an older version", []ledger.Entry{entered(),
			{Kind: ledger.Checkpoint, Verdict: "pass", Soaked: 48 * 3600}}, []string{names.EventEntered}},
		{"a pass that was folded is not told again", []ledger.Entry{entered(),
			{Kind: ledger.Checkpoints, Verdict: "pass", Soaked: 52 * 3600, Terms: terms()}, checkpoint(56, "pass")},
			[]string{names.EventEntered}},
		{"is rolled back", []ledger.Entry{entered(), begun(), rolledBack("errors")},
			[]string{names.EventEntered, names.EventRolledBack}},
		{"the watch after a rollback is not clean", []ledger.Entry{{Kind: ledger.Watched, Verdict: "fail"}},
			[]string{names.EventNeedsReview}},
		{"the watch after a rollback is clean", []ledger.Entry{{Kind: ledger.Watched, Verdict: "pass"}}, []string{}},
		{"stable fails the smoke suite", []ledger.Entry{{Kind: ledger.Verdict, Verdict: "inconclusive", Reason: "smoke"}},
			[]string{names.EventNeedsReview}},
		{"a soak's verdict", []ledger.Entry{{Kind: ledger.Verdict, Verdict: "pass"},
			{Kind: ledger.Verdict, Verdict: "inconclusive"}}, []string{}},
		{"is in quarantine and returns", []ledger.Entry{entered(), {Kind: ledger.Quarantined, Image: onTrial, Reason: "burst"},
			{Kind: ledger.Readmitted, Image: onTrial}},
			[]string{names.EventEntered, names.EventQuarantined, names.EventReadmitted}},
		{"is released", []ledger.Entry{{Kind: ledger.LatchReleased, Reason: "not to blame"}},
			[]string{names.EventLatchReleased}},
		{"is overridden", []ledger.Entry{{Kind: ledger.Overridden, To: 30, Reason: "emergency"}},
			[]string{names.EventOverridden}},
		{"by the express lane", []ledger.Entry{{Kind: ledger.ExpressBegun, Reason: "leaked"}, {Kind: ledger.Expressed,
			Reason: "leaked"}}, []string{names.EventExpressed}},
		{"finishes", []ledger.Entry{{Kind: ledger.Finished, From: 100}}, []string{names.EventFinished}},
		{"is attested", []ledger.Entry{{Kind: ledger.Attested, Name: "sign-off"}}, []string{names.EventAttested}},
		{"a drill", []ledger.Entry{{Kind: ledger.Rehearsed, Stack: "staging"}}, []string{}},
		{"a kind of a newer version", []ledger.Entry{{Kind: "paused"}}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, eventNames(about().Events(history(t, tt.entries...), 0))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// silent are the kinds of entries that make no event, with the reason. A kind that this version does not know makes
// none either.
func silent() map[ledger.Kind]string {
	return map[ledger.Kind]string{
		ledger.ShiftBegun:      "its outcome follows: shift-reached, or rolled-back",
		ledger.Checkpoints:     "stands for checkpoints of the past when the ledger is compacted",
		ledger.Quarantines:     "stands for quarantines of the past when the ledger is compacted",
		ledger.RollbackBegun:   "rolled-back follows within minutes, with the evidence and with the steps that failed",
		ledger.StagingVerified: "written together with the shift into the first stage",
		ledger.Identified:      "names what the tracks run already: nothing moved",
		ledger.ExpressBegun:    "its outcome follows: expressed, rolled-back, or an update that failed",
		ledger.Rehearsed:       "a drill in another stack: nothing happened to this rollout",
		ledger.GuardConfigured: "every update that changes a setting of the guard writes one; what else it did is told",
		ledger.SmokeTested:     "keeps the suite's requests out of the evidence; its verdict is the update's",
	}
}

var kindDeclared = regexp.MustCompile(`(?m)^(?:\t|const )\w+ Kind = "([a-z-]+)"$`)

// Every kind of an entry makes an event in some case, or is listed with the reason that it makes none.
func TestEveryKindIsToldOrHasAReason(t *testing.T) {
	var source []byte
	for _, name := range []string{"entry.go", "changes.go", "head.go"} {
		text, err := os.ReadFile("../ledger/" + name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	tells := map[ledger.Kind]bool{}
	for _, entry := range []ledger.Entry{entered(), checkpoint(48, "pass"), extended(), rolledBack("errors"),
		{Kind: ledger.Verdict, Verdict: "fail", Reason: "smoke"}, {Kind: ledger.LatchReleased}, {Kind: ledger.Overridden},
		{Kind: ledger.LimitsChanged}, {Kind: ledger.Expressed},
		{Kind: ledger.Watched, Verdict: "fail"}, {Kind: ledger.Finished}, {Kind: ledger.Attested}, {Kind: ledger.Approved},
		{Kind: ledger.Quarantined}, {Kind: ledger.Readmitted}, {Kind: ledger.Accepted}} {
		before := []ledger.Entry{}
		if entry.Kind == ledger.Checkpoint {
			before = append(before, entered())
		}
		recorded := about().Events(history(t, append(before, entry)...), len(before))
		tells[entry.Kind] = len(recorded) == 1
	}
	var missing []string
	for _, match := range kindDeclared.FindAllStringSubmatch(string(source), -1) {
		reason, quiet := silent()[ledger.Kind(match[1])]
		if tells[ledger.Kind(match[1])] == quiet || quiet && reason == "" {
			missing = append(missing, match[1])
		}
	}
	if len(missing) > 0 {
		t.Errorf("neither told nor listed with a reason, or both: %v", missing)
	}
	for kind := range silent() {
		entry := ledger.Entry{Kind: kind, Verdict: "fail", Reason: "x", To: 10}
		if recorded := about().Events(history(t, entry), 0); len(recorded) > 0 {
			t.Errorf("%s makes %v", kind, eventNames(recorded))
		}
	}
}

func TestTheEventNamesAreThoseOfTheSettings(t *testing.T) {
	all := names.Events()
	if slices.Sort(all); len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("a name stands twice: %v", all)
	}
}

func TestTheEventOfARollback(t *testing.T) {
	entries := []ledger.Entry{entered(), checkpoint(1, "fail"), begun()}
	last := rolledBack("error rate 4 % > 1 %; evidence in finance-evidence-1; incomplete: restore stable: not done")
	last.Verdict, last.Who, last.Account = "incomplete", "guard/one", "system:serviceaccount:vextrus-production:guard"
	read := history(t, append(entries, last)...)
	recorded := about().Events(read, 3)
	if len(recorded) != 1 || recorded[0].Seq != 4 {
		t.Fatalf("%+v", recorded)
	}
	ten, none := 10, 0
	want := Event{
		SpecVersion: "1.0", ID: recorded[0].Event.ID, Source: "/finance-rollout/vextrus-production/finance-service",
		Type: "com.vextrus.finance-rollout.rolled-back", Subject: "finance-service/week1", Time: noon.Add(3 * time.Minute),
		DataContentType: "application/json",
		Data: Data{
			Stack: "production", Namespace: "vextrus-production", App: "finance-service", Release: "week1", Image: onTrial,
			From: &ten, To: &none, Verdict: "incomplete", Reason: "error rate 4 % > 1 %",
			Numbers: []ledger.Number{{Name: "error rate", Verdict: "fail", N: 9}},
			Who:     "guard/one", Account: "system:serviceaccount:vextrus-production:guard",
			Ledger: &Reference{Seq: 4, Sum: read.Head().Sum},
			Rollback: &Rollback{
				Failed: "error rate 4 % > 1 %", Incomplete: "restore stable: not done",
				Evidence: &Evidence{ConfigMap: "finance-evidence-1", Namespace: "vextrus-production",
					Command: "rollout evidence -s production"},
				Retry: Retry{Earliest: noon.Add(3*time.Minute + 7*24*time.Hour),
					Change: recorded[0].Event.Data.Rollback.Retry.Change},
			},
			DashboardURL: "https://grafana.example.com/d/finance-week1", RunbookURL: "https://runbook.example.com",
		},
	}
	if diff := cmp.Diff(want, recorded[0].Event); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if change := recorded[0].Event.Data.Rollback.Retry.Change; !strings.Contains(change, "rollout unlatch -s production") {
		t.Errorf("the advice is %q", change)
	}
	// Where the stack has several rollouts, each command names the one that is meant.
	named := about()
	named.Rollout = "payments"
	told := named.Events(read, 3)[0].Event.Data.Rollback
	if want := "rollout evidence -s production --rollout payments"; told.Evidence.Command != want {
		t.Errorf("the command is %q", told.Evidence.Command)
	}
	if !strings.Contains(told.Retry.Change, "rollout unlatch -s production --rollout payments") {
		t.Errorf("the advice is %q", told.Retry.Change)
	}
}

// The text of a rollback's outcome is read as internal/rollback writes it.
func TestTheOutcomeIsReadAsItIsWritten(t *testing.T) {
	failed := []rollback.Step{{Name: "restore stable", Err: errors.New("quota")}}
	for name, tt := range map[string]struct {
		outcome rollback.Outcome
		want    [3]string
	}{
		"clean":         {rollback.Outcome{Reason: "errors"}, [3]string{"errors"}},
		"with evidence": {rollback.Outcome{Reason: "errors", Evidence: "e-1"}, [3]string{"errors", "e-1"}},
		"with a failed step": {rollback.Outcome{Reason: "errors", Steps: failed},
			[3]string{"errors", "", "restore stable: quota"}},
		"with both": {rollback.Outcome{Reason: "a; b", Evidence: "e-1", Steps: failed},
			[3]string{"a; b", "e-1", "restore stable: quota"}},
		"a reason like it is": {rollback.Outcome{Reason: "no; evidence in logs", Evidence: "e-1"},
			[3]string{"no; evidence in logs", "e-1"}},
	} {
		memory := &store.Memory{}
		recorder := rollback.InLedger{Store: memory, Now: func() time.Time { return noon }, Image: onTrial}
		if err := errors.Join(recorder.Begin(t.Context(), "x"), recorder.Finish(t.Context(), tt.outcome)); err != nil {
			t.Fatal(err)
		}
		entries := memory.Entries(t)
		why, evidence, incomplete := outcome(entries[len(entries)-1].Reason)
		if got := [3]string{why, evidence, incomplete}; got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestTextsOfOutsideAreRedacted(t *testing.T) {
	const address = "postgres://app:hunter2-s3cret@db/finance"
	entries := []ledger.Entry{entered(), begun(), rolledBack("cannot reach " + address),
		{Kind: ledger.LatchReleased, Reason: address, Who: "ann " + address}, {Kind: ledger.Attested, Link: address}}
	for _, recorded := range about().Events(history(t, entries...), 0) {
		if text := string(body(t, recorded.Event)); strings.Contains(text, "hunter2") {
			t.Errorf("%s holds a secret: %s", recorded.Event.Name(), text)
		}
	}
	if event := about().Of(State{Name: names.EventNeedsReview, Reason: address}); strings.Contains(string(body(t, event)),
		"hunter2") {
		t.Error("a state holds a secret")
	}
}

// A receiver drops the ids that it knows: the same entry has the same id, also after compaction, and no two entries
// share one.
func TestIDs(t *testing.T) {
	memory := &store.Memory{}
	memory.Write(t, noon, entered())
	memory.Write(t, noon, begun(), rolledBack("errors"))
	ids := func() map[int]string {
		read, err := ledger.Read(t.Context(), memory)
		if err != nil {
			t.Fatal(err)
		}
		bySeq := map[int]string{}
		for _, recorded := range about().Events(read, 0) {
			bySeq[recorded.Seq] = recorded.Event.ID
		}
		return bySeq
	}
	first, again := ids(), ids()
	if len(first) != 2 || first[1] == first[3] {
		t.Fatalf("ids %v", first)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("read again:\n%s", diff)
	}
	// Checkpoints fill the ledger until the old ones are folded, which renews the sum of every entry behind them.
	memory.Write(t, noon.Add(time.Hour), entered())
	checkpoints := slices.Repeat([]ledger.Entry{checkpoint(1, "pass")}, 400)
	memory.Write(t, noon.Add(2*time.Hour), checkpoints...)
	memory.Write(t, noon.Add(1000*time.Hour), begun(), rolledBack("errors"))
	late := ids()
	memory.Write(t, noon.Add(1001*time.Hour), checkpoints...)
	last := slices.Max(slices.Collect(maps.Keys(late)))
	after := ids()
	if after[1] != first[1] || after[last] != late[last] {
		t.Errorf("compaction changes ids: %v, then %v", late[last], after[last])
	}
	if renewed := memory.Entries(t); !slices.ContainsFunc(renewed, func(e ledger.Entry) bool {
		return e.Kind == ledger.Checkpoints
	}) {
		t.Error("nothing was compacted")
	}
	elsewhere := about()
	elsewhere.Namespace = "vextrus-staging"
	read, _ := ledger.Read(t.Context(), memory)
	if elsewhere.Events(read, 0)[0].Event.ID == first[1] {
		t.Error("two rollouts share an id")
	}
}

func TestIDsOfStates(t *testing.T) {
	blind := State{Name: names.EventGuardBlind, At: noon, Key: "a"}
	if again := about().Of(blind); again.ID != about().Of(blind).ID {
		t.Error("the same state has two ids")
	}
	for _, changed := range []State{{Name: names.EventGuardSees, At: noon, Key: "a"}, {Name: names.EventGuardBlind,
		At: noon, Key: "b"}} {
		if about().Of(changed).ID == about().Of(blind).ID {
			t.Errorf("%+v has the id of another state", changed)
		}
	}
}
