package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/dashboard"
	"github.com/vextrus/finance-rollout/internal/cli/evidence"
	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/forecast/live"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

const (
	// chartsSpan is the time that the dashboard's charts show, chartsLimit bounds reading them.
	chartsSpan  = time.Hour
	chartsLimit = 20 * time.Second
	// stopLimit is how long open pages may take to end.
	stopLimit = 2 * time.Second
)

func dashboardCommand() *cobra.Command {
	var flags common
	var listen string
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Show the rollout live in the browser",
		Long: "Show the rollout live on a page in the browser: tracks, the weight asked and measured, the soak with each\n" +
			"criterion's bounds, traffic of both tracks, alerts, latch, guard, ledger, evidence and forecast.\n\n" +
			"The page is served to this machine alone, and only to a browser that opened the printed address: the address\n" +
			"holds a token, which is new each time. The page changes nothing. The command runs until Ctrl-C.",
		Example: "  rollout dashboard -s production\n  rollout dashboard -s production --listen 127.0.0.1:8123",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkListen(listen); err != nil {
				return terminal.Usage(err)
			}
			if interval < leastInterval {
				return terminal.Usage(fmt.Errorf("--interval %s: allowed are intervals of at least %s", interval, leastInterval))
			}
			s, err := flags.begin(cmd)
			if err != nil {
				return err
			}
			return s.serveDashboard(cmd.Context(), listen, interval)
		},
	}
	flags.bind(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address of this machine to serve on; port 0 for a free one")
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "time between two looks, at least 500ms")
	return cmd
}

// checkListen refuses an address that other machines reach: the page shows the rollout over plain HTTP.
func checkListen(listen string) error {
	address, err := netip.ParseAddrPort(listen)
	if err != nil || !address.Addr().IsLoopback() {
		return fmt.Errorf("--listen %q: allowed are addresses of this machine alone, such as 127.0.0.1:8123; for another "+
			"machine forward the port: ssh -L 8123:127.0.0.1:8123 HOST", listen)
	}
	return nil
}

// serveDashboard serves the page until the context ends.
func (s *session) serveDashboard(ctx context.Context, listen string, interval time.Duration) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return terminal.Usage(fmt.Errorf("--listen %s: %w: choose another port, or 0 for a free one", listen, err))
	}
	token := dashboard.NewToken()
	logger := slog.New(slog.NewTextHandler(s.progress, nil))
	watch := dashboard.NewWatch(s.dashboardSource(), interval, logger)
	server := &http.Server{
		Handler:           dashboard.NewHandler(watch, func() (string, error) { return token, nil }),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // open pages end with the command
		ErrorLog:    slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	address := fmt.Sprintf("http://%s/?token=%s", listener.Addr(), token)
	if err := s.output.Print(map[string]string{"url": address}, func(terminal.Style) string {
		return "Open " + address + "\nThe page is live until Ctrl-C."
	}); err != nil {
		return errors.Join(err, listener.Close())
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch.Run(ctx)
	}()
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		_ = server.Shutdown(ending) // what is still open after the limit ends with the process
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the dashboard: %w", err)
	}
	<-watched
	return nil
}

// dashboardSource is what the page shows of this stack.
func (s *session) dashboardSource() dashboard.Source {
	rollout := s.follow()
	source := dashboard.Source{Status: rollout.status, Rewrite: s.output.Rewrite}
	if s.Settings.IsSingle() {
		return source
	}
	// A configuration that cannot be read is told by the status; these go by the one before.
	newest := func(ctx context.Context) *session {
		s, _ := rollout.now(ctx)
		return s
	}
	source.Evidence = func(ctx context.Context, _ *status.Status) ([]evidence.Summary, error) {
		s := newest(ctx)
		return evidence.List(ctx, s.cluster, s.Settings.Namespace, s.Settings.App)
	}
	source.Charts = func(ctx context.Context, current *status.Status) (report.Section, error) {
		return newest(ctx).dashboardCharts(ctx, current)
	}
	source.Forecast = func(ctx context.Context, current *status.Status) (*forecast.Forecast, error) {
		return newest(ctx).dashboardForecast(ctx, current)
	}
	return source
}

// dashboardCharts are the charts of the stage, of the last hour at most.
func (s *session) dashboardCharts(ctx context.Context, current *status.Status) (report.Section, error) {
	if s.Settings.Prometheus == "" {
		return report.Section{}, errors.New("config prometheus is not set")
	}
	server, err := prometheus.Connect(endpoint.Way{Proxy: s.cluster, Login: s.stack.PrometheusLogin()},
		s.Settings.Prometheus)
	if err != nil {
		return report.Section{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, chartsLimit, fmt.Errorf("no answer within %v", chartsLimit))
	defer cancel()
	spec := rollout.SoakSpec(s.Settings)
	return report.Panels(ctx, server, report.Question{Metrics: spec.Metrics, Release: current.Release,
		Criteria: spec.Criteria, Start: current.Time.Add(-chartsSpan), End: current.Time, Title: "The last hour"})
}

// dashboardForecast is the forecast of a release that begins now.
func (s *session) dashboardForecast(ctx context.Context, current *status.Status) (*forecast.Forecast, error) {
	flags := forecastFlags{weeks: live.Weeks, extensions: live.Extensions, seed: 1}
	result, _, _, err := flags.compute(ctx, s.stack, current.Time.UTC().Truncate(time.Minute),
		func(ctx context.Context) (forecast.Profile, error) { return flags.observe(ctx, s.stack) })
	return &result, err
}
