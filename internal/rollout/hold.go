package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/calendar"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/promql"
	"github.com/vextrus/finance-rollout/internal/sanitize"
	"github.com/vextrus/finance-rollout/internal/settings"
)

// incidentWait bounds the question for firing alerts.
const incidentWait = 30 * time.Second

// Holds reads what holds a move of an image back from outside the release. Going down waits for no file and no server.
func (r *Rollout) Holds(ctx context.Context, state ledger.State, move plan.Move, image string) advance.Holds {
	if !move.IsUpward() {
		return advance.Holds{}
	}
	holds := advance.Holds{Calendar: r.calendar(state), Incidents: r.incidents(ctx), Missing: r.missing(state),
		Unapproved: r.unapproved(state, move, image)}
	return holds.For(move.Kind)
}

// unapproved are the stages that a move of an image enters, whose approval the stack asks for, and that nobody has
// approved. A weight between two stages belongs to the lower one.
func (r *Rollout) unapproved(state ledger.State, move plan.Move, image string) []int {
	var stages []int
	for _, weight := range r.Settings.Advance.Approval {
		enters := move.From < weight && weight <= move.To
		if weight == settings.FinishApproval {
			enters = move.Kind == plan.Finish
		}
		if _, approved := state.Approval(image, weight); enters && !approved {
			stages = append(stages, weight)
		}
	}
	return stages
}

// Unapproved are the stages ahead of an image whose approval the stack asks for and nobody has given, in their order;
// the finish, as 0, is the last.
func (r *Rollout) Unapproved(state ledger.State, image string) []int {
	stages := r.unapproved(state, plan.Move{Kind: plan.Advance, From: state.Weight, To: 100}, image)
	slices.Sort(stages)
	return append(stages, r.unapproved(state, plan.Move{Kind: plan.Finish, From: 100}, image)...)
}

// calendar is the stack's calendar now; nil where it has none.
func (r *Rollout) calendar(state ledger.State) *advance.Calendar {
	s, now := r.Settings, r.Clock.Now()
	if !s.HasCalendar() {
		return nil
	}
	judged := &advance.Calendar{Zone: s.OpenHours().Zone,
		Override: timedOverride("calendar.override", s.Calendar.Override.Reason, s.CalendarOverride())}
	hours, err := r.OpenHours(now)
	if err != nil {
		judged.Err = err
		return judged
	}
	hours.Last = state.Raised
	judged.Opening = hours.Judge(now)
	return judged
}

// OpenHours is the stack's calendar from a moment on, with the freezes of its file and without the last move. It needs
// neither the cluster nor the clock.
func (r *Rollout) OpenHours(from time.Time) (calendar.Calendar, error) {
	hours := r.Settings.OpenHours()
	freezes, err := r.fileFreezes(hours.Zone, from)
	if err != nil {
		return calendar.Calendar{}, err
	}
	hours.Freezes = append(freezes, hours.Freezes...)
	return hours, nil
}

func timedOverride(key, reason string, until time.Time) *advance.TimedOverride {
	if until.IsZero() {
		return nil
	}
	return &advance.TimedOverride{Key: key, Reason: reason, Until: until}
}

// fileFreezes are the freezes of the stack's iCalendar file, as far ahead as an opening is looked for.
func (r *Rollout) fileFreezes(zone *time.Location, now time.Time) ([]calendar.Freeze, error) {
	file := r.Settings.Calendar.FreezeFile
	if file == "" {
		return nil, nil
	}
	text, err := readFile(r.path(file))
	if err != nil {
		return nil, fmt.Errorf("config calendar.freezeFile %q: %w", file, err)
	}
	events, err := calendar.ParseEvents(text, zone)
	if err != nil {
		return nil, fmt.Errorf("config calendar.freezeFile %q: %w", file, err)
	}
	var freezes []calendar.Freeze
	for _, event := range events {
		freezes = append(freezes, event.Between(now, now.Add(calendar.Horizon))...)
	}
	return freezes, nil
}

// incidents are those now that hold upward moves back; nil where the stack looks at none.
func (r *Rollout) incidents(ctx context.Context) *advance.Incidents {
	s := r.Settings
	if !s.HasIncidents() {
		return nil
	}
	alerts, alertsErr := r.firing(ctx)
	file, fileErr := r.incidentFile()
	answer, answerErr := r.endpointIncidents(ctx)
	return &advance.Incidents{
		Open: slices.Concat(alerts, file, answer), Err: errors.Join(alertsErr, fileErr, answerErr),
		Override: timedOverride("incidents.override", s.Incidents.Override.Reason, s.IncidentsOverride()),
	}
}

// firing are the alerts that meet the stack's matchers. What cannot be asked is an error: no answer is not a pass.
func (r *Rollout) firing(ctx context.Context) ([]advance.Incident, error) {
	matchers := r.Settings.IncidentAlerts()
	if len(matchers) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, incidentWait, fmt.Errorf("no answer within %v", incidentWait))
	defer cancel()
	query, err := promql.FiringThat(matchers)
	if err != nil {
		return nil, err
	}
	alerts, err := r.ask(ctx, query)
	if err != nil || len(alerts) == 0 {
		return nil, err
	}
	if query, err = promql.ActiveThat(matchers); err != nil {
		return nil, err
	}
	since := map[string]time.Time{}
	// Without an answer the alerts fire all the same, since an unknown time.
	beginnings, _ := r.ask(ctx, query)
	for _, sample := range beginnings {
		since[labels(sample.Metric)] = time.Unix(int64(sample.Value), 0)
	}
	var incidents []advance.Incident
	for _, sample := range alerts {
		name := labels(sample.Metric)
		incidents = append(incidents, advance.Incident{Name: "alert " + sanitize.Line(name), Since: since[name]})
	}
	return incidents, nil
}

func (r *Rollout) ask(ctx context.Context, query string) (model.Vector, error) {
	server, err := r.Prometheus()
	if err != nil {
		return nil, err
	}
	answer, err := server.Ask(ctx, query, r.Clock.Now())
	if err != nil {
		return nil, err
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("query %s returned a %s instead of a vector", query, answer.Type())
	}
	return vector, nil
}

// labels are an alert's own labels.
func labels(metric model.Metric) string {
	alert := metric.Clone()
	delete(alert, model.MetricNameLabel)
	delete(alert, "alertstate")
	return alert.String()
}

// incidentFile is the incident of the stack's file, while it exists. Its first line says which; a file without one
// holds as well, because its author has other things to do than to write. A missing folder cannot say that there is no
// incident.
func (r *Rollout) incidentFile() ([]advance.Incident, error) {
	file := r.Settings.Incidents.File
	if file == "" {
		return nil, nil
	}
	path := r.path(file)
	text, err := readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if _, err = os.Stat(filepath.Dir(path)); err == nil {
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("config incidents.file %q: %w", file, err)
	}
	incident := advance.Incident{Name: "file " + file}
	if first, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); first != "" {
		incident.Name += " (" + strings.TrimSpace(sanitize.Line(first)) + ")"
	}
	if info, err := os.Stat(path); err == nil {
		incident.Since = info.ModTime()
	}
	return []advance.Incident{incident}, nil
}

// missing are the attestations that the stack requires and that do not hold.
func (r *Rollout) missing(state ledger.State) []advance.Attestation {
	var missing []advance.Attestation
	for _, name := range r.Settings.Checklist.Required {
		entry, attested := state.Attested(name)
		switch {
		case !attested:
			missing = append(missing, advance.Attestation{Name: name, Why: "nobody has attested it"})
		case !entry.Holds(r.Clock.Now()):
			why := "the attestation by " + entry.Who + " is not valid yet"
			if entry.Until != nil {
				why = fmt.Sprintf("the attestation by %s ended %s", entry.Who, entry.Until.UTC().Format(time.RFC3339))
			}
			missing = append(missing, advance.Attestation{Name: name, Why: why})
		}
	}
	return missing
}

// path is a file of the configuration: relative ones lie in the project's folder.
func (r *Rollout) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(r.Dir, file)
}

// mostFileBytes bounds a file, so that a wrong path is refused and not read in.
const mostFileBytes = 1 << 20

func readFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(file, mostFileBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	if len(data) > mostFileBytes {
		return "", fmt.Errorf("larger than %d bytes", mostFileBytes)
	}
	return string(data), nil
}
