package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/report/live"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

func reportCommand() *cobra.Command {
	var flags common
	var release, file string
	var asHTML bool
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the deployment log of a release",
		Long: "Write the deployment log of a release: its timeline, decisions with their numbers, charts of requests, " +
			"errors\n" +
			"and latency of both tracks, rollbacks and next steps. The log comes from the ledger, the charts from " +
			"Prometheus.\n" +
			"The format is Markdown; with --html it is one self-contained page with the charts drawn. Without Prometheus the\n" +
			"report has no charts and says so.",
		Example: "  rollout report -s production > week1.md\n  rollout report -s production --html --file week1.html\n  " +
			"rollout report -s production --release week1 -o json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asHTML && flags.format == terminal.FormatJSON {
				return terminal.Usage(errors.New("--html and -o json exclude each other"))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			document, err := s.buildReport(cmd.Context(), release)
			if err != nil {
				return err
			}
			return writeTo(file, s.output, func(output *terminal.Output) error {
				if asHTML {
					page, err := document.HTML()
					if err != nil {
						return err
					}
					_, err = io.WriteString(output.Writer, output.Rewritten(page))
					return err
				}
				return output.Print(document, func(terminal.Style) string { return document.Markdown() })
			})
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&release, "release", "", "release to report on; omit for the newest in the ledger")
	cmd.Flags().BoolVar(&asHTML, "html", false, "write one self-contained HTML page")
	cmd.Flags().StringVarP(&file, "file", "f", "", "file to write, which must not exist; omit for standard output")
	return cmd
}

func (s *session) buildReport(ctx context.Context, release string) (*report.Report, error) {
	if err := s.requireCanary(); err != nil {
		return nil, err
	}
	server := func() (report.Ranger, error) {
		return prometheus.Connect(endpoint.Way{Proxy: s.cluster, Login: s.stack.PrometheusLogin()}, s.Settings.Prometheus)
	}
	document, err := live.Build(ctx, s.Rollout, server, s.stack.Name, release)
	if unknown, ok := errors.AsType[*report.UnknownReleaseError](err); ok {
		return nil, terminal.Usage(unknown)
	}
	return document, err
}

// writeTo writes to a new file, or to the output if the path is empty.
func writeTo(path string, output *terminal.Output, write func(*terminal.Output) error) error {
	if path == "" {
		return write(output)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return terminal.Usage(fmt.Errorf("write the report: %w: name a file that does not exist", err))
	}
	return errors.Join(write(&terminal.Output{Format: output.Format, Writer: file, Rewrite: output.Rewrite}), file.Close())
}
