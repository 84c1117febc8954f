package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/alerts"
	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// chartsLimit bounds what Prometheus is given for the charts.
const chartsLimit = 30 * time.Second

func reportCommand() *cobra.Command {
	var flags common
	var release, file string
	var asHTML bool
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the deployment log of a release",
		Long: "Write what happened to a release and when, what was decided by which numbers, how requests, errors and " +
			"latency of both\n" +
			"tracks went, what was rolled back, and what is to do next: from the ledger, and from Prometheus for the charts.\n" +
			"It is Markdown; with --html it is one page with the charts drawn, which needs nothing else. Without Prometheus " +
			"the\n" +
			"report has no charts and says so.",
		Example: "  rollout report -s production > week1.md\n  rollout report -s production --html --file week1.html\n  " +
			"rollout report -s production --release week1 -o json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asHTML && flags.format == terminal.FormatJSON {
				return terminal.Usage(errors.New("--html and -o json are two formats: give one"))
			}
			stack, output, err := flags.open(cmd)
			if err != nil {
				return err
			}
			made, err := reportOf(cmd.Context(), stack, release)
			if err != nil {
				return err
			}
			return writeTo(file, output, func(output *terminal.Output) error {
				if asHTML {
					page, err := made.HTML()
					if err != nil {
						return err
					}
					_, err = io.WriteString(output.Writer, page)
					return err
				}
				return output.Print(made, func(terminal.Style) string { return made.Markdown() })
			})
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&release, "release", "", "release to report on; empty for the newest of the ledger")
	cmd.Flags().BoolVar(&asHTML, "html", false, "write one self-contained HTML page")
	cmd.Flags().StringVarP(&file, "file", "f", "", "file to write, which must not exist; empty for the standard output")
	return cmd
}

// writeTo writes into a new file, or to the output where none is named.
func writeTo(path string, output *terminal.Output, write func(*terminal.Output) error) error {
	if path == "" {
		return write(output)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return terminal.Usage(fmt.Errorf("write the report: %w: name a file that does not exist", err))
	}
	return errors.Join(write(&terminal.Output{Format: output.Format, Writer: file}), file.Close())
}

// reportOf reads the ledger and the charts and makes the report. The newest release is meant where none is named.
func reportOf(ctx context.Context, stack *stack.Stack, release string) (*report.Report, error) {
	client, err := stack.Connect(ctx)
	if err != nil {
		return nil, err
	}
	s := stack.Settings
	if s.IsSingle() {
		return nil, terminal.Usage(fmt.Errorf("stack %s has one track and keeps no ledger: name a stack with a canary by "+
			"--stack", stack.Name))
	}
	history, err := ledger.Read(ctx, rollout.LedgerIn(client, s))
	if err != nil {
		return nil, err
	}
	entries, now := history.Entries(), time.Now().UTC()
	if known := report.Releases(entries); release == "" && len(known) > 0 {
		release = known[len(known)-1]
	}
	in := report.Input{
		App: s.App, Environment: s.Environment, Namespace: s.Namespace, Stack: stack.Name, Release: release,
		Entries: entries, State: history.State(), Stages: s.Stages,
		Soak: plan.Soak{Duration: time.Duration(s.Soak.Duration), Extension: time.Duration(s.Soak.Extension)},
		Now:  now, RunbookURL: s.RunbookURL,
	}
	if s.DashboardURL != "" {
		in.DashboardURL = alerts.DashboardLink(s.DashboardURL, s.Monitoring.DashboardPrefix+"-"+release)
	}
	if in.Sections, err = charts(ctx, client, s, in); err != nil {
		if unknown, ok := errors.AsType[*report.UnknownReleaseError](err); ok {
			return nil, terminal.Usage(unknown)
		}
		in.Missing = append(in.Missing, "the charts: "+err.Error())
	}
	return report.Build(in)
}

// charts are those of the whole release, and of its last soak where that is only a part of it.
func charts(ctx context.Context, client *kube.Client, s *settings.Settings, in report.Input) ([]report.Section, error) {
	start, end, err := report.Span(in.Entries, in.Release, in.Now)
	if err != nil {
		return nil, err
	}
	if s.Prometheus == "" {
		return nil, errors.New("config prometheus is not set")
	}
	server, err := prometheus.Connect(endpoint.Way{Proxy: client}, s.Prometheus)
	if err != nil {
		return nil, err
	}
	spec := rollout.SoakSpec(s)
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
