package promql

import (
	"strings"
	"time"
)

// Rate is the increase per second of each counter over the window before the evaluation time, extrapolated as PromQL
// does and corrected for resets.
func Rate(selector string, window time.Duration) string { return over("rate", selector, window) }

// Increase is the increase of each counter over the window, extrapolated like [Rate].
func Increase(selector string, window time.Duration) string {
	return over("increase", selector, window)
}

// Highest is the greatest sample of each series over the window.
func Highest(selector string, window time.Duration) string {
	return over("max_over_time", selector, window)
}

// Rise is how far each series climbed from its lowest to its highest sample over the window.
func Rise(selector string, window time.Duration) string {
	return Highest(selector, window) + " - " + over("min_over_time", selector, window)
}

func over(function, selector string, window time.Duration) string {
	return function + "(" + selector + "[" + Window(window) + "])"
}

// Sum adds up the values of all series that agree in the labels.
func Sum(expression string, by ...string) string { return aggregate("sum", expression, by) }

// Max is the greatest value of all series that agree in the labels.
func Max(expression string, by ...string) string { return aggregate("max", expression, by) }

func aggregate(operation, expression string, by []string) string {
	if len(by) == 0 {
		return operation + "(" + expression + ")"
	}
	names := make([]string, len(by))
	for i, label := range by {
		names[i] = quotedLabel(label)
	}
	return operation + " by (" + strings.Join(names, ", ") + ") (" + expression + ")"
}

// BadShare is the share, from 0 to 1, of the bad events among all events of the window, for each combination of the
// labels. Without a single bad event there is no series of bad events; adding zero events gives it one.
func BadShare(bad, all string, window time.Duration, by ...string) string {
	total := Sum(Rate(all, window), by...)
	return "(" + Sum(Rate(bad, window), by...) + " or 0 * " + total + ") / " + total
}

// Quantile is a quantile, from 0 to 1, of a classic histogram over the window, for each combination of the labels. It
// is in the unit of the buckets' bounds and interpolates between them.
func Quantile(quantile float64, buckets string, window time.Duration, by ...string) string {
	perBound := Sum(Rate(buckets, window), append(append([]string(nil), by...), "le")...)
	return "histogram_quantile(" + number(quantile) + ", " + perBound + ")"
}

// InSeconds converts an expression that is a single selector, call or aggregation from a unit; 0 is the second.
func InSeconds(expression string, unit time.Duration) string {
	if unit == 0 || unit == time.Second {
		return expression
	}
	return Times(unit.Seconds(), expression)
}

// Proportion is the increase of one counter in relation to that of another with the same labels, which is above 0.
func Proportion(part, whole string, window time.Duration) string {
	return Increase(part, window) + " / (" + Above(Increase(whole, window), 0) + ")"
}

// Relative divides each series by the one of whole that agrees with it in the labels.
func Relative(expression, whole string, on ...string) string {
	return expression + " / on (" + strings.Join(on, ", ") + ") group_left () " + whole
}

// Times multiplies an expression that is a single selector, call or aggregation.
func Times(factor float64, expression string) string { return number(factor) + " * " + expression }

// Divided divides an expression that is a single selector, call or aggregation.
func Divided(expression string, divisor float64) string { return expression + " / " + number(divisor) }

// Above keeps the series whose value is above the limit.
func Above(expression string, limit float64) string { return expression + " > " + number(limit) }

// Below keeps the series whose value is below the limit.
func Below(expression string, limit float64) string { return expression + " < " + number(limit) }

// AtLeast keeps the series whose value is the limit or above it.
func AtLeast(expression string, limit float64) string { return expression + " >= " + number(limit) }

// Exceeds keeps the series whose value is above that of the series of the limit with the same labels.
func Exceeds(expression, limit string) string { return expression + " > " + limit }

// And keeps the series of the expression that have a match in every condition: by the labels of on, or by all labels
// where on is empty.
func And(expression, condition string, on ...string) string {
	if len(on) == 0 {
		return expression + " and " + condition
	}
	return expression + " and on (" + strings.Join(on, ", ") + ") " + condition
}

// OfDeployment keeps the series of the expression whose pods are those of a Deployment's own ReplicaSets, by the owners
// that kube-state-metrics tells. A pod's name proves less: it is cut where it gets long, and v2-hotfix begins with v2.
func OfDeployment(expression, namespace, deployment string) (string, error) {
	pods, err := Selector("kube_pod_owner", map[string]string{"namespace": namespace, "owner_kind": "ReplicaSet"})
	if err != nil {
		return "", err
	}
	sets, err := Selector("kube_replicaset_owner", map[string]string{
		"namespace": namespace, "owner_kind": "Deployment", "owner_name": deployment,
	})
	if err != nil {
		return "", err
	}
	bySet := `label_replace(` + pods + `, "replicaset", "$1", "owner_name", "(.*)")`
	return And(expression, "("+And(bySet, sets, "namespace", "replicaset")+")", "namespace", "pod"), nil
}

// Or has the series of the expression and those of the alternative that it lacks.
func Or(expressions ...string) string { return strings.Join(expressions, " or ") }

// Absent has a series exactly where the selector has none.
func Absent(selector string) string { return "absent(" + selector + ")" }

// Reachable is a query that every Prometheus answers.
const Reachable = "vector(1)"

const labelState = "alertstate"

// Firing selects the alerts with the labels that fire.
func Firing(labels map[string]string) (string, error) {
	state := map[string]string{labelState: "firing"}
	for name, value := range labels {
		state[name] = value
	}
	return Selector("ALERTS", state)
}

// FiringSince selects the alerts with the labels that fire; their values are the times, in seconds since 1970, at
// which they became active.
func FiringSince(labels map[string]string) (string, error) {
	firing, err := Firing(labels)
	if err != nil {
		return "", err
	}
	since, err := Selector("ALERTS_FOR_STATE", labels)
	if err != nil {
		return "", err
	}
	return since + " and ignoring (" + labelState + ") " + firing, nil
}

// FiredSince selects the alerts with the labels that fired over the time from start to the evaluation, length later.
// One that became active before start fired about something else: it counts only while it still fires. A server that
// does not keep when alerts became active cannot tell, so each of its alerts counts.
func FiredSince(labels map[string]string, start time.Time, length time.Duration) (string, error) {
	firing, err := Firing(labels)
	if err != nil {
		return "", err
	}
	since, err := Selector("ALERTS_FOR_STATE", labels)
	if err != nil {
		return "", err
	}
	older := Below(Highest(since, length), float64(start.Unix()))
	return Or("("+Highest(firing, length)+" unless ignoring ("+labelState+") ("+older+"))", firing), nil
}
