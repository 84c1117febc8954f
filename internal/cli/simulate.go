package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/forecast/live"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/simulate"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// simulateFlags are the flags of rollout simulate.
type simulateFlags struct {
	common
	release   string
	generator simulate.Generator
	then      simulate.Behaviour
	runs      int
	save      string
	guard     bool
	rehearse  bool
	days      int
	// change applies the flag of a limit to the settings, by the flag's name.
	change map[string]func(*settings.Settings)
}

func simulateCommand() *cobra.Command {
	flags := simulateFlags{change: map[string]func(*settings.Settings){}}
	cmd := &cobra.Command{
		Use:   "simulate [FILE...]",
		Short: "Replay traffic through the gates and show their decisions",
		Long: "Replay recorded or generated traffic through bake, soak and guard, with the code of the real gates, and " +
			"show\n" +
			"when the release would have passed, been extended or been rolled back. Use it to choose limits: with --stack\n" +
			"they are the stack's, otherwise the guide's, and each has a flag to try another value.\n\n" +
			"FILE is a CSV with the header time,track,n,k,slow (slow is optional; time is RFC 3339 or a duration since the\n" +
			"start, and marks the end of the interval; track is canary or stable; k of n requests failed, and slow of them\n" +
			"exceeded the latency limit), or a query_range response of Prometheus with the raw counters, one file per " +
			"metric.\n" +
			"Without FILE the traffic is generated from --rate, --errors and so on. With --rehearse it is the stack's own\n" +
			"past: each stable pod plays the canary beside the others (A/A), and every alarm is a false one.\n\n" +
			"It exits with 0 if the release would have passed, with 1 if it would have been rolled back, and with 3 if the\n" +
			"traffic decides nothing.",
		Example: "  rollout simulate traffic.csv -s production\n" +
			"  rollout simulate requests.json durations.json --release week1 --rollback-error-rate 0.02\n" +
			"  rollout simulate --rate 0.5 --errors 0.003 --stable-rate 4.5 --stable-errors 0.003 --runs 200\n" +
			"  rollout simulate --rate 2 --errors 0.002 --burst 20 --burst-every 2h --runs 50\n" +
			"  rollout simulate --rate 2 --errors 0.001 --turns 30h --errors-then 0.3 --save bad-on-day-2.csv\n" +
			"  rollout simulate --rehearse --days 14 -s production",
		RunE: flags.run,
	}
	flags.bind(cmd)
	flags.bindTraffic(cmd)
	flags.bindBursts(cmd)
	flags.bindLimits(cmd)
	flags.bindPast(cmd)
	return cmd
}

func (f *simulateFlags) bindTraffic(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.release, "release", "", "release of the canary to judge, if an export has several")
	set.Float64Var(&f.generator.Canary.Rate, "rate", 0, "generated traffic: the canary's requests per second")
	set.Float64Var(&f.generator.Canary.Errors, "errors", 0.001, "generated traffic: share of them that fails, 0 to 1")
	set.Float64Var(&f.generator.Canary.Slow, "slow", 0.01, "generated traffic: share of them that is slow, 0 to 1")
	set.Float64Var(&f.generator.Stable.Rate, "stable-rate", 0,
		"generated traffic: the stable track's requests per second; 0 for no stable track")
	set.Float64Var(&f.generator.Stable.Errors, "stable-errors", 0.001,
		"generated traffic: share of them that fails, 0 to 1")
	set.Float64Var(&f.generator.Stable.Slow, "stable-slow", 0.01, "generated traffic: share of them that is slow, 0 to 1")
	set.DurationVar(&f.generator.Turns, "turns", 0, "generated traffic: time at which the canary changes; 0 for never")
	set.Float64Var(&f.then.Errors, "errors-then", 0, "generated traffic: share of its requests that fails after --turns")
	set.Float64Var(&f.then.Slow, "slow-then", 0, "generated traffic: share that is slow after --turns")
	set.DurationVar(&f.generator.Duration, "for", 75*time.Hour, "generated traffic: length")
	set.DurationVar(&f.generator.Step, "step", 15*time.Second, "generated traffic: time between samples")
	set.Uint64Var(&f.generator.Seed, "seed", 1, "generated traffic: seed of the random numbers")
	set.IntVar(&f.runs, "runs", 1,
		"generated traffic: number of runs, each with another seed; several runs give a summary")
	set.StringVar(&f.save, "save", "", "generated traffic: CSV file to write it to")
}

// bindBursts adds the flags for errors that come together.
func (f *simulateFlags) bindBursts(cmd *cobra.Command) {
	set, bursts := cmd.Flags(), &f.generator.Bursts
	set.IntVar(&bursts.Errors, "burst", 0,
		"generated traffic: further errors that come together within 1 s to 2 min, as when a customer retries; 0 for none")
	set.DurationVar(&bursts.Every, "burst-every", time.Hour, "generated traffic: mean time between two bursts")
	set.BoolVar(&bursts.AllPods, "burst-all-pods", false,
		"generated traffic: bursts hit all pods of both tracks at once, not each pod at times of its own")
	set.IntVar(&bursts.Daily, "errors-a-day", 0,
		"generated traffic: further errors that come together at each pod once a day; 0 for none")
	set.Float64Var(&bursts.Correlation, "correlation", 0,
		"generated traffic: correlation of a pod's failures within each --block (beta-binomial), 0 to 1; 0 for independent")
	set.DurationVar(&bursts.Block, "block", time.Minute, "generated traffic: time within which failures are correlated")
	set.IntVar(&bursts.Pods, "pods", 1, "generated traffic: the canary's pods, which bursts hit one by one")
	set.IntVar(&bursts.StablePods, "stable-pods", 9, "generated traffic: stable's pods, which bursts hit one by one")
}

// bindLimits adds a flag for each limit. A limit without its flag stays as it is in the stack.
func (f *simulateFlags) bindLimits(cmd *cobra.Command) {
	set := cmd.Flags()
	share := func(name, usage string, apply func(*settings.Settings, float64)) {
		value := set.Float64(name, 0, usage)
		f.change[name] = func(s *settings.Settings) { apply(s, *value) }
	}
	duration := func(name, usage string, apply func(*settings.Settings, model.Duration)) {
		value := set.Duration(name, 0, usage)
		f.change[name] = func(s *settings.Settings) { apply(s, model.Duration(*value)) }
	}
	share("error-rate", "limit: target for the error rate (criteria.errorRate)",
		func(s *settings.Settings, v float64) { s.Criteria.ErrorRate = v })
	share("rollback-error-rate", "limit: error rate above which a canary is rolled back (criteria.rollbackErrorRate)",
		func(s *settings.Settings, v float64) { s.Criteria.RollbackErrorRate = v })
	share("slow-share", "limit: target for the share of slow requests (criteria.slowShare)",
		func(s *settings.Settings, v float64) { s.Criteria.SlowShare = v })
	share("confidence", "limit: confidence of a pass at the end of a soak (criteria.confidence)",
		func(s *settings.Settings, v float64) { s.Criteria.Confidence = v })
	share("bake-confidence", "limit: confidence of a fail (bake.confidence)",
		func(s *settings.Settings, v float64) { s.Bake.Confidence = v })
	share("guard-confidence", "limit: confidence of the guard (guard.confidence)",
		func(s *settings.Settings, v float64) { s.Guard.Confidence = v })
	duration("latency", "limit: latency above which a request is slow (criteria.latency)",
		func(s *settings.Settings, v model.Duration) { s.Criteria.Latency = settings.Latency(v) })
	duration("bake", "limit: length of the bake (bake.duration)",
		func(s *settings.Settings, v model.Duration) { s.Bake.Duration = v })
	duration("soak", "limit: length of the soak (soak.duration)",
		func(s *settings.Settings, v model.Duration) { s.Soak.Duration = v })
	duration("extension", "limit: length of an extension (soak.extension)",
		func(s *settings.Settings, v model.Duration) { s.Soak.Extension = v })
	requests := set.Int("min-requests", 0, "limit: requests that the bake needs to pass (bake.minRequests)")
	f.change["min-requests"] = func(s *settings.Settings) { s.Bake.MinRequests = *requests }
	set.BoolVar(&f.guard, "guard", true, "include the guard")
	isolates := set.Bool("quarantine", true, "limit: the guard isolates before it rolls back (guard.quarantine)")
	f.change["quarantine"] = func(s *settings.Settings) { s.Guard.Quarantine = isolates }
}

func (f *simulateFlags) run(cmd *cobra.Command, files []string) error {
	output, err := terminal.NewOutput(f.format, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	if err := f.check(cmd, files); err != nil {
		return terminal.Usage(err)
	}
	s := settings.Defaults()
	var opened *stack.Stack
	if f.stack != "" {
		if opened, err = f.openStack(cmd, output); err != nil {
			return err
		}
		s = opened.Settings
	}
	for name, apply := range f.change {
		if cmd.Flags().Changed(name) {
			apply(s)
		}
	}
	limits := live.Limits(s, f.guard)
	// The record's own step is the time between scrapes.
	limits.Scrape = 0
	if err := limits.Validate(); err != nil {
		return terminal.Usage(err)
	}
	if f.rehearse {
		return f.rehearsePast(cmd.Context(), output, opened, s, limits)
	}
	if f.runs > 1 {
		summary, err := simulate.Repeat(cmd.Context(), f.generator, f.runs, limits, slowFrom(s))
		if err != nil {
			return err
		}
		return output.Print(summary, func(terminal.Style) string { return summary.String() })
	}
	recording, err := f.recording(s, files)
	if err != nil {
		return err
	}
	result, err := simulate.Run(cmd.Context(), recording, limits)
	if err != nil {
		return err
	}
	if err := output.Print(result, func(terminal.Style) string { return result.String() }); err != nil {
		return err
	}
	return terminal.OfVerdict(map[simulate.Action]gate.Verdict{simulate.Passed: gate.Pass,
		simulate.RolledBack: gate.Fail}[result.Outcome().Action])
}

// check checks that the flags ask for either files or generated traffic.
func (f *simulateFlags) check(cmd *cobra.Command, files []string) error {
	generated := cmd.Flags().Changed("rate")
	if err := f.checkPast(cmd, files); err != nil || f.rehearse {
		return err
	}
	switch {
	case len(files) == 0 && !generated:
		return errors.New("no traffic: name a file, or generate traffic with --rate")
	case len(files) > 0 && (generated || f.save != "" || f.runs != 1):
		return errors.New("--rate, --save and --runs are for generated traffic: pass them or files, not both")
	case f.runs < 1 || f.runs > 10_000:
		return fmt.Errorf("--runs %d: allowed are 1 to 10000", f.runs)
	case f.runs > 1 && f.save != "":
		return errors.New("--save writes the traffic of one run: omit --runs")
	case len(files) > 0:
		return nil
	}
	f.then.Rate = f.generator.Canary.Rate
	f.generator.Then = f.then
	return f.generator.Validate()
}

// slowFrom is the latency from which the traffic's requests are slow. With criteria.latency off it is the usual one,
// which nothing judges.
func slowFrom(s *settings.Settings) time.Duration {
	if s.Criteria.Latency == 0 {
		return time.Duration(settings.Defaults().Criteria.Latency)
	}
	return time.Duration(s.Criteria.Latency)
}

// recording reads the files, or generates the traffic.
func (f *simulateFlags) recording(s *settings.Settings, files []string) (*simulate.Recording, error) {
	latency := slowFrom(s)
	if len(files) > 0 {
		metrics := rollout.SoakSpec(s).Metrics
		if f.stack == "" {
			// Without a stack any series of the metrics counts.
			metrics.Selector = nil
		}
		recording, err := simulate.ReadFiles(files, metrics, f.release, latency)
		if err != nil {
			return nil, terminal.Usage(err)
		}
		return recording, nil
	}
	traffic, err := f.generator.Traffic()
	if err != nil {
		return nil, err
	}
	if f.save != "" {
		if err := simulate.Save(f.save, traffic); err != nil {
			return nil, terminal.Usage(err)
		}
	}
	return traffic.Recording(latency)
}
