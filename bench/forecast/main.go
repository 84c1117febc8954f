// Command forecast compares forecasts of generated weeks with the releases of the week after, and measures how long a
// forecast takes. It needs no cluster and keeps the result as a dated table in docs/benchmarks.md. The seed is fixed,
// so that it can be repeated.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/forecast/live"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/settings"
)

const seed = 20260302

func main() {
	releases := flag.Int("releases", 200, "releases that are forecast and compared")
	runs := flag.Int("runs", 60, "simulated releases of each forecast that is compared")
	output := flag.String("output", filepath.Join("docs", "benchmarks.md"), "the file whose section is replaced")
	flag.Parse()
	if err := run(context.Background(), *releases, *runs, *output); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, releases, runs int, output string) error {
	if releases < 1 || runs < 1 {
		return fmt.Errorf("-releases %d -runs %d: allowed are numbers above 0", releases, runs)
	}
	counted, err := compare(ctx, releases, runs)
	if err != nil {
		return err
	}
	longest, usual, err := timed(ctx)
	if err != nil {
		return err
	}
	text := section(counted, releases, runs, longest, usual)
	fmt.Println(text)
	return document.Update(output, "forecast", text)
}

// row counts what held of one statement of the forecasts.
type row struct {
	what       string
	held, came int
}

// compare forecasts each release from four weeks, and looks when it was done in a week that the forecast has not seen.
func compare(ctx context.Context, releases, runs int) ([]row, error) {
	half, most := row{what: "done by the 50 % date"}, row{what: "done by the 90 % date"}
	stages := row{what: "a stage is passed by its 90 % date"}
	answers := row{what: "a bad release (33 %) fails no more answers than at worst"}
	for number := range uint64(max(releases, 0)) {
		source := rand.New(rand.NewPCG(seed, number)) //nolint:gosec // a simulation is to be repeatable
		p := release(source)
		foreseen, err := forecast.Compute(ctx, forecast.Generate(source, 4), p, number, runs)
		if err != nil {
			return nil, err
		}
		week := forecast.Generate(source, 1)
		passed, err := forecast.Came(ctx, week, p, seed+number)
		if err != nil {
			return nil, err
		}
		isDone := len(passed) == len(p.Stages)
		half.count(isDone, passed, foreseen.Half)
		most.count(isDone, passed, foreseen.Most)
		for i, stage := range foreseen.Stages {
			stages.count(i < len(passed), passed[:min(i+1, len(passed))], stage.Most)
		}
		actual, err := forecast.Compute(ctx, week, p, seed+number, 1)
		if err != nil {
			return nil, err
		}
		for i, bad := range foreseen.Bad {
			if bad.Share == 0.33 {
				answers.came++
				if actual.Bad[i].Worst <= bad.Worst {
					answers.held++
				}
			}
		}
	}
	return []row{half, most, stages, answers}, nil
}

// count counts the last passage against a date. No date says that the release takes longer than can be said.
func (r *row) count(isPassed bool, passed []time.Time, by *time.Time) {
	r.came++
	if by == nil && !isPassed || by != nil && isPassed && !passed[len(passed)-1].After(*by) {
		r.held++
	}
}

// release is a release by the guide's stages, of one day each, that starts at any hour of the week.
func release(source *rand.Rand) forecast.Plan {
	p := guide()
	p.Start = p.Start.Add(time.Duration(source.IntN(7*24)) * time.Hour)
	p.Limits.Soak = plan.Soak{Duration: 24 * time.Hour, Extension: 12 * time.Hour}
	// A service of little traffic needs a longer bake: in half an hour, and as much again, the quietest day has 100
	// requests at 10 %.
	p.Limits.Bake.Duration = 30 * time.Minute
	// Fewer looks at the same evidence.
	p.Limits.Bake.Interval = p.Limits.Bake.Duration / 2
	return p
}

// guide is the plan of the settings' defaults.
func guide() forecast.Plan {
	s := settings.Defaults()
	p := live.Plan(s, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), live.Extensions)
	p.Split = func(weight int) (plan.Position, error) { return plan.Split(1, weight, s.Replicas, s.WarmStable) }
	return p
}

// timed are the times of a forecast as `rollout forecast` makes it, for services of several sizes.
func timed(ctx context.Context) (longest time.Duration, rates []string, err error) {
	for _, rate := range []float64{0.5, 5, 500} {
		profile, err := forecast.Constant(forecast.Hour{Rate: rate, Errors: 0.001, Slow: 0.01})
		if err != nil {
			return 0, nil, err
		}
		p := guide()
		// A service of little traffic needs a longer bake.
		p.Limits.Bake.Duration = max(p.Limits.Bake.Duration, time.Duration(1000/rate)*time.Second)
		begin := time.Now()
		if _, err := forecast.Compute(ctx, profile, p, 1, 0); err != nil {
			return 0, nil, err
		}
		took := time.Since(begin)
		longest = max(longest, took)
		rates = append(rates, fmt.Sprintf("%v requests/s: %.1f s", rate, took.Seconds()))
	}
	return longest, rates, nil
}

func section(rows []row, releases, runs int, longest time.Duration, times []string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## Forecasts and what came\n\n%s, Go %s, seed %d, %d releases by the guide's stages with soaks "+
		"of 24 hours and bakes of 30 minutes, each forecast by %d simulated\nreleases from four generated weeks and "+
		"compared with one release in a week that the forecast has not seen.\n\n", time.Now().UTC().Format(time.DateOnly),
		strings.TrimPrefix(runtime.Version(), "go"), seed, releases, runs)
	text.WriteString("| the forecast says | it held in | share | 95 % interval of the share |\n|---|---|---|---|\n")
	for _, r := range rows {
		lower, upper := gate.Interval(int64(r.came), int64(r.held), 0.95)
		fmt.Fprintf(&text, "| %s | %d of %d | %.1f %% | %.1f to %.1f %% |\n", r.what, r.held, r.came,
			100*float64(r.held)/float64(r.came), 100*lower, 100*upper)
	}
	fmt.Fprintf(&text, "\nA forecast with the usual number of runs took at most %.1f s on %d processors (%s).\n",
		longest.Seconds(), runtime.GOMAXPROCS(0), strings.Join(times, "; "))
	return text.String()
}
