package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/vextrus/finance-rollout/internal/cli/simulate"
	"github.com/vextrus/finance-rollout/internal/cli/stack"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollout"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

// simulateFlags are those of rollout simulate.
type simulateFlags struct {
	common
	release string
	made    simulate.Generator
	then    simulate.Behaviour
	runs    int
	save    string
	guard   bool
	change  map[string]func(*settings.Settings)
}

func simulateCommand() *cobra.Command {
	flags := simulateFlags{change: map[string]func(*settings.Settings){}}
	cmd := &cobra.Command{
		Use:   "simulate [FILE...]",
		Short: "Run traffic through the gates and show what they would have decided",
		Long: "Run recorded or made-up traffic through the bake, the soak and the guard, with the code that they run " +
			"with, and show\n" +
			"when the release would have passed, been extended or been rolled back. It is for choosing limits: with --stack\n" +
			"they are the stack's, without it the guide's, and each can be set to try another one.\n\n" +
			"FILE is a CSV with the header time,track,n,k,slow (the last column where durations were recorded; time is RFC " +
			"3339\n" +
			"or a duration since the beginning, the end of what is counted; track is canary or stable; k of n requests failed,\n" +
			"slow of them took longer than the latency limit), or an answer of Prometheus' query_range for the raw counters,\n" +
			"one file for each metric. Without FILE the traffic is made up by --rate, --errors and the like.\n\n" +
			"It ends with 0 when the release would have passed, with 1 when it would have been rolled back, and with 3 when " +
			"the\n" +
			"traffic decides nothing.",
		Example: "  rollout simulate traffic.csv -s production\n" +
			"  rollout simulate requests.json durations.json --release week1 --rollback-error-rate 0.02\n" +
			"  rollout simulate --rate 0.5 --errors 0.003 --stable-rate 4.5 --stable-errors 0.003 --runs 200\n" +
			"  rollout simulate --rate 2 --errors 0.001 --turns 30h --errors-then 0.3 --save bad-on-day-2.csv",
		RunE: flags.run,
	}
	flags.bind(cmd)
	flags.bindTraffic(cmd)
	flags.bindLimits(cmd)
	return cmd
}

func (f *simulateFlags) bindTraffic(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.release, "release", "", "release whose canary is judged, where an export holds several")
	set.Float64Var(&f.made.Canary.Rate, "rate", 0, "made-up traffic: requests of the canary a second")
	set.Float64Var(&f.made.Canary.Errors, "errors", 0.001, "made-up traffic: share of them that fails")
	set.Float64Var(&f.made.Canary.Slow, "slow", 0.01, "made-up traffic: share of them that is slow")
	set.Float64Var(&f.made.Stable.Rate, "stable-rate", 0,
		"made-up traffic: requests of the stable track a second; 0 for none to compare with")
	set.Float64Var(&f.made.Stable.Errors, "stable-errors", 0.001, "made-up traffic: share of them that fails")
	set.Float64Var(&f.made.Stable.Slow, "stable-slow", 0.01, "made-up traffic: share of them that is slow")
	set.DurationVar(&f.made.Turns, "turns", 0, "made-up traffic: when the canary turns into another one; 0 for never")
	set.Float64Var(&f.then.Errors, "errors-then", 0, "made-up traffic: share of its requests that fails from then on")
	set.Float64Var(&f.then.Slow, "slow-then", 0, "made-up traffic: share that is slow from then on")
	set.DurationVar(&f.made.Duration, "for", 75*time.Hour, "made-up traffic: how long it goes on")
	set.DurationVar(&f.made.Step, "step", 15*time.Second, "made-up traffic: how often it is looked at")
	set.Uint64Var(&f.made.Seed, "seed", 1, "made-up traffic: makes it repeatable")
	set.IntVar(&f.runs, "runs", 1, "made-up traffic: how often it is made anew and judged; more than once gives a summary")
	set.StringVar(&f.save, "save", "", "made-up traffic: CSV file that it is written to")
}

// bindLimits adds a flag for each limit. Those that are not given stay as the stack has them.
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
	share("error-rate", "limit: share of errors that a release stays below (criteria.errorRate)",
		func(s *settings.Settings, v float64) { s.Criteria.ErrorRate = v })
	share("rollback-error-rate", "limit: share of errors above which it is rolled back (criteria.rollbackErrorRate)",
		func(s *settings.Settings, v float64) { s.Criteria.RollbackErrorRate = v })
	share("slow-share", "limit: share of slow requests that a release stays below (criteria.slowShare)",
		func(s *settings.Settings, v float64) { s.Criteria.SlowShare = v })
	share("confidence", "limit: confidence of a pass at the end of a soak (criteria.confidence)",
		func(s *settings.Settings, v float64) { s.Criteria.Confidence = v })
	share("bake-confidence", "limit: confidence of a fail (bake.confidence)",
		func(s *settings.Settings, v float64) { s.Bake.Confidence = v })
	share("guard-confidence", "limit: confidence of the guard (guard.confidence)",
		func(s *settings.Settings, v float64) { s.Guard.Confidence = v })
	duration("latency", "limit: what makes a request slow (criteria.latency)",
		func(s *settings.Settings, v model.Duration) { s.Criteria.Latency = v })
	duration("bake", "limit: length of the bake (bake.duration)",
		func(s *settings.Settings, v model.Duration) { s.Bake.Duration = v })
	duration("soak", "limit: length of the soak (soak.duration)",
		func(s *settings.Settings, v model.Duration) { s.Soak.Duration = v })
	duration("extension", "limit: by how much a soak is extended (soak.extension)",
		func(s *settings.Settings, v model.Duration) { s.Soak.Extension = v })
	requests := set.Int("min-requests", 0, "limit: requests that a pass of the bake needs (bake.minRequests)")
	f.change["min-requests"] = func(s *settings.Settings) { s.Bake.MinRequests = *requests }
	set.BoolVar(&f.guard, "guard", true, "let the guard watch, too")
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
	if f.stack != "" {
		stack, err := stack.Open(cmd.Context(), stack.Options{Stack: f.stack, Dir: f.dir})
		if err != nil {
			return err
		}
		s = stack.Settings
	}
	for name, apply := range f.change {
		if cmd.Flags().Changed(name) {
			apply(s)
		}
	}
	limits := f.limits(s)
	if err := limits.Validate(); err != nil {
		return terminal.Usage(err)
	}
	if f.runs > 1 {
		return f.many(cmd.Context(), output, limits, time.Duration(s.Criteria.Latency))
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

// check finds out what is asked for: files, or traffic that is made up.
func (f *simulateFlags) check(cmd *cobra.Command, files []string) error {
	made := cmd.Flags().Changed("rate")
	switch {
	case len(files) == 0 && !made:
		return errors.New("there is no traffic: name a file, or make some up with --rate")
	case len(files) > 0 && (made || f.save != "" || f.runs != 1):
		return errors.New("--rate, --save and --runs are about made-up traffic: give them, or files")
	case f.runs < 1 || f.runs > 10_000:
		return fmt.Errorf("--runs %d: allowed are 1 to 10000", f.runs)
	case f.runs > 1 && f.save != "":
		return errors.New("--save keeps the traffic of one run: leave --runs out")
	case len(files) > 0:
		return nil
	}
	f.then.Rate = f.made.Canary.Rate
	f.made.Then = f.then
	return f.made.Validate()
}

// limits are what the traffic is judged by.
func (f *simulateFlags) limits(s *settings.Settings) simulate.Limits {
	spec := rollout.SoakSpec(s)
	limits := simulate.Limits{
		Criteria: spec.Criteria, Soak: spec.Plan,
		Bake: gate.BakeConfig{Duration: time.Duration(s.Bake.Duration), Interval: time.Duration(s.Bake.Interval)},
	}
	if f.guard {
		guard, review := gate.ErrorRate(min(s.Criteria.ErrorRate, s.Criteria.RollbackErrorRate),
			s.Criteria.RollbackErrorRate),
			gate.Latency(time.Duration(s.Criteria.Latency), 1-s.Criteria.SlowShare)
		guard.Alpha, review.Alpha = 1-s.Guard.Confidence, 1-s.Guard.Confidence
		limits.Guard, limits.Review = &guard, &review
	}
	return limits
}

// recording reads the files, or makes the traffic up.
func (f *simulateFlags) recording(s *settings.Settings, files []string) (*simulate.Recording, error) {
	latency := time.Duration(s.Criteria.Latency)
	if len(files) == 0 {
		traffic, err := f.made.Traffic()
		if err == nil && f.save != "" {
			err = save(f.save, traffic)
		}
		if err != nil {
			return nil, err
		}
		return traffic.Recording(latency)
	}
	if strings.EqualFold(filepath.Ext(files[0]), ".json") {
		return f.export(s, files)
	}
	if len(files) > 1 {
		return nil, terminal.Usage(errors.New("several files can only be exports of Prometheus, whose names end in .json"))
	}
	file, err := os.Open(files[0])
	if err != nil {
		return nil, terminal.Usage(err)
	}
	defer file.Close()
	traffic, err := simulate.ReadCSV(file)
	if err != nil {
		return nil, terminal.Usage(fmt.Errorf("%s: %w", files[0], err))
	}
	return traffic.Recording(latency)
}

// export reads answers of Prometheus. A stack's selector holds its namespace and app; without one, whatever there is
// counts.
func (f *simulateFlags) export(s *settings.Settings, files []string) (*simulate.Recording, error) {
	metrics := rollout.SoakSpec(s).Metrics
	if f.stack == "" {
		metrics.Selector = nil
	}
	var readers []io.Reader
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return nil, terminal.Usage(err)
		}
		defer file.Close() //nolint:gocritic // every file is read until the export is
		readers = append(readers, file)
	}
	recording, err := simulate.ReadExport(metrics, f.release, readers...)
	if err != nil {
		return nil, terminal.Usage(fmt.Errorf("%s: %w", strings.Join(files, ", "), err))
	}
	return recording, nil
}

func save(path string, traffic simulate.Traffic) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return terminal.Usage(fmt.Errorf("keep the traffic: %w: name a file that does not exist", err))
	}
	return errors.Join(simulate.WriteCSV(file, traffic), file.Close())
}

// many makes traffic up again and again, and counts what came of it.
func (f *simulateFlags) many(ctx context.Context, output *terminal.Output, limits simulate.Limits,
	latency time.Duration) error {
	var results []simulate.Result
	for seed := range f.runs {
		made := f.made
		made.Seed += uint64(seed)
		traffic, err := made.Traffic()
		if err != nil {
			return err
		}
		recording, err := traffic.Recording(latency)
		if err != nil {
			return err
		}
		result, err := simulate.Run(ctx, recording, limits)
		if err != nil {
			return err
		}
		results = append(results, result)
	}
	summary := simulate.Summarize(results)
	return output.Print(summary, func(terminal.Style) string { return summary.String() })
}
