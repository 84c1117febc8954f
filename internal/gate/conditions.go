package gate

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/promql"
)

// Asker evaluates an instant query. The Client of internal/prometheus implements it.
type Asker interface {
	Ask(ctx context.Context, query string, at time.Time) (model.Value, error)
}

// Rollout is the subject of a condition's query.
type Rollout struct {
	Namespace, App, Release, Track string
	// Deployment is the name of the canary's Deployment; the names of its pods begin with it.
	Deployment string
}

// Directions of a QueryCriterion.
const (
	Below = "below"
	Above = "above"
)

// QueryCriterion is a condition from the stack's configuration on one value. It is met while the value is below or
// above the limit. It does not count events and so has no confidence: an unmet condition is inconclusive, which holds
// the release and never rolls it back.
type QueryCriterion struct {
	Name string
	// Query is PromQL that returns one value. $namespace, $app, $release, $track and $window are replaced by those of the
	// rollout.
	Query     string
	Limit     float64
	Direction string
	// Address is where the value comes from in place of Prometheus; nil for Query.
	Address *Address `json:",omitempty"`
}

// Evaluate judges the value at the end of the window.
func (c QueryCriterion) Evaluate(ctx context.Context, asker Asker, rollout Rollout, window Window) Result {
	result := Result{Name: c.Name}
	value, err := c.value(ctx, asker, rollout, window, &result)
	if err != nil {
		return result.is(Error, "%v", err)
	}
	text, limit := strconv.FormatFloat(value, 'g', 6, 64), strconv.FormatFloat(c.Limit, 'g', 6, 64)
	switch {
	case c.Direction != Below && c.Direction != Above:
		return result.is(Error, "direction %q: must be %s or %s", c.Direction, Below, Above)
	case c.Direction == Below && value < c.Limit, c.Direction == Above && value > c.Limit:
		return result.is(Pass, "%s is %s %s", text, c.Direction, limit)
	default:
		return result.is(Inconclusive, "%s is not %s %s", text, c.Direction, limit)
	}
}

// value asks for the value, and notes in the result what was asked.
func (c QueryCriterion) value(ctx context.Context, asker Asker, rollout Rollout, window Window,
	result *Result) (float64, error) {
	if c.Address != nil {
		return c.Address.value(ctx, asker, rollout, window, result)
	}
	query, err := rollout.expand(c.Query, window)
	if err != nil {
		return 0, err
	}
	result.Query = query
	return single(ctx, asker, query, window.End)
}

// expand replaces the variables of a query. Values are quoted for the inside of a PromQL string, so that none reaches
// beyond it. A value with a single quote or a backtick is refused: no quoting is safe in all three kinds of strings.
func (r Rollout) expand(query string, window Window) (string, error) {
	values := map[string]string{
		"namespace": r.Namespace, "app": r.App, "release": r.Release, "track": r.Track,
		"window": promql.Window(window.length()),
	}
	for name, value := range values {
		if strings.ContainsAny(value, "'`") || !utf8.ValidString(value) {
			return "", fmt.Errorf("$%s is %q, which is not allowed in a query: use a name without quotes and backticks", name,
				value)
		}
	}
	var unknown []string
	expanded := os.Expand(query, func(name string) string {
		value, ok := values[name]
		if _, err := strconv.Atoi(name); err == nil {
			return "$" + name // a capture group of label_replace
		}
		if !ok {
			unknown = append(unknown, name)
		}
		quoted := strconv.Quote(value)
		return quoted[1 : len(quoted)-1]
	})
	if len(unknown) > 0 {
		return "", fmt.Errorf("query %q: $%s is unknown; allowed are $app, $namespace, $release, $track and $window",
			query, strings.Join(unknown, ", $"))
	}
	return expanded, nil
}

// single evaluates a query that returns one number.
func single(ctx context.Context, asker Asker, query string, at time.Time) (float64, error) {
	answer, err := asker.Ask(ctx, query, at)
	if err != nil {
		return 0, err
	}
	var value float64
	switch typed := answer.(type) {
	case *model.Scalar:
		value = float64(typed.Value)
	case model.Vector:
		if len(typed) != 1 {
			return 0, fmt.Errorf("the query returns %d values instead of one: aggregate it, for example with sum() or max()",
				len(typed))
		}
		value = float64(typed[0].Value)
	default:
		return 0, fmt.Errorf("the query returns a %s instead of one value", answer.Type())
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, fmt.Errorf("the query returns %v: is there anything to measure?", value)
	}
	return value, nil
}

// PodState is the current state of one of the canary's pods, from the API server.
type PodState struct {
	Name      string
	Restarts  int
	CrashLoop bool
}

// Restarts is the condition that the service's container of no canary pod restarted in the window. A crash loop fails
// the release; a restart asks for a review. Deleted pods are known from kube-state-metrics, if Prometheus scrapes it,
// and current pods from the API server.
func Restarts(ctx context.Context, asker Asker, rollout Rollout, pods []PodState, window Window) Result {
	result := Result{Name: "restarts"}
	restarts := 0
	for _, pod := range pods {
		if pod.CrashLoop {
			return result.is(Fail, "pod %s is in a crash loop (%d restarts)", pod.Name, pod.Restarts)
		}
		restarts += pod.Restarts
	}
	series, err := promql.Selector("kube_pod_container_status_restarts_total",
		map[string]string{"namespace": rollout.Namespace, "container": rollout.App}, promql.PodsOf(rollout.Deployment))
	if err != nil {
		return result.is(Error, "%v", err)
	}
	result.Query = promql.Sum(promql.Rise(series, window.length()))
	answer, err := asker.Ask(ctx, result.Query, window.End)
	if err != nil {
		return result.is(Error, "%v", err)
	}
	source := "kube-state-metrics and the API server"
	switch vector, ok := answer.(model.Vector); {
	case !ok:
		return result.is(Error, "the query returns a %s instead of a vector", answer.Type())
	case len(vector) == 0:
		source = "the API server alone, because Prometheus has no kube-state-metrics for these pods"
	default:
		past := float64(vector[0].Value)
		if !(past >= 0 && past <= maxExactInteger) {
			return result.is(Error, "kube-state-metrics has %v restarts, which is not a count", past)
		}
		restarts = max(restarts, int(math.Ceil(past)))
	}
	if restarts > 0 {
		return result.is(Inconclusive, "%d restarts, according to %s: see `kubectl logs --previous`", restarts, source)
	}
	return result.is(Pass, "none in %d pods, according to %s", len(pods), source)
}

// Firing is the condition that no alert that asks for a rollback fired about the pods of the window. Such an alert asks
// for a review: the counts decide about a rollback, and an alert on the same series is not independent evidence. An
// alert that an earlier try of the same release left behind holds this one only until it resolves.
func Firing(ctx context.Context, asker Asker, rollout Rollout, window Window) Result {
	result := Result{Name: "alerts"}
	fired, err := promql.FiredSince(map[string]string{
		"severity": "critical", "namespace": rollout.Namespace, "app": rollout.App, "release": rollout.Release,
	}, window.Start, window.length())
	if err != nil {
		return result.is(Error, "%v", err)
	}
	result.Query = promql.Max(fired, model.AlertNameLabel)
	answer, err := asker.Ask(ctx, result.Query, window.End)
	if err != nil {
		return result.is(Error, "%v", err)
	}
	vector, ok := answer.(model.Vector)
	if !ok {
		return result.is(Error, "the query returns a %s instead of a vector", answer.Type())
	}
	var names []string
	for _, sample := range vector {
		names = append(names, string(sample.Metric[model.AlertNameLabel]))
	}
	if len(names) > 0 {
		slices.Sort(names)
		return result.is(Inconclusive, "critical alerts fired: %s", some(names))
	}
	return result.is(Pass, "no critical alert fired")
}
