package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/endpoint"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/forecast/live"
	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/prometheus"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/simulate"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// forecastFlags are the flags of rollout forecast.
type forecastFlags struct {
	common
	weeks, extensions, runs int
	budget                  int64
	csv, start              string
	hour                    forecast.Hour
	seed                    uint64
}

func forecastCommand() *cobra.Command {
	var flags forecastFlags
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "Forecast a release before it starts",
		Long: "Forecast a release from the service's own traffic of the last weeks, with the code of bake, soak and guard: " +
			"the\n" +
			"finish, the probability of a false rollback, the requests that each stage lacks, the answers that a bad release\n" +
			"fails before it is taken out, and the pods and CPU that the trial takes. The traffic comes from the stack's\n" +
			"Prometheus, from a CSV as for `rollout simulate` with --csv, or from --rate. The command changes nothing.\n\n" +
			"The stages wait for the stack's calendar. Restarts, alerts and the stack's own criteria are not forecast. The " +
			"same\nseed and traffic give the same forecast.\n\n" +
			"It exits with 0 if the release can be decided, with 1 if --budget is not kept, and with 3 if the traffic cannot\n" +
			"decide the release; the error names what would help.",
		Example: "  rollout forecast -s production\n" +
			"  rollout forecast -s production --weeks 2 --budget 50\n" +
			"  rollout forecast -s production --csv traffic.csv -o json\n" +
			"  rollout forecast -s production --rate 5 --errors 0.001",
		Args: noArguments,
		RunE: flags.run,
	}
	flags.bind(cmd)
	set := cmd.Flags()
	set.IntVar(&flags.weeks, "weeks", live.Weeks, "weeks of traffic to read from Prometheus, 1 to 52")
	set.Int64Var(&flags.budget, "budget", 0, "propose stages that fail at most so many answers per release")
	set.StringVar(&flags.csv, "csv", "", "CSV file with the traffic, as for rollout simulate, instead of Prometheus")
	set.StringVar(&flags.start, "start", "", "start of the release in RFC 3339; omit for now")
	set.IntVar(&flags.extensions, "extensions", live.Extensions,
		"extensions of a soak after which a stage counts as undecided")
	set.IntVar(&flags.runs, "runs", 0, "releases to simulate; 0 for as many as take some seconds")
	set.Uint64Var(&flags.seed, "seed", 1, "seed of the random numbers")
	set.Float64Var(&flags.hour.Rate, "rate", 0,
		"constant traffic instead of Prometheus: the service's requests per second")
	set.Float64Var(&flags.hour.Errors, "errors", 0, "constant traffic: share of them that fails, 0 to 1")
	set.Float64Var(&flags.hour.Slow, "slow", 0, "constant traffic: share of them that is slow, 0 to 1")
	return cmd
}

func (f *forecastFlags) run(cmd *cobra.Command, _ []string) error {
	start, err := f.check(cmd, time.Now())
	if err != nil {
		return terminal.Usage(err)
	}
	stack, output, err := f.open(cmd)
	if err != nil {
		return err
	}
	if err := requireCanary(stack); err != nil {
		return err
	}
	result, profile, future, err := f.compute(cmd.Context(), stack, start,
		func(context.Context) (forecast.Profile, error) { return f.profile(cmd, stack) })
	if err != nil {
		return err
	}
	if cmd.Flags().Changed("budget") {
		if result, err = forecast.WithBudget(cmd.Context(), result, profile, future, f.budget, f.runs); err != nil {
			return err
		}
	}
	if err := output.Print(result, func(terminal.Style) string { return result.String() }); err != nil {
		return err
	}
	if result.Budget != nil && !result.Budget.Kept {
		return terminal.ErrNotInOrder
	}
	return nil
}

// compute forecasts the release that the stack plans from the traffic that read gives.
func (f *forecastFlags) compute(ctx context.Context, stack *stack.Stack, start time.Time,
	read func(context.Context) (forecast.Profile, error)) (result forecast.Forecast, profile forecast.Profile,
	future forecast.Plan, err error) {
	future = live.Plan(stack.Settings, start, f.extensions)
	if err = future.Validate(); err != nil {
		return result, profile, future, terminal.Usage(err)
	}
	future.Opens, err = live.Openings(&rollout.Rollout{Settings: stack.Settings, Dir: stack.Dir}, start)
	if err != nil {
		return result, profile, future, terminal.Usage(err)
	}
	if profile, err = read(ctx); err != nil {
		return result, profile, future, err
	}
	if !stack.Settings.IsGuarded() {
		profile.Notes = append(profile.Notes,
			"the stack has no guard: only the bake and the checkpoints convict a bad release")
	}
	result, err = forecast.Compute(ctx, profile, future, f.seed, f.runs)
	if _, undecided := errors.AsType[*forecast.UndecidedError](err); undecided {
		err = terminal.Unknown(err)
	}
	return result, profile, future, err
}

// check checks the flags, and gives the start of the release.
func (f *forecastFlags) check(cmd *cobra.Command, now time.Time) (time.Time, error) {
	changed := cmd.Flags().Changed
	start := now.UTC().Truncate(time.Minute)
	switch {
	case f.weeks < 1 || f.weeks > 52:
		return start, fmt.Errorf("--weeks %d: allowed are 1 to 52", f.weeks)
	case f.runs < 0 || f.runs > 10_000:
		return start, fmt.Errorf("--runs %d: allowed are 1 to 10000, or 0", f.runs)
	case f.budget < 0:
		return start, fmt.Errorf("--budget %d: allowed are 0 or more failed answers", f.budget)
	case changed("csv") && changed("rate"):
		return start, errors.New("--csv and --rate exclude each other: both give the traffic")
	case changed("weeks") && (changed("csv") || changed("rate")):
		return start, errors.New("--weeks is for traffic from Prometheus: omit it, or --csv and --rate")
	case !changed("rate") && (changed("errors") || changed("slow")):
		return start, errors.New("--errors and --slow are for constant traffic: give its requests per second with --rate")
	case f.start == "":
		return start, nil
	}
	start, err := time.Parse(time.RFC3339, f.start)
	if err != nil {
		return start, fmt.Errorf("--start %q: allowed is RFC 3339, such as 2026-03-02T09:00:00Z", f.start)
	}
	return start.UTC(), nil
}

// profile reads the traffic.
func (f *forecastFlags) profile(cmd *cobra.Command, stack *stack.Stack) (forecast.Profile, error) {
	switch {
	case cmd.Flags().Changed("rate"):
		profile, err := forecast.Constant(f.hour)
		if err != nil {
			return profile, terminal.Usage(fmt.Errorf("constant traffic: %w", err))
		}
		return profile, nil
	case f.csv != "":
		profile, err := profileOf(f.csv)
		if err != nil {
			return profile, terminal.Usage(fmt.Errorf("%s: %w", f.csv, err))
		}
		return profile, nil
	default:
		return f.observe(cmd.Context(), stack)
	}
}

func profileOf(path string) (forecast.Profile, error) {
	file, err := os.Open(path)
	if err != nil {
		return forecast.Profile{}, err
	}
	defer file.Close()
	traffic, err := simulate.ReadCSV(file)
	if err != nil {
		return forecast.Profile{}, err
	}
	return forecast.FromTraffic(traffic, path)
}

// observeLimit bounds the queries of the last weeks.
const observeLimit = time.Minute

func (f *forecastFlags) observe(ctx context.Context, stack *stack.Stack) (forecast.Profile, error) {
	s := stack.Settings
	otherwise := fmt.Sprintf("give the traffic with `rollout forecast --csv FILE -s %[1]s`, or try "+
		"`rollout forecast --rate 5 --errors 0.001 -s %[1]s`", stack.Name)
	if s.Prometheus == "" {
		return forecast.Profile{}, terminal.Usage(fmt.Errorf("config prometheus is not set: set it with `pulumi config set "+
			"prometheus NAMESPACE/SERVICE:PORT -s %s`, or %s", stack.Name, otherwise))
	}
	server, err := forecastServer(stack)
	if err != nil {
		return forecast.Profile{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, observeLimit, fmt.Errorf("no answer within %v", observeLimit))
	defer cancel()
	profile, err := live.Observe(ctx, server, s, f.weeks, time.Now())
	if err != nil {
		return forecast.Profile{}, fmt.Errorf("read the traffic of the last %d weeks: %w: check the names of the setting "+
			"metrics with `rollout preflight -s %s`, or %s", f.weeks, err, stack.Name, otherwise)
	}
	return profile, nil
}

// forecastServer is the stack's Prometheus. Only one that is a Service of the cluster is asked through the API server.
func forecastServer(stack *stack.Stack) (*prometheus.Client, error) {
	s, way := stack.Settings, endpoint.Way{Login: stack.PrometheusLogin()}
	if at, err := endpoint.Parse(s.Prometheus); err == nil && at.URL == "" {
		cluster, err := kube.New(kube.Options{Kubeconfig: s.Kubeconfig, Context: s.KubeContext})
		if err != nil {
			return nil, s.Unreached(err)
		}
		way.Proxy = cluster
	}
	return prometheus.Connect(way, s.Prometheus)
}
