package settings

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/calendar"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Calendar says when an upward move may happen. The zero Calendar allows it always.
type Calendar struct {
	// TimeZone is the IANA name of the zone of days, hours and dates.
	TimeZone string `json:"timeZone"`
	// Days are the weekdays that are open, empty for all; Hours the times of the day, empty for all.
	Days  []string `json:"days"`
	Hours string   `json:"hours"`
	// Freezes close the calendar; FreezeFile is an iCalendar file with more of them.
	Freezes    []Freeze `json:"freezes"`
	FreezeFile string   `json:"freezeFile"`
	// Every is the least time between two upward moves, 0 for no limit.
	Every    model.Duration `json:"every"`
	Override TimedOverride  `json:"override"`
}

// Freeze is a time without upward moves. From and To are dates, both inclusive, or instants.
type Freeze struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Reason string `json:"reason"`
}

// Incidents say which incidents hold an upward move back.
type Incidents struct {
	// Alerts are matchers that an alert of Prometheus must meet, all of them; empty for no alerts.
	Alerts []string `json:"alerts"`
	// File is a file that exists while there is an incident; empty for none.
	File     string           `json:"file"`
	Endpoint IncidentEndpoint `json:"endpoint"`
	Override TimedOverride    `json:"override"`
}

// Checklist names what a person must have attested before an upward move.
type Checklist struct {
	Required []string `json:"required"`
}

// TimedOverride lifts one kind of hold until a moment, with a reason that is recorded.
type TimedOverride struct {
	Reason string `json:"reason"`
	Until  string `json:"until"`
}

// holds are the settings of this file as they are used.
type holds struct {
	calendar calendar.Calendar
	alerts   []promql.Matcher
	// calendarUntil and incidentsUntil are the ends of the overrides, zero for none.
	calendarUntil, incidentsUntil time.Time
}

// HasCalendar reports whether anything limits when an upward move may happen.
func (s *Settings) HasCalendar() bool {
	c := s.Calendar
	return len(c.Days) > 0 || c.Hours != "" || len(c.Freezes) > 0 || c.FreezeFile != "" || c.Every > 0
}

// HasIncidents reports whether incidents hold upward moves back.
func (s *Settings) HasIncidents() bool {
	return len(s.Incidents.Alerts) > 0 || s.Incidents.File != "" || s.Incidents.Endpoint.URL != ""
}

// OpenHours is the calendar, without the freezes of its file and without the last move.
func (s *Settings) OpenHours() calendar.Calendar { return s.holds.calendar }

// IncidentAlerts are the matchers of the alerts that hold upward moves back.
func (s *Settings) IncidentAlerts() []promql.Matcher { return s.holds.alerts }

// CalendarOverride is the end of the calendar's override, zero for none.
func (s *Settings) CalendarOverride() time.Time { return s.holds.calendarUntil }

// IncidentsOverride is the end of the override of the incidents, zero for none.
func (s *Settings) IncidentsOverride() time.Time { return s.holds.incidentsUntil }

// validateHolds checks what holds upward moves back from outside the release.
func (s *Settings) validateHolds(errs *problems) {
	s.holds = holds{}
	if s.IsSingle() {
		s.refuseHolds(errs)
		return
	}
	s.validateCalendar(errs)
	s.validateIncidents(errs)
	for i, name := range s.Checklist.Required {
		if !names.IsAttestation(name) {
			path := fmt.Sprintf("checklist.required[%d]", i)
			errs.add(path, name, errs.setPath("'"+path+"'", "sign-off"),
				"no name of an attestation: allowed are lower-case letters, digits and -, starting with a letter")
		}
	}
}

// refuseHolds refuses what would hold nothing back: a stack with one track makes no upward moves.
func (s *Settings) refuseHolds(errs *problems) {
	for key, given := range map[string]bool{
		"calendar": s.HasCalendar(), "incidents": s.HasIncidents(), "checklist": len(s.Checklist.Required) > 0,
	} {
		if given {
			errs.add(key, "", errs.remove(key), "a stack with strategy %q has no canary to hold back", StrategySingle)
		}
	}
}

func (s *Settings) validateCalendar(errs *problems) {
	c, parsed := s.Calendar, &s.holds.calendar
	zone, err := calendar.ParseZone(c.TimeZone)
	if err != nil {
		errs.add("calendar.timeZone", c.TimeZone, errs.setPath("calendar.timeZone", "Europe/Berlin"), "%s", err)
		zone = time.UTC
	}
	parsed.Zone = zone
	for i, text := range c.Days {
		weekday, err := calendar.ParseDay(text)
		if err != nil {
			path := fmt.Sprintf("calendar.days[%d]", i)
			errs.add(path, text, errs.setPath("'"+path+"'", "Mon"), "%s", err)
		}
		parsed.Days = append(parsed.Days, weekday)
	}
	if c.Hours != "" {
		if parsed.Hours, err = calendar.ParseHours(c.Hours); err != nil {
			errs.add("calendar.hours", c.Hours, errs.setPath("calendar.hours", "09:00-16:00"), "%s", err)
		}
	}
	for i, given := range c.Freezes {
		freeze, err := calendar.ParseFreeze(given.From, given.To, given.Reason, zone)
		if err != nil {
			path := fmt.Sprintf("calendar.freezes[%d]", i)
			errs.add(path, "", errs.remove("'"+path+"'"), "%s", err)
		}
		parsed.Freezes = append(parsed.Freezes, freeze)
	}
	parsed.Every = time.Duration(c.Every)
	s.holds.calendarUntil = c.Override.validate(errs, "calendar.override", zone)
}

func (s *Settings) validateIncidents(errs *problems) {
	for i, text := range s.Incidents.Alerts {
		matcher, err := promql.ParseAlertMatcher(text)
		if err != nil {
			path := fmt.Sprintf("incidents.alerts[%d]", i)
			errs.add(path, text, errs.setPath("'"+path+"'", `'severity="critical"'`), "%s", err)
		}
		s.holds.alerts = append(s.holds.alerts, matcher)
	}
	if len(s.Incidents.Alerts) > 0 && s.Prometheus == "" && s.Bake.Duration <= 0 && !s.HasCanary() {
		errs.add("prometheus", "", errs.set("prometheus", "monitoring/prometheus-operated:9090"),
			"missing; incidents.alerts asks it")
	}
	s.Incidents.Endpoint.validate(errs)
	s.holds.incidentsUntil = s.Incidents.Override.validate(errs, "incidents.override", s.holds.calendar.Zone)
}

// validate is the end of the override, zero for none. An override that is over is none, and no mistake.
func (o TimedOverride) validate(errs *problems, key string, zone *time.Location) time.Time {
	if o.Until == "" && o.Reason == "" {
		return time.Time{}
	}
	if strings.TrimSpace(o.Reason) == "" {
		errs.add(key+".reason", "", errs.setPath(key+".reason", "WHY"), "missing; a hold is lifted with a reason only")
	}
	if o.Until == "" {
		errs.add(key+".until", "", errs.setPath(key+".until", "2026-12-18T18:00:00Z"),
			"missing; a hold is lifted for a while only. Allowed are a date and an instant")
		return time.Time{}
	}
	until, err := calendar.ParseUntil(o.Until, zone)
	if err != nil {
		errs.add(key+".until", o.Until, errs.setPath(key+".until", "2026-12-18T18:00:00Z"), "%s", err)
	}
	return until
}
