package move

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/notify"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/redact"
)

const better = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

// From merge to finish without a hand, in the week in which the clocks change: a bad release is rolled back in its
// third stage, told with the date of its retry, and followed by a better one that goes through a freeze, an incident
// and an approval, while the scheduled command is killed at random.
func TestTheWeeksRunByThemselves(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	thursday := time.Date(2026, 3, 26, 9, 0, 0, 0, berlin)
	w := newCalendarWorld(t, thursday, map[string]string{
		"advance": `{"mode":"auto","approval":[100]}`,
		"calendar": `{"timeZone":"Europe/Berlin","days":["Mon","Tue","Wed","Thu","Fri"],"hours":"09:00-17:00",
			"freezes":[{"from":"2026-03-27","to":"2026-03-27","reason":"quarter end"}]}`,
		"incidents": `{"file":"INCIDENT"}`,
	})
	source := rand.New(rand.NewPCG(2026, 3))
	kills, waited := 0, map[string]int{}
	// every runs the schedule every 20 minutes until the time, and kills every second run at random.
	every := func(until time.Time) {
		for ; w.now.Before(until); w.now = w.now.Add(20 * time.Minute) {
			if source.IntN(2) == 0 {
				w.left = source.IntN(20)
			}
			before := w.now
			ready, died := w.scheduled()
			if died {
				kills++
				continue
			}
			for _, cause := range []string{"calendar closed", "open incident", "soak too short", "latched", "not approved"} {
				if strings.Contains(ready.Reason, cause+": ") {
					waited[cause]++
				}
			}
			local := before.In(berlin)
			if ready.Action != Wait && (local.Weekday() == time.Saturday || local.Weekday() == time.Sunday ||
				local.Hour() < 9 || local.Hour() >= 17 || local.Day() == 27) && ready.Decision.Move.Kind != "resume" {
				t.Errorf("%s at %s, when the calendar is closed", ready.Reason, local)
			}
		}
	}
	at := func(day, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, berlin) }

	// The first image is good for two stages, and bad from the third on.
	every(at(26, 15))
	if weight := w.history().State().Weight; weight < 30 {
		t.Fatalf("on Thursday at 15:00 it is at %d %%: %s", weight, w.moves())
	}
	every(at(30, 12)) // over the freeze, the weekend and the change of the clocks
	for w.history().State().Weight < 60 {
		every(w.now.Add(time.Hour))
	}
	if got := w.moves(); got != "0>10 10 10>30 30 30>60 60" {
		t.Fatalf("on Monday: %s", got)
	}
	w.served.Failing = 0.05
	w.now = w.now.Add(30 * time.Minute)
	if ready, _ := w.scheduled(); ready.Decision == nil || !ready.Decision.RollBack {
		t.Fatalf("%+v", ready)
	}
	// What the guard does within seconds, an unchanged update does here.
	if err := w.Up(t.Context(), nil, false); err == nil || !strings.Contains(err.Error(), "checkpoint at 60 %: fail") {
		t.Fatalf("the bad canary stays: %v", err)
	}
	w.file["canaryWeight"] = "0"
	w.toldAndDocumented(t)
	every(w.now.Add(24 * time.Hour))
	if got := w.moves(); got != "0>10 10 10>30 30 30>60 60 rolled-back" {
		t.Fatalf("after the rollback: %s", got)
	}

	// The next release is better, and the same calendar takes it to its finish.
	w.served.Failing, w.file["image"] = 0, "shop@"+better
	every(w.now.Add(5 * time.Hour))
	if state := w.history().State(); state.Image != better || state.Weight == 0 {
		t.Fatalf("the better release has not entered: %s", w.moves())
	}
	w.incident("INC-7: payments\n")
	held := w.moves()
	every(w.now.Add(4 * time.Hour))
	if got := w.moves(); got != held {
		t.Errorf("in spite of the incident: %s", strings.TrimPrefix(got, held))
	}
	w.incident("")
	every(w.now.Add(48 * time.Hour))
	if weight := w.history().State().Weight; weight != 60 || waited["not approved"] == 0 {
		t.Fatalf("without an approval it is at %d %%, waited for %v", weight, waited)
	}
	w.note(ledger.Entry{Kind: ledger.Approved, Who: "anna", Image: better, Release: "week1", From: 60, To: 100})
	every(w.now.Add(48 * time.Hour))
	if got := strings.TrimPrefix(w.moves(), "0>10 10 10>30 30 30>60 60 rolled-back "); got !=
		"0>10 10 10>30 30 30>60 60 60>100 100 100>0 finished" {
		t.Errorf("the better release: %s", got)
	}
	if ready, _ := w.scheduled(); ready.Action != Wait || !strings.Contains(ready.Reason, "no release waits") {
		t.Errorf("after the finish: %+v", ready)
	}
	for _, cause := range []string{"calendar closed", "open incident", "soak too short", "latched"} {
		if waited[cause] == 0 {
			t.Errorf("never waited for %q: %v", cause, waited)
		}
	}
	if kills < 20 {
		t.Errorf("only %d runs were killed", kills)
	}
	t.Logf("%d runs were killed, the others waited for %v", kills, waited)
}

// toldAndDocumented checks the event and the report of the rollback.
func (w *calendarWorld) toldAndDocumented(t *testing.T) {
	t.Helper()
	about := notify.About{Stack: "production", Namespace: "shop", App: "shop", Redactor: redact.New(nil)}
	events := about.Events(w.history(), 0)
	at := slices.IndexFunc(events, func(r notify.Recorded) bool { return r.Event.Name() == names.EventRolledBack })
	if at < 0 {
		t.Fatal("nobody is told of the rollback")
	}
	rollback := events[at].Event.Data.Rollback
	if want := w.now.Add(7 * 24 * time.Hour); !rollback.Retry.Earliest.Equal(want.UTC()) ||
		!strings.Contains(rollback.Failed, "error rate") || !strings.Contains(rollback.Retry.Change, "fault mended") {
		t.Errorf("told %+v", rollback)
	}
	in := report.Input{App: "shop", Stack: "production", Release: "week1", Entries: w.history().Entries(),
		State: w.history().State(), Stages: plan.DefaultStages(), Now: w.now}
	built, err := report.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if text := built.Markdown(); !strings.Contains(text, "rolled back") || !strings.Contains(text, "error rate") {
		t.Errorf("the report does not say why it was rolled back:\n%s", text)
	}
}

// incident opens an incident by its file, or ends it with an empty text.
func (w *calendarWorld) incident(text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, "INCIDENT")
	err := os.Remove(path)
	if text != "" {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
}
