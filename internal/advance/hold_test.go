package advance

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/calendar"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
)

// closed is a calendar that opens on the Tuesday after now.
func closed(t *testing.T) *Calendar {
	t.Helper()
	berlin, err := calendar.ParseZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	hours := calendar.Calendar{Zone: berlin, Days: []time.Weekday{time.Tuesday},
		Hours: calendar.Hours{From: 9 * time.Hour, To: 16 * time.Hour}}
	return &Calendar{Opening: hours.Judge(now), Zone: berlin}
}

func TestHolds(t *testing.T) {
	incident := func(changes ...func(*Incidents)) *Incidents {
		i := &Incidents{Open: []Incident{{Name: `alert {alertname="PaymentsDown"}`, Since: now.Add(-20 * time.Minute)}}}
		for _, change := range changes {
			change(i)
		}
		return i
	}
	override := func(key string, until time.Time) *TimedOverride {
		return &TimedOverride{Key: key, Reason: "regulator's deadline", Until: until}
	}
	tests := []struct {
		name    string
		change  func(*Facts)
		causes  []Cause
		words   []string
		lifted  int
		curable bool
	}{
		{name: "open", change: func(f *Facts) { f.Holds.Calendar = &Calendar{} }, curable: true},
		{name: "closed", change: func(f *Facts) { f.Holds.Calendar = closed(t) },
			causes: []Cause{CauseCalendar}, curable: true,
			words: []string{"now is Mon 2026-03-02 10:00 Europe/Berlin", "it is Monday, and calendar.days allows Tue",
				"opens Tue 2026-03-03 09:00 Europe/Berlin", "wait until Tue 2026-03-03 09:00 Europe/Berlin",
				"pulumi config set --path calendar.override.reason WHY -s production",
				"pulumi config set --path calendar.override.until 2026-03-02T11:00:00Z -s production"}},
		{name: "closed for good", change: func(f *Facts) {
			f.Holds.Calendar = &Calendar{Opening: calendar.Opening{Rules: []string{"a freeze: closed down"}}}
		}, causes: []Cause{CauseCalendar}, curable: true,
			words: []string{"now is Mon 2026-03-02 09:00 UTC", "does not open within 400 days",
				"pulumi config get calendar -s production"}},
		{name: "unreadable", change: func(f *Facts) { f.Holds.Calendar = &Calendar{Err: errors.New("line 3: RRULE")} },
			causes: []Cause{CauseCalendarUnknown}, words: []string{"line 3: RRULE", "calendar.override.reason"}},
		{name: "lifted", change: func(f *Facts) {
			f.Holds.Calendar = closed(t)
			f.Holds.Calendar.Override = override("calendar.override", now.Add(time.Minute))
		}, lifted: 1, curable: true,
			words: []string{"lifted by calendar.override until 2026-03-02T09:01:00Z: regulator's deadline"}},
		{name: "unreadable, and lifted", change: func(f *Facts) {
			f.Holds.Calendar = &Calendar{Err: errors.New("x"), Override: override("calendar.override", now.Add(time.Minute))}
		}, lifted: 1, curable: true},
		{name: "lifted until now", change: func(f *Facts) {
			f.Holds.Calendar = closed(t)
			f.Holds.Calendar.Override = override("calendar.override", now)
		}, causes: []Cause{CauseCalendar}, curable: true, words: []string{"calendar.override ended 2026-03-02T09:00:00Z"}},
		{name: "an override lifts no soak", change: func(f *Facts) {
			f.Holds.Calendar = closed(t)
			f.Holds.Calendar.Override = override("calendar.override", now.Add(time.Minute))
			f.Soak.Soaked = time.Hour
		}, causes: []Cause{CauseSoak}, lifted: 1, curable: true},
		{name: "an override of the calendar lifts no incident", change: func(f *Facts) {
			f.Holds.Calendar, f.Holds.Incidents = closed(t), incident()
			f.Holds.Calendar.Override = override("calendar.override", now.Add(time.Minute))
		}, causes: []Cause{CauseIncident}, lifted: 1, curable: true},
		{name: "no incident", change: func(f *Facts) { f.Holds.Incidents = &Incidents{} }, curable: true},
		{name: "an incident", change: func(f *Facts) { f.Holds.Incidents = incident() }, causes: []Cause{CauseIncident},
			curable: true, words: []string{"now is 2026-03-02T09:00:00Z",
				`alert {alertname="PaymentsDown"} since 2026-03-02T08:40:00Z`,
				"pulumi config set --path incidents.override.reason WHY -s production"}},
		{name: "seven incidents", change: func(f *Facts) {
			f.Holds.Incidents = &Incidents{Open: slices.Repeat([]Incident{{Name: "x"}}, 7)}
		}, causes: []Cause{CauseIncident}, curable: true, words: []string{"x since an unknown time", "and 2 more"}},
		{name: "nobody knows of incidents", change: func(f *Facts) {
			f.Holds.Incidents = &Incidents{Err: errors.New("prometheus cannot be reached")}
		}, causes: []Cause{CauseBlind}, curable: true, words: []string{"incidents are not known", "cannot be reached"}},
		{name: "an incident, lifted", change: func(f *Facts) {
			f.Holds.Incidents = incident(func(i *Incidents) { i.Override = override("incidents.override", now.Add(time.Hour)) })
		}, lifted: 1, curable: true},
		{name: "no sign-off", change: func(f *Facts) {
			f.Holds.Missing = []Attestation{{"sign-off", "nobody has attested it"}, {"audit", "it ended"}}
		}, causes: []Cause{CauseChecklist}, words: []string{"sign-off: nobody has attested it; audit: it ended",
			"rollout attest sign-off --ref WHERE --until 7d -s production` and `rollout attest audit"}},
		{name: "all at once", change: func(f *Facts) {
			f.Holds = Holds{Calendar: closed(t), Incidents: incident(),
				Missing: []Attestation{{"sign-off", "nobody has attested it"}}, Unapproved: []int{30}}
			f.Soak.Soaked = time.Hour
		}, causes: []Cause{CauseCalendar, CauseIncident, CauseChecklist, CauseApproval, CauseSoak}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			facts := atTen()
			facts.Stack = "production"
			tt.change(&facts)
			decision := Decide(facts)
			if got := causesOf(decision); !slices.Equal(got, tt.causes) || decision.Allowed() != (len(tt.causes) == 0) {
				t.Fatalf("refused for %q, allowed %v; want %q", got, decision.Allowed(), tt.causes)
			}
			if decision.Curable() != tt.curable || len(decision.Lifted) != tt.lifted {
				t.Errorf("curable %t, %d lifted", decision.Curable(), len(decision.Lifted))
			}
			for _, word := range tt.words {
				if !strings.Contains(decision.String(), word) {
					t.Errorf("the decision does not say %q:\n%s", word, decision)
				}
			}
			// The override of the gate is for one weight and covers these refusals as well.
			facts.Override = &Override{Weight: 30, Reason: "in an emergency"}
			if !Decide(facts).Allowed() {
				t.Error("the gate's override does not count")
			}
		})
	}
}

func causesOf(decision Decision) []Cause {
	var causes []Cause
	for _, refusal := range decision.Refusals {
		causes = append(causes, refusal.Cause)
	}
	return causes
}

// What holds an upward move back never keeps a canary in traffic, and never keeps a bad one from being rolled back.
func TestHoldsAreForUpwardMovesAlone(t *testing.T) {
	begun := func(weight int) *plan.Target { return &plan.Target{Weight: weight, Canary: onTrial, Stable: stable} }
	for name, tt := range map[string]struct {
		change func(*Facts)
		kind   plan.Kind
		held   bool
	}{
		"enter": {func(f *Facts) { f.Standing.Weight, f.Target.Weight, f.Soak = 0, 10, nil }, plan.Enter, true},
		"another image enters": {func(f *Facts) {
			f.Target.Canary, f.Target.Weight, f.Staging.Verified = newImage, 10, newImage
		}, plan.Enter, true},
		"advance": {func(*Facts) {}, plan.Advance, true},
		"resume":  {func(f *Facts) { f.Standing.Begun = begun(30) }, plan.Resume, true},
		"finish": {func(f *Facts) { f.Standing.Weight, f.Target.Weight, f.Target.Stable = 100, 0, onTrial }, plan.Finish,
			true},
		"stay":              {func(f *Facts) { f.Target.Weight = 10 }, plan.Stay, false},
		"stay at 0":         {func(f *Facts) { f.Standing.Weight, f.Target.Weight = 0, 0 }, plan.Stay, false},
		"down":              {func(f *Facts) { f.Target.Weight = 5 }, plan.Retreat, false},
		"out":               {func(f *Facts) { f.Target.Weight = 0 }, plan.Retreat, false},
		"out of a shift":    {func(f *Facts) { f.Standing.Begun, f.Target.Weight = begun(30), 0 }, plan.Retreat, false},
		"back from a shift": {func(f *Facts) { f.Standing.Begun, f.Target.Weight = begun(30), 10 }, plan.Stay, false},
		"back to a former stable image": {func(f *Facts) {
			f.Standing.Former, f.Target.Stable, f.Target.Weight = []string{newImage}, newImage, 0
		}, plan.Retreat, false},
	} {
		t.Run(name, func(t *testing.T) {
			facts := atTen()
			facts.Holds = Holds{Calendar: closed(t), Incidents: &Incidents{Open: []Incident{{Name: "x"}}},
				Missing: []Attestation{{"sign-off", "no"}}, Unapproved: []int{30}}
			tt.change(&facts)
			decision := Decide(facts)
			if decision.Move.Kind != tt.kind || decision.Allowed() == tt.held {
				t.Errorf("%s, allowed %t: %s", decision.Move.Kind, decision.Allowed(), decision)
			}
		})
	}
	facts := atTen()
	facts.Standing.Begun = begun(30)
	facts.Holds = Holds{Calendar: closed(t), Missing: []Attestation{{"sign-off", "no"}}}
	if decision := Decide(facts); decision.Move.Kind != plan.Resume || !decision.Allowed() {
		t.Errorf("a shift that was begun in time is left half done: %s", decision)
	}
	facts = atTen()
	facts.Holds.Calendar, facts.Soak.Evaluation = closed(t), evaluation(gate.Fail)
	decision := Decide(facts)
	if last := decision.Refusals[len(decision.Refusals)-1]; !decision.RollBack || last.Cause != CauseFailed {
		t.Errorf("a bad canary stays in traffic while the calendar is closed: %s", decision)
	}
}

// The refusals of unapproved stages name the commands; 0 stands for the finish.
func TestUnapprovedStagesNameTheirCommand(t *testing.T) {
	refusals, _ := Holds{Unapproved: []int{60, 0}}.Judge(time.Unix(0, 0), "production")
	if len(refusals) != 2 || !strings.Contains(refusals[0].Resolve, "rollout approve --to 60 -s production") ||
		!strings.Contains(refusals[1].Reason, "word on the finish") ||
		!strings.Contains(refusals[1].Resolve, "rollout approve --finish -s production") {
		t.Errorf("%+v", refusals)
	}
}
