package rollout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/testkit"
	fake "github.com/vextrus/finance-rollout/internal/testkit/prometheus"
)

// sunday is a Sunday evening in Berlin.
var sunday = time.Date(2026, 11, 29, 21, 10, 0, 0, time.UTC)

// held is the rollout of a stack whose project lies in a folder with the files, given as names and contents in turn.
func held(t *testing.T, changes map[string]string, files ...string) (*Rollout, *fake.Server) {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, sunday, sunday.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	server := fake.New(t)
	return &Rollout{
		Settings: production(t, changes), Clock: testkit.Clock(sunday), Dir: dir,
		Prometheus: func() (soak.Server, error) { return prometheus.Connect(endpoint.Way{}, server.URL) },
	}, server
}

// text are the refusals of the rollout's next advance.
func text(holds advance.Holds) string {
	refusals, _ := holds.Judge(sunday, "production")
	var parts []string
	for _, refusal := range refusals {
		parts = append(parts, string(refusal.Cause)+": "+refusal.Reason)
	}
	return strings.Join(parts, "\n")
}

func TestWithoutSettingsNothingIsRead(t *testing.T) {
	r, server := held(t, nil)
	holds := r.Holds(t.Context(), ledger.State{Raised: sunday}, plan.Move{Kind: plan.Advance}, imageA)
	if holds.Calendar != nil || holds.Incidents != nil || holds.Missing != nil || len(server.Asked()) > 0 {
		t.Errorf("%+v, asked %q", holds, server.Asked())
	}
}

func TestTheCalendarHolds(t *testing.T) {
	const freezes = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261130\nDURATION:P2D\nSUMMARY:Audit\n" +
		"END:VEVENT\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20201129\nRRULE:FREQ=YEARLY\nSUMMARY:Moving day\nEND:VEVENT\n" +
		"END:VCALENDAR\n"
	for name, tt := range map[string]struct {
		calendar string
		files    []string
		raised   time.Time
		kind     plan.Kind
		want     []string
	}{
		"days and hours": {`{"timeZone":"Europe/Berlin","days":["Mon"],"hours":"09:00-16:00"}`, nil, time.Time{},
			plan.Advance, []string{"calendar closed: now is Sun 2026-11-29 22:10 Europe/Berlin", "it is Sunday", "it is 22:10",
				"opens Mon 2026-11-30 09:00 Europe/Berlin"}},
		"a file": {`{"timeZone":"Europe/Berlin","days":["Mon","Wed"],"hours":"09:00-16:00","freezeFile":"freezes.ics"}`,
			[]string{"freezes.ics", freezes}, time.Time{}, plan.Advance,
			[]string{"a freeze on 2026-11-29: Moving day", "opens Wed 2026-12-02 09:00 Europe/Berlin"}},
		"no file": {`{"freezeFile":"freezes.ics"}`, nil, time.Time{}, plan.Advance,
			[]string{"calendar not readable", `calendar.freezeFile "freezes.ics"`, "no such file"}},
		"a file that is none": {`{"freezeFile":"freezes.ics"}`, []string{"freezes.ics", "2026-12-18 freeze\n"}, time.Time{},
			plan.Advance, []string{"calendar not readable", "line 1"}},
		"a file that is too large": {`{"freezeFile":"freezes.ics"}`,
			[]string{"freezes.ics", strings.Repeat("x", mostFileBytes+1)}, time.Time{}, plan.Advance, []string{"larger than"}},
		"every": {`{"every":"24h"}`, nil, sunday.Add(-time.Hour), plan.Advance,
			[]string{"one in 24h", "opens Mon 2026-11-30 20:10 UTC"}},
		"every, over":       {`{"every":"24h"}`, nil, sunday.Add(-24 * time.Hour), plan.Advance, nil},
		"every, and finish": {`{"every":"24h"}`, nil, sunday.Add(-time.Hour), plan.Finish, []string{"one in 24h"}},
		"every, and go on":  {`{"every":"24h"}`, nil, sunday.Add(-time.Hour), plan.Resume, nil},
		"a freeze, and go on": {`{"freezes":[{"from":"2026-11-29","to":"2026-11-29","reason":"x"}]}`, nil, time.Time{},
			plan.Resume, nil},
		"a freeze, and down": {`{"freezes":[{"from":"2026-11-29","to":"2026-11-29","reason":"x"}]}`, nil, time.Time{},
			plan.Retreat, nil},
		"lifted": {`{"days":["Mon"],"override":{"reason":"hotfix","until":"2026-11-29T22:00:00Z"}}`, nil, time.Time{},
			plan.Advance, nil},
		"no longer lifted": {`{"days":["Mon"],"override":{"reason":"hotfix","until":"2026-11-28"}}`, nil, time.Time{},
			plan.Advance, []string{"it is Sunday", "calendar.override ended 2026-11-29T00:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := held(t, map[string]string{"calendar": tt.calendar}, tt.files...)
			wants(t, text(r.Holds(t.Context(), ledger.State{Raised: tt.raised}, plan.Move{Kind: tt.kind}, imageA)), tt.want)
		})
	}
}

// wants compares a text with the words that it must hold; without words it must be empty.
func wants(t *testing.T, text string, words []string) {
	t.Helper()
	if words == nil && text != "" {
		t.Errorf("held back: %s", text)
	}
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is not said in:\n%s", word, text)
		}
	}
}

func TestIncidentsHold(t *testing.T) {
	alert := func(name model.LabelValue) model.Metric {
		return model.Metric{model.MetricNameLabel: name, "alertname": "PaymentsDown", "severity": "critical"}
	}
	firing := alert("ALERTS")
	firing["alertstate"] = "firing"
	alerts := model.Vector{{Metric: firing, Value: 1}}
	since := model.Vector{{Metric: alert("ALERTS_FOR_STATE"), Value: model.SampleValue(sunday.Add(-time.Hour).Unix())}}
	const critical = `{"alerts":["severity=\"critical\"","team!=\"lab\""]}`
	for name, tt := range map[string]struct {
		incidents string
		files     []string
		answer    func(*fake.Server)
		want      []string
	}{
		"nothing fires": {critical, nil, func(*fake.Server) {}, nil},
		"an alert fires": {critical, nil, func(s *fake.Server) {
			s.Answer("ALERTS_FOR_STATE{severity=\"critical\",team!=\"lab\"}", since)
			s.Answer("ALERTS{alertstate=\"firing\",severity=\"critical\",team!=\"lab\"}", alerts)
		}, []string{`open incident: now is 2026-11-29T21:10:00Z; alert {alertname="PaymentsDown", severity="critical"} ` +
			"since 2026-11-29T20:10:00Z"}},
		"since when is not kept": {critical, nil, func(s *fake.Server) { s.Answer("ALERTS{", alerts) },
			[]string{"PaymentsDown", "since an unknown time"}},
		"since when is not answered": {critical, nil, func(s *fake.Server) {
			s.Answer("ALERTS{", alerts)
			s.Fail(errors.New("too many series"), "ALERTS{")
		}, []string{"PaymentsDown", "since an unknown time"}},
		"no answer": {critical, nil, func(s *fake.Server) { s.Fail(errors.New("shutting down")) },
			[]string{"no evidence: open incidents are not known", "shutting down"}},
		"lifted": {`{"alerts":["severity=\"critical\""],"override":{"reason":"x","until":"2026-11-30"}}`, nil,
			func(s *fake.Server) { s.Answer("ALERTS{", alerts) }, nil},
		"no file": {`{"file":"INCIDENT"}`, nil, func(*fake.Server) {}, nil},
		"an empty file": {`{"file":"INCIDENT"}`, []string{"INCIDENT", ""}, func(*fake.Server) {},
			[]string{"open incident", "file INCIDENT since 2026-11-29T20:10:00Z"}},
		"a file with its reason": {`{"file":"INCIDENT"}`, []string{"INCIDENT", "INC-42: card \x1b[31mpayments\nmore\n"},
			func(*fake.Server) {}, []string{"file INCIDENT (INC-42: card payments) since 2026-11-29T20:10:00Z"}},
		"no folder of the file": {`{"file":"share/INCIDENT"}`, nil, func(*fake.Server) {},
			[]string{"no evidence", `incidents.file "share/INCIDENT"`, "no such file"}},
		"a folder in its place": {`{"file":"."}`, nil, func(*fake.Server) {}, []string{"no evidence", "directory"}},
		"a file, and no answer": {`{"alerts":["severity=\"critical\""],"file":"INCIDENT"}`, []string{"INCIDENT", "x"},
			func(s *fake.Server) { s.Fail(errors.New("shutting down")) }, []string{"no evidence", "file INCIDENT (x)"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, server := held(t, map[string]string{"incidents": tt.incidents}, tt.files...)
			tt.answer(server)
			wants(t, text(r.Holds(t.Context(), ledger.State{}, plan.Move{Kind: plan.Advance}, imageA)), tt.want)
		})
	}
}

func TestAPrometheusThatCannotBeReachedHolds(t *testing.T) {
	r, _ := held(t, map[string]string{"incidents": `{"alerts":["severity=\"critical\""]}`})
	r.Prometheus = func() (soak.Server, error) { return nil, errors.New("no Service of this name") }
	wants(t, text(r.Holds(t.Context(), ledger.State{}, plan.Move{Kind: plan.Enter}, imageA)),
		[]string{"no evidence", "no Service of this name"})
}

func TestTheChecklistHolds(t *testing.T) {
	r, _ := held(t, map[string]string{"checklist": `{"required":["sign-off","audit","backup"]}`})
	attested := func(name, who string, until time.Time) ledger.Entry {
		return ledger.Entry{Kind: ledger.Attested, Name: name, Who: who, Link: "x", Until: &until}
	}
	// The ledger of the test is written now.
	r.Clock = testkit.Clock(time.Now().Add(time.Minute))
	state := stateOf(t, attested("audit", "anna", sunday.Add(-10000*time.Hour)),
		attested("backup", "ben", time.Now().Add(time.Hour)))
	got := text(r.Holds(t.Context(), state, plan.Move{Kind: plan.Advance}, imageA))
	wants(t, got, []string{"checklist incomplete: sign-off: nobody has attested it; audit: the attestation by anna " +
		"ended 2025-10-09T05:10:00Z"})
	if strings.Contains(got, "backup") {
		t.Errorf("the backup is attested: %s", got)
	}
}

// What holds upward moves back is asked for those alone: going down waits for nobody.
func TestOnlyUpwardMovesAskForHolds(t *testing.T) {
	for to, asks := range map[int]bool{0: false, 10: false, 30: true} {
		r, server := held(t, map[string]string{"incidents": `{"alerts":["severity=\"critical\""]}`})
		state := stateOf(t, begun("v2", imageA, 0, 10), ledger.Entry{Kind: ledger.ShiftReached, Release: "v2",
			Image: imageA, Stable: "sha256:0", To: 10})
		facts := r.Facts(t.Context(), state, plan.Target{Weight: to, Canary: imageA, Stable: "sha256:0"}, nil,
			advance.Staging{}, func() advance.Soak { return advance.Soak{} })
		if (len(server.Asked()) > 0) != asks || (facts.Holds.Incidents != nil) != asks {
			t.Errorf("to %d %%: asked %q", to, server.Asked())
		}
	}
}

// A stage that needs a person's word is entered without it by nobody, and by no step over it.
func TestApprovalsHold(t *testing.T) {
	approved := func(image string, to int) ledger.Entry {
		return ledger.Entry{Kind: ledger.Approved, Who: "anna", Image: image, To: to}
	}
	for name, tt := range map[string]struct {
		move    plan.Move
		entries []ledger.Entry
		want    []string
	}{
		"a stage without": {plan.Move{Kind: plan.Advance, From: 10, To: 30}, nil, nil},
		"a stage with": {plan.Move{Kind: plan.Advance, From: 30, To: 60}, nil,
			[]string{"not approved: advance.approval asks", "the stage of 60 %"}},
		"approved": {plan.Move{Kind: plan.Advance, From: 30, To: 60}, []ledger.Entry{approved(imageA, 60)}, nil},
		"approved, another": {plan.Move{Kind: plan.Advance, From: 30, To: 60}, []ledger.Entry{approved("x", 60)},
			[]string{"60 %"}},
		"over it":   {plan.Move{Kind: plan.Advance, From: 30, To: 70}, nil, []string{"60 %"}},
		"below it":  {plan.Move{Kind: plan.Advance, From: 30, To: 59}, nil, nil},
		"within it": {plan.Move{Kind: plan.Advance, From: 60, To: 70}, nil, nil},
		"resumed":   {plan.Move{Kind: plan.Resume, From: 30, To: 60}, nil, nil},
		"down":      {plan.Move{Kind: plan.Retreat, From: 100, To: 60}, nil, nil},
		"finish":    {plan.Move{Kind: plan.Finish, From: 100, To: 0}, nil, nil},
		"a finish with": {plan.Move{Kind: plan.Finish, From: 100, To: 0}, nil,
			[]string{"not approved: advance.approval asks", "word on the finish"}},
		"a finish, approved": {plan.Move{Kind: plan.Finish, From: 100, To: 0}, []ledger.Entry{approved(imageA, 0)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			asked := `{"approval":[60,100]}`
			if strings.HasPrefix(name, "a finish") {
				asked = `{"approval":[60,100,0]}`
			}
			r, _ := held(t, map[string]string{"advance": asked})
			wants(t, text(r.Holds(t.Context(), stateOf(t, tt.entries...), tt.move, imageA)), tt.want)
		})
	}
}

// The stages ahead that wait for a person are known before they are reached.
func TestUnapprovedStagesAhead(t *testing.T) {
	r, _ := held(t, map[string]string{"advance": `{"approval":[0,100,30,60]}`})
	at30 := []ledger.Entry{begun("v2", imageA, 0, 30), {Kind: ledger.ShiftReached, Release: "v2", Image: imageA,
		Stable: "sha256:0", To: 30}, {Kind: ledger.Approved, Who: "anna", Image: imageA, To: 100}}
	for _, tt := range []struct {
		entries []ledger.Entry
		image   string
		want    string
	}{
		{nil, imageA, "[30 60 100 0]"},
		{at30, imageA, "[60 0]"},
		{at30, "another", "[60 100 0]"},
		{append(at30, ledger.Entry{Kind: ledger.Approved, Who: "anna", Image: imageA}), imageA, "[60]"},
	} {
		if got := fmt.Sprint(r.Unapproved(stateOf(t, tt.entries...), tt.image)); got != tt.want {
			t.Errorf("%s after %d entries: %s, want %s", tt.image, len(tt.entries), got, tt.want)
		}
	}
}
