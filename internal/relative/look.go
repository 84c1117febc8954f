package relative

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/promql"
)

// Names of the results.
const (
	NameErrors  = "errors against stable"
	NameLatency = "latency against stable"
	NameSlices  = "slices against stable"
)

// Question is the input of a look.
type Question struct {
	Limits Limits
	// Canary and Stable select the series of the tracks over the Window.
	Canary, Stable gate.Metrics
	Window         gate.Window
}

// Look reads the window of a soak and gives a result for each test. Below the limits a test passes: it proves no canary
// good, which the other criteria do. A finding is inconclusive, which holds the release for a review, or with
// Limits.RollBack a fail.
func Look(ctx context.Context, querier gate.Querier, q Question) []gate.Result {
	if err := q.Limits.Validate(); err != nil {
		return []gate.Result{failed(NameErrors, err)}
	}
	q.Window.Start = q.Window.Start.Add(q.Limits.WarmUp)
	if !q.Window.End.After(q.Window.Start) {
		reason := fmt.Sprintf("the comparison with stable begins after %v, when the canary has warmed up", q.Limits.WarmUp)
		return []gate.Result{{Name: NameErrors, Verdict: gate.Pass, Reason: reason}}
	}
	canary, stable := newUsages(q.Window), newUsages(q.Window)
	results := q.errors(ctx, querier, canary, stable)
	if q.Limits.Slower > 0 {
		results = append(results, q.latency(ctx, querier))
	}
	if q.Limits.CPU > 0 || q.Limits.Memory > 0 {
		results = append(results, q.resources(ctx, querier, canary, stable)...)
	}
	return results
}

// LookAtBake compares the errors of a bake, and gives the findings alone: in a few minutes only a gross difference is
// shown, and a bake that shows none has not compared anything. New pods are slow and need much until they are warm, so
// that latency, CPU and memory are left to the soak.
func LookAtBake(ctx context.Context, querier gate.Querier, q Question) []gate.Result {
	q.Limits.WarmUp, q.Limits.Slower, q.Limits.CPU, q.Limits.Memory = 0, 0, 0, 0
	return slices.DeleteFunc(Look(ctx, querier, q), func(result gate.Result) bool {
		return !result.Review && result.Verdict != gate.Fail
	})
}

func failed(name string, err error) gate.Result {
	return gate.Result{Name: name, Verdict: gate.Error, Reason: "compare with stable: " + err.Error()}
}

// errors are the results of all requests and of the slices. The requests of the tracks are noted in their usages.
func (q Question) errors(ctx context.Context, querier gate.Querier, mine, theirs *usages) []gate.Result {
	counter, err := NewCounter(q.Canary.StatusLabel, q.Canary.ErrorPattern, q.Limits)
	if err != nil {
		return []gate.Result{failed(NameErrors, err)}
	}
	sides, err := q.sides(q.Canary.RequestsTotal)
	if err != nil {
		return []gate.Result{failed(NameErrors, err)}
	}
	test := NewErrors(q.Limits, DefaultCap(), q.Window.Start)
	_, err = gate.ReadBlocks(ctx, querier, sides, q.Window, Block, func(block gate.Block) error {
		canary, stable, parts := counter.Count(block)
		test.Add(block.Start, block.End, canary, stable, parts)
		mine.requested(block.End, canary.N)
		theirs.requested(block.End, stable.N)
		return nil
	})
	if err != nil {
		return []gate.Result{failed(NameErrors, err)}
	}
	results := []gate.Result{q.judgeErrors(test)}
	if q.Limits.Slices > 0 {
		results = append(results, q.judgeSlices(test))
	}
	return results
}

// sides select the counted series of a metric on both tracks.
func (q Question) sides(metric string, matchers ...promql.Matcher) (gate.Sides, error) {
	sides := gate.Sides{Canary: q.Canary, Stable: q.Stable}
	var err error
	if sides.CanarySeries, err = q.Canary.Select(metric, matchers...); err != nil {
		return sides, err
	}
	sides.StableSeries, err = q.Stable.Select(metric, matchers...)
	return sides, err
}

func (q Question) judgeErrors(test *Errors) gate.Result {
	canary, stable := test.Total()
	result := gate.Result{Name: NameErrors, N: canary.N, K: canary.K, Stable: &stable}
	if canary.N > 0 {
		result.Rate = float64(canary.K) / float64(canary.N)
	}
	switch finding := test.Finding(); {
	case finding != nil:
		return q.worse(result, finding.describe(), fmt.Sprintf("more than %v times as often (criteria.relativeRatio)",
			q.Limits.Ratio))
	case canary.N > 0 && stable.N == 0:
		return unseen(result)
	default:
		return pass(result, "%s of the canary's %d requests failed, beside %s of stable's %d: not shown to be more than %v "+
			"times as many", percent(canary), canary.N, percent(stable), stable.N, q.Limits.Ratio)
	}
}

// unseen is the result of a canary with requests beside a stable track without any: no data is not a pass.
func unseen(result gate.Result) gate.Result {
	result.Verdict = gate.Inconclusive
	result.Reason = "no request of the stable track is counted to compare with: is it scraped? `criteria.relative: off` " +
		"turns the comparison off"
	return result
}

func pass(result gate.Result, reason string, args ...any) gate.Result {
	result.Verdict, result.Reason = gate.Pass, fmt.Sprintf(reason, args...)
	return result
}

// worse is the result of a finding.
func (q Question) worse(result gate.Result, finding, limit string) gate.Result {
	result.Review, result.Verdict = true, gate.Inconclusive
	if q.Limits.RollBack {
		result.Review, result.Verdict = false, gate.Fail
	}
	result.Confidence = 1 - Alpha
	result.Reason = fmt.Sprintf("%s: %s, with %.4g %% confidence", finding, limit, 100*(1-Alpha))
	if result.Review {
		result.Reason += ": a person has to review it"
	}
	return result
}

// mostNamed is the number of findings that a reason names.
const mostNamed = 3

func (q Question) judgeSlices(test *Errors) gate.Result {
	canary, stable := test.Total()
	result := gate.Result{Name: NameSlices, N: canary.N, K: canary.K, Stable: &stable, Notes: test.LeftOut()}
	findings := test.Found()
	if len(findings) == 0 {
		return pass(result, "%d slices (labels and pods), none shown to fail more than %v times as often as stable's",
			test.Tested(), q.Limits.Ratio)
	}
	var texts []string
	for _, finding := range findings[:min(len(findings), mostNamed)] {
		texts = append(texts, finding.Slice.String()+": "+finding.describe())
	}
	text := strings.Join(texts, "; ")
	if more := len(findings) - mostNamed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return q.worse(result, text, fmt.Sprintf("more than %v times as often (criteria.relativeRatio)", q.Limits.Ratio))
}

// latency is the result of the latency's distribution.
func (q Question) latency(ctx context.Context, querier gate.Querier) gate.Result {
	bounds, spellings, err := q.bounds(ctx, querier)
	if err != nil {
		return failed(NameLatency, err)
	}
	if len(bounds) == 0 {
		return pass(gate.Result{Name: NameLatency}, "the tracks have no bound of %s in common: nothing to compare",
			q.Canary.DurationBucket)
	}
	sides, err := q.sides(q.Canary.DurationBucket, promql.OneOf(model.BucketLabel, spellings...))
	if err != nil {
		return failed(NameLatency, err)
	}
	test := NewLatency(q.Limits, DefaultCap(), q.Window.Start, bounds)
	_, err = gate.ReadBlocks(ctx, querier, sides, q.Window, Block, func(block gate.Block) error {
		test.Add(block.Start, block.End, Tails(block.Canary, bounds), Tails(block.Stable, bounds))
		return nil
	})
	if err != nil {
		return failed(NameLatency, err)
	}
	canary, stable := test.Total()
	result := gate.Result{Name: NameLatency, N: canary, Stable: &gate.Counts{N: stable}}
	switch finding := test.Finding(); {
	case finding != nil:
		result.K = finding.Canary.K
		return q.worse(result, finding.describeLatency(q.unit()), fmt.Sprintf("more than %v times as slow "+
			"(criteria.relativeSlower)", q.Limits.Slower))
	case canary > 0 && stable == 0:
		return unseen(result)
	default:
		return pass(result, "%d requests beside %d of stable at %d bounds: not shown to be more than %v times as slow",
			canary, stable, len(bounds), q.Limits.Slower)
	}
}

func (q Question) unit() time.Duration {
	if q.Canary.DurationUnit == 0 {
		return time.Second
	}
	return q.Canary.DurationUnit
}

// bounds are those that both tracks have, and all spellings of them and of the bucket of all requests.
func (q Question) bounds(ctx context.Context, querier gate.Querier) (bounds []float64, spellings []string, err error) {
	var sides [2][]string
	for i, metrics := range []gate.Metrics{q.Canary, q.Stable} {
		selector, err := metrics.Select(metrics.DurationBucket)
		if err != nil {
			return nil, nil, err
		}
		sides[i], err = querier.LabelValues(ctx, model.BucketLabel, selector, q.Window.Start, q.Window.End)
		if err != nil {
			return nil, nil, err
		}
	}
	bounds = CommonBounds(sides[0], sides[1])
	for _, spelling := range slices.Concat(sides[0], sides[1]) {
		bound, err := strconv.ParseFloat(spelling, 64)
		if err == nil && (math.IsInf(bound, 1) || slices.Contains(bounds, bound)) {
			spellings = append(spellings, spelling)
		}
	}
	slices.Sort(spellings)
	return bounds, slices.Compact(spellings), nil
}
