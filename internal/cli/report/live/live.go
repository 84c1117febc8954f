// Package live builds a report from the rollout's ledger and from Prometheus.
package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/rollout"
)

// chartsLimit is the time limit for the charts.
const chartsLimit = 30 * time.Second

// Server is the Prometheus that draws the charts.
type Server func() (report.Ranger, error)

// Build reads the ledger and the charts of a release and builds its report. An empty release means the newest one. A
// release without entries is a *report.UnknownReleaseError; charts that cannot be read are listed in the report.
func Build(ctx context.Context, r *rollout.Rollout, server Server, stack, release string) (*report.Report, error) {
	history, err := ledger.Read(ctx, r.Ledger())
	if err != nil {
		return nil, err
	}
	s, entries := r.Settings, history.Entries()
	if known := report.Releases(entries); release == "" && len(known) > 0 {
		release = known[len(known)-1]
	}
	in := report.Input{
		App: s.App, Environment: s.Environment, Namespace: s.Namespace, Stack: stack, Release: release,
		Entries: entries, State: history.State(), Stages: s.Stages,
		Soak: plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)},
		Now:  r.Clock.Now().UTC(), RunbookURL: s.RunbookURL,
	}
	if s.DashboardURL != "" {
		in.DashboardURL = alerts.DashboardLink(s.DashboardURL, s.Monitoring.DashboardPrefix+"-"+release)
	}
	if in.Sections, err = charts(ctx, r, server, in); err != nil {
		if unknown, ok := errors.AsType[*report.UnknownReleaseError](err); ok {
			return nil, unknown
		}
		in.Missing = append(in.Missing, "the charts: "+err.Error())
	}
	return report.Build(in)
}

// charts draws the whole release, and its last soak if that is only a part of the release.
func charts(ctx context.Context, r *rollout.Rollout, connect Server, in report.Input) ([]report.Section, error) {
	start, end, err := report.Span(in.Entries, in.Release, in.Now)
	if err != nil {
		return nil, err
	}
	if r.Settings.Prometheus == "" {
		return nil, errors.New("config prometheus is not set")
	}
	server, err := connect()
	if err != nil {
		return nil, err
	}
	spec := rollout.SoakSpec(r.Settings)
	question := report.Question{Metrics: spec.Metrics, Release: in.Release, Criteria: spec.Criteria, Start: start,
		End: end, Title: "The whole release"}
	questions := []report.Question{question}
	if since, until, part := report.LastSoak(in.Entries, in.Release, end); part {
		question.Title, question.Start, question.End = "The last soak", since, until
		questions = append(questions, question)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, chartsLimit, fmt.Errorf("no answer within %v", chartsLimit))
	defer cancel()
	var sections []report.Section
	for _, question := range questions {
		section, err := report.Panels(ctx, server, question)
		if err != nil {
			return nil, err
		}
		sections = append(sections, section.Marked(in.Entries, in.Release))
	}
	return sections, nil
}
