// Command verdicts simulates what the gate's statistics promise, with the gate's own code: how often a healthy
// release is rolled back in a soak, and how many requests a verdict takes. It needs no cluster and keeps the result
// as a dated table in docs/benchmarks.md. The seed is fixed, so that it can be repeated.
package main

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/vextrus/finance-rollout/bench/internal/document"
	"github.com/vextrus/finance-rollout/internal/gate"
)

const (
	target   = 0.005
	rollback = 0.01
	// looksPerWindow and looksPerSoak are the numbers of looks, one every 15 s, in 5 minutes and in 48 hours.
	looksPerWindow = 20
	looksPerSoak   = 48 * 60 * 4
	seed           = 20260302
)

func main() {
	trials := flag.Int("trials", 6000, "simulated soaks for each rate of requests, with independent errors; 0 for none")
	soaks := flag.Int("soaks", 1000, "simulated soaks for each stream of bursts; 0 for none")
	beside := flag.Int("beside", 100, "how many of them the rules beside the guard's own see as well, at least 1")
	bad := flag.Int("bad", 100, "simulated canaries that turn bad, for each row")
	seededRuns := flag.Int("regressions", 20, "simulated soaks for each seeded regression; 0 for none")
	healthyRuns := flag.Int("healthy", 200, "simulated soaks of each healthy service beside them")
	bakes := flag.Int("bakes", 2000, "simulated bakes for each row; 0 for none")
	outages := flag.Int("outages", 10, "how often each case of a simulated shared outage is run; 0 for none")
	rates := flag.String("rates", "100,600,3000", "requests in 5 minutes at the canary whose errors come in bursts")
	output := flag.String("output", filepath.Join("docs", "benchmarks.md"), "the file whose sections are replaced")
	flag.Parse()
	update := func(name string, runs int, section func() string) {
		if runs <= 0 {
			return
		}
		text := section()
		fmt.Println(text)
		if err := document.Update(*output, name, text); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
	update("verdicts", *trials, func() string {
		return falseRollbacks(*trials) + requestsToPass(2000) + requestsToFail(4000) + guarded(*trials/2)
	})
	perWindow, err := numbers(*rates)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	update("verdicts-bursts", *soaks, func() string {
		return healthyBursts(*soaks, max(*beside, 1), perWindow) + badCanaries(max(*bad, 1), perWindow)
	})
	update("verdicts-regressions", *seededRuns, func() string { return seeded(*seededRuns, *healthyRuns) })
	update("verdicts-outages", *outages, func() string { return sharedOutages(*outages) })
	update("verdicts-bakes", *bakes, func() string { return baked(*bakes) })
}

// numbers reads numbers above 0 with commas between them.
func numbers(text string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(part)
		if err != nil || number < 1 {
			return nil, fmt.Errorf("-rates %s: %q is not a number above 0; for example -rates 100,600", text, part)
		}
		list = append(list, number)
	}
	return list, nil
}

// soak is the outcome of one simulated soak: the rules that rolled it back.
type soak struct{ sequential, window, sustained bool }

// simulate watches a healthy release with that many requests a look.
func simulate(draw distuv.Binomial, perLook int64, alpha float64) soak {
	var out soak
	var n, k int64
	var recent [looksPerWindow]int64
	bad, above := int64(0), 0
	for look := range looksPerSoak {
		failed := int64(draw.Rand())
		n, k = n+perLook, k+failed
		bad += failed - recent[look%looksPerWindow]
		recent[look%looksPerWindow] = failed
		// The evidence grows only with a failed request.
		if failed > 0 && gate.EValue(n, k, rollback) >= 1/alpha {
			out.sequential = true
		}
		if look < looksPerWindow {
			continue
		}
		if float64(bad) > rollback*float64(perLook*looksPerWindow) {
			out.window = true
			above++
		} else {
			above = 0
		}
		// An alert with a duration of five minutes fires at the look after them.
		out.sustained = out.sustained || above > looksPerWindow
	}
	return out
}

func falseRollbacks(trials int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## False rollbacks of a healthy release\n\n%s, Go %s, seed %d with a stream for each soak, "+
		"%d simulated soaks of 48 hours for each row, looked at every 15 s, at a true error\nrate of 0.3 %% "+
		"and a rollback limit of 1 %%. The goal is at most 0.1 %% of the soaks.\n\n", time.Now().UTC().Format(time.DateOnly),
		strings.TrimPrefix(runtime.Version(), "go"), seed, trials)
	text.WriteString("| requests in 5 minutes | the gate | with 95 % confidence at most | any 5 minutes above 1 % | " +
		"above 1 % for 5 minutes on end |\n|---|---|---|---|---|\n")
	for _, rate := range []int64{100, 600, 1500} {
		perLook := rate / looksPerWindow
		soaks := make([]soak, trials)
		parallel(trials, func(i int) {
			draw := distuv.Binomial{N: float64(perLook), P: 0.003, Src: sourceOf(int(rate), i)}
			soaks[i] = simulate(draw, perLook, gate.DefaultAlpha)
		})
		var counted [3]int64
		for _, out := range soaks {
			for i, rolledBack := range []bool{out.sequential, out.window, out.sustained} {
				if rolledBack {
					counted[i]++
				}
			}
		}
		_, most := gate.Interval(int64(trials), counted[0], 0.9)
		share := func(count int64) string { return fmt.Sprintf("%.2f %%", 100*float64(count)/float64(trials)) }
		fmt.Fprintf(&text, "| %d | %s | %.2f %% | %s | %s |\n", rate, share(counted[0]), 100*most, share(counted[1]),
			share(counted[2]))
	}
	return text.String()
}

// sourceOf has the random numbers of a trial at a rate of requests.
func sourceOf(rate, trial int) rand.Source {
	return rand.NewPCG(seed, uint64(rate)<<32+uint64(trial)) //nolint:gosec // both are above 0
}

// until is the number of requests until done, bounded by most.
func until(source *rand.Rand, rate float64, most int64, done func(n, k int64) bool) int64 {
	var k int64
	for n := int64(1); n < most; n++ {
		if source.Float64() < rate {
			k++
		}
		if done(n, k) {
			return n
		}
	}
	return most
}

func quantiles(values []int64) (median, p90, mean float64) {
	slices.Sort(values)
	total := 0.0
	for _, value := range values {
		total += float64(value)
	}
	return float64(values[len(values)/2]), float64(values[len(values)*9/10]), total / float64(len(values))
}

func requestsToPass(trials int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n## Requests until a pass\n\nTarget 0.5 %%, confidence %.0f %%, %d trials for each row, "+
		"looked at after every 10 requests.\n\n", 100*(1-gate.DefaultPassAlpha), trials)
	text.WriteString("| true error rate | median | 9 of 10 within | mean |\n|---|---|---|---|\n")
	for _, rate := range []float64{0, 0.001, 0.002} {
		source := rand.New(rand.NewPCG(seed, math.Float64bits(rate))) //nolint:gosec // a simulation is to be repeatable
		values := make([]int64, trials)
		for i := range values {
			values[i] = until(source, rate, 1e6, func(n, k int64) bool {
				return n%10 == 0 && gate.EValueBelow(n, k, target) >= 1/gate.DefaultPassAlpha
			})
		}
		median, p90, mean := quantiles(values)
		fmt.Fprintf(&text, "| %.1f %% | %.0f | %.0f | %.0f |\n", 100*rate, median, p90, mean)
	}
	return text.String()
}

func requestsToFail(trials int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n## Requests until a fail\n\nRollback limit 1 %%, alpha %g, %d trials for each row, looked at "+
		"after every request. Wald's test knows the true rate, which nobody\ndoes; "+
		"both reject at the same level. The goal is a mean of at most 1.25 times its.\n\n", gate.DefaultAlpha, trials)
	text.WriteString("| true error rate | median | mean | Wald's mean | ratio |\n|---|---|---|---|---|\n")
	for _, rate := range []float64{0.02, 0.03, 0.10, 0.33} {
		source := rand.New(rand.NewPCG(seed, math.Float64bits(rate))) //nolint:gosec // a simulation is to be repeatable
		gateNeeds, waldNeeds := make([]int64, trials), make([]int64, trials)
		up, down := math.Log(rate/rollback), math.Log((1-rate)/(1-rollback))
		for i := range gateNeeds {
			wald, ours, last, total := int64(0), int64(0), int64(0), 0.0
			until(source, rate, 1e6, func(n, k int64) bool {
				failed := k > last
				last = k
				if failed {
					total += up
				} else {
					total += down
				}
				if wald == 0 && total >= -math.Log(gate.DefaultAlpha) {
					wald = n
				}
				if ours == 0 && failed && gate.EValue(n, k, rollback) >= 1/gate.DefaultAlpha {
					ours = n
				}
				return wald > 0 && ours > 0
			})
			gateNeeds[i], waldNeeds[i] = ours, wald
		}
		median, _, mean := quantiles(gateNeeds)
		_, _, waldMean := quantiles(waldNeeds)
		fmt.Fprintf(&text, "| %.0f %% | %.0f | %.1f | %.1f | %.2f |\n", 100*rate, median, mean, waldMean, mean/waldMean)
	}
	return text.String()
}
