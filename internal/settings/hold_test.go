package settings

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

func TestACalendar(t *testing.T) {
	s, err := Load("production", production("calendar", `{"timeZone":"Europe/Berlin","days":["Mon","Tuesday","wed"],
		"hours":"09:00-16:00","freezes":[{"from":"2026-12-18","to":"2027-01-03","reason":"year end"},
		{"from":"2026-11-26 00:00:00 +0000 UTC","to":"2026-11-27T06:00:00Z","reason":"Black Friday"}],
		"freezeFile":"freezes.ics","every":"20h","override":{"reason":"hotfix","until":"2026-12-19"}}`))
	if err != nil {
		t.Fatal(err)
	}
	hours := s.OpenHours()
	if !s.HasCalendar() || hours.Zone.String() != "Europe/Berlin" || hours.Every != 20*time.Hour ||
		hours.Hours.String() != "09:00-16:00" || s.Calendar.FreezeFile != "freezes.ics" {
		t.Errorf("%+v", hours)
	}
	if diff := cmp.Diff([]time.Weekday{time.Monday, time.Tuesday, time.Wednesday}, hours.Days); diff != "" {
		t.Error(diff)
	}
	var freezes []string
	for _, freeze := range hours.Freezes {
		freezes = append(freezes, freeze.From.UTC().Format(time.RFC3339)+" "+freeze.To.UTC().Format(time.RFC3339)+" "+
			freeze.Reason)
	}
	want := []string{"2026-12-17T23:00:00Z 2027-01-03T23:00:00Z year end",
		"2026-11-25T23:00:00Z 2026-11-27T06:00:00Z Black Friday"}
	if diff := cmp.Diff(want, freezes); diff != "" {
		t.Error(diff)
	}
	if until := s.CalendarOverride().UTC().Format(time.RFC3339); until != "2026-12-19T23:00:00Z" {
		t.Errorf("the override ends %s", until)
	}
}

func TestIncidents(t *testing.T) {
	s, err := Load("production", production("incidents",
		`{"alerts":["severity=\"critical\"","team=~\"pay.*\""],"file":"INCIDENT",
			"override":{"reason":"x","until":"2026-12-19T10:00:00Z"}}`,
		"checklist", `{"required":["sign-off","database-backup"]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []promql.Matcher{{Label: "severity", Operator: "=", Value: "critical"}, {Label: "team", Operator: "=~",
		Value: "pay.*"}}
	if diff := cmp.Diff(want, s.IncidentAlerts()); diff != "" || !s.HasIncidents() {
		t.Error(diff)
	}
	if !s.IncidentsOverride().Equal(time.Date(2026, 12, 19, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("the override ends %s", s.IncidentsOverride())
	}
	// A copy under the name of the release on trial holds the same.
	named, err := s.WithRelease("week1")
	if err != nil || len(named.IncidentAlerts()) != 2 || !named.IncidentsOverride().Equal(s.IncidentsOverride()) {
		t.Errorf("%v, %v", named.IncidentAlerts(), err)
	}
}

func TestNothingHoldsByDefault(t *testing.T) {
	for _, changes := range [][]string{nil, {"calendar", `{}`, "incidents", `{}`, "checklist", `{}`},
		{"calendar", `{"timeZone":"Europe/Berlin","override":{"reason":"old","until":"2020-01-01"}}`}} {
		s, err := Load("production", production(changes...))
		if err != nil {
			t.Fatal(err)
		}
		if s.HasCalendar() || s.HasIncidents() || len(s.Checklist.Required) > 0 {
			t.Errorf("%q holds moves back", changes)
		}
	}
}

func TestHoldsAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		changes []string
		want    []string
	}{
		"time zone": {[]string{"calendar", `{"timeZone":"Berlin"}`}, []string{`config calendar.timeZone is "Berlin"`,
			"IANA", "pulumi config set --path calendar.timeZone Europe/Berlin -s production"}},
		"no time zone": {[]string{"calendar", `{"timeZone":""}`}, []string{"config calendar.timeZone", "IANA"}},
		"day": {[]string{"calendar", `{"days":["Mon","Dienstag"]}`}, []string{`config calendar.days[1] is "Dienstag"`,
			"Mon, Tue, Wed", "pulumi config set --path 'calendar.days[1]' Mon -s production"}},
		"days as a text": {[]string{"calendar", `{"days":"Mon-Thu"}`}, []string{"config calendar.days", "a list is needed"}},
		"hours": {[]string{"calendar", `{"hours":"9-16"}`}, []string{`config calendar.hours is "9-16"`,
			"pulumi config set --path calendar.hours 09:00-16:00 -s production"}},
		"hours across midnight": {[]string{"calendar", `{"hours":"22:00-02:00"}`},
			[]string{"calendar.hours", "across midnight are not allowed", "20:00-24:00"}},
		"a freeze backwards": {[]string{"calendar", `{"freezes":[{"from":"2027-01-03","to":"2026-12-18","reason":"x"}]}`},
			[]string{"config calendar.freezes[0]", `to "2026-12-18" is not after from "2027-01-03"`,
				"pulumi config rm --path 'calendar.freezes[0]' -s production"}},
		"a freeze without a reason": {[]string{"calendar", `{"freezes":[{"from":"2026-12-18","to":"2027-01-03"}]}`},
			[]string{"calendar.freezes[0]", "reason is missing"}},
		"a freeze without an end": {[]string{"calendar", `{"freezes":[{"from":"2026-12-18","reason":"x"}]}`},
			[]string{"calendar.freezes[0]", `to ""`, "2026-12-18T16:00:00+01:00"}},
		"a field of a freeze": {[]string{"calendar", `{"freezes":[{"form":"2026-12-18"}]}`},
			[]string{"calendar.freezes[0].form", "did you mean from?"}},
		"every without a unit": {[]string{"calendar", `{"every":24}`}, []string{"config calendar.every", "write 24s"}},
		"every below 0":        {[]string{"calendar", `{"every":"-1h"}`}, []string{"config calendar.every"}},
		"an override without a reason": {[]string{"calendar", `{"override":{"until":"2026-12-19"}}`},
			[]string{"config calendar.override.reason", "with a reason only", "calendar.override.reason WHY -s production"}},
		"an override without an end": {[]string{"calendar", `{"override":{"reason":"hotfix"}}`},
			[]string{"config calendar.override.until", "for a while only"}},
		"an override until some time": {[]string{"incidents", `{"override":{"reason":"x","until":"tomorrow"}}`},
			[]string{`config incidents.override.until is "tomorrow"`, "neither a date nor an instant"}},
		"an unquoted matcher": {[]string{"incidents", `{"alerts":["severity=critical"]}`},
			[]string{`config incidents.alerts[0] is "severity=critical"`, "a quoted value",
				`pulumi config set --path 'incidents.alerts[0]' 'severity="critical"' -s production`}},
		"a pattern": {[]string{"incidents", `{"alerts":["team=~\"(\""]}`}, []string{"incidents.alerts[0]", "pattern"}},
		"a state":   {[]string{"incidents", `{"alerts":["alertstate=\"pending\""]}`}, []string{"alertstate"}},
		"alerts without a Prometheus": {[]string{"incidents", `{"alerts":["severity=\"critical\""]}`, "prometheus", "",
			"canaryWeight", "0", "bake", `{"duration":"0s"}`}, []string{"config prometheus", "incidents.alerts asks it"}},
		"an endpoint without a field": {[]string{"incidents", `{"endpoint":{"url":"https://status.example.com"}}`},
			[]string{"config incidents.endpoint.field", "missing", "incidents.endpoint.field .status.indicator -s production"}},
		"a field without an endpoint": {[]string{"incidents", `{"endpoint":{"field":"open"}}`},
			[]string{"config incidents.endpoint.url", "missing"}},
		"a field that is none": {[]string{"incidents", `{"endpoint":{"url":"https://status.example.com","field":"a[?(@.b"}}`},
			[]string{"config incidents.endpoint.field", "no JSONPath"}},
		"an endpoint that is none": {[]string{"incidents", `{"endpoint":{"url":"status.example.com","field":"open"}}`},
			[]string{"config incidents.endpoint.url", "http or https"}},
		"an endpoint with a password": {[]string{"incidents",
			`{"endpoint":{"url":"https://ann:s3cr3t@status.example.com","field":"open"}}`},
			[]string{`config incidents.endpoint.url is "https://status.example.com"`, "credentials"}},
		"an attestation": {[]string{"checklist", `{"required":["Sign off"]}`},
			[]string{`config checklist.required[0] is "Sign off"`, "lower-case letters"}},
		"a calendar of one track": {[]string{"strategy", "single", "calendar", `{"days":["Mon"]}`},
			[]string{"config calendar", "has no canary to hold back", "pulumi config rm calendar -s production"}},
		"incidents of one track": {[]string{"strategy", "single", "incidents", `{"file":"INCIDENT"}`},
			[]string{"config incidents", "has no canary"}},
		"a checklist of one track": {[]string{"strategy", "single", "checklist", `{"required":["sign-off"]}`},
			[]string{"config checklist", "has no canary"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load("production", production(tt.changes...))
			testkit.WantError(t, err, tt.want...)
		})
	}
}
