package smoke

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// Status is the outcome of one check on one pod.
type Status string

const (
	// Passed means that every answer was as expected.
	Passed Status = "passed"
	// Failed means that the pod answered something else than expected, or took the connection and never answered.
	Failed Status = "failed"
	// Error means that nobody could look: there was no connection, a value to send was missing, or the run was
	// canceled.
	Error Status = "error"
)

// worse orders statuses: what could not be looked at says less about a pod than a failure does.
func (s Status) worse(other Status) bool {
	rank := map[Status]int{Passed: 0, Error: 1, Failed: 2}
	return rank[s] > rank[other]
}

// Result is the outcome of one check on one pod.
type Result struct {
	// Target is the pod's name.
	Target string `json:"target"`
	// Check is the check's name.
	Check string `json:"check"`
	// Status is the outcome.
	Status Status `json:"status"`
	// Reason names what was expected and what was found; empty if the check passed. It is one line of at most
	// 400 bytes without control characters or secrets.
	Reason string `json:"reason,omitempty"`
	// Detail tells more about a check that passed: the measured percentile of a latency check.
	Detail string `json:"detail,omitempty"`
	// Duration is how long the check took.
	Duration time.Duration `json:"durationNanoseconds"`
}

// Counts sums outcomes up.
type Counts struct {
	// Total is Passed plus Failed.
	Total int `json:"total"`
	// Passed counts what passed.
	Passed int `json:"passed"`
	// Failed counts what did not pass, for either reason.
	Failed int `json:"failed"`
	// Errors is the part of Failed that could not be looked at.
	Errors int `json:"errors"`
}

// Report is what a run found. A check that runs on several pods counts once, with its worst outcome.
type Report struct {
	// Suite is the suite's name.
	Suite string `json:"suite"`
	// Environment is what the expectations were chosen for.
	Environment string `json:"environment"`
	// Counts sums up the checks over all pods.
	Counts
	// Targets sums up each pod by its name.
	Targets map[string]Counts `json:"targets"`
	// Results holds every check of every pod, in the suite's order and within a check in the targets' order.
	Results []Result `json:"results"`
	// Duration is how long the run took.
	Duration time.Duration `json:"durationNanoseconds"`
}

// OK reports whether there was something to check and all of it passed.
func (r *Report) OK() bool { return r != nil && r.Total > 0 && r.Failed == 0 }

// Failures returns the results that did not pass.
func (r *Report) Failures() []Result {
	var failures []Result
	for _, result := range r.Results {
		if result.Status != Passed {
			failures = append(failures, result)
		}
	}
	return failures
}

// String renders the report; see [Report.WriteTo].
func (r *Report) String() string {
	var text strings.Builder
	_, _ = r.WriteTo(&text)
	return text.String()
}

// WriteTo writes a line for each check with the reasons of its failures below it, and then the totals.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var text bytes.Buffer
	pods := "pods"
	if len(r.Targets) == 1 {
		pods = "pod"
	}
	fmt.Fprintf(&text, "Smoke suite %s, environment %s, %d %s, %s\n", r.Suite, r.Environment, len(r.Targets), pods,
		round(r.Duration))
	for start := 0; start < len(r.Results); {
		end := start
		for end < len(r.Results) && r.Results[end].Check == r.Results[start].Check {
			end++
		}
		writeCheck(&text, r.Results[start:end])
		start = end
	}
	fmt.Fprintf(&text, "\nTotal Tests: %d\nPassed: %d\nFailed: %d", r.Total, r.Passed, r.Failed)
	if r.Errors > 0 {
		fmt.Fprintf(&text, " (%d could not be looked at)", r.Errors)
	}
	text.WriteByte('\n')
	return text.WriteTo(w)
}

// writeCheck writes one check's results on all pods.
func writeCheck(text *bytes.Buffer, results []Result) {
	worst, longest, detail := Passed, time.Duration(0), ""
	for _, result := range results {
		if result.Status.worse(worst) {
			worst = result.Status
		}
		if result.Duration >= longest {
			longest, detail = result.Duration, result.Detail
		}
	}
	fmt.Fprintf(text, "  %-6s  %-24s %8s", worst, results[0].Check, round(longest))
	if worst == Passed && detail != "" {
		fmt.Fprintf(text, "  %s", detail)
	}
	text.WriteByte('\n')
	for _, result := range results {
		switch {
		case result.Status == Passed:
		case result.Target == "":
			fmt.Fprintf(text, "          %s\n", result.Reason)
		default:
			fmt.Fprintf(text, "          %s: %s\n", result.Target, result.Reason)
		}
	}
}

// newReport sums up results, which hold a list per check of the suite.
func newReport(suite *Suite, environment string, results [][]Result, took time.Duration) *Report {
	report := &Report{Suite: suite.Name, Environment: environment, Targets: map[string]Counts{}, Duration: took}
	for _, perTarget := range results {
		worst := Passed
		for _, result := range perTarget {
			if result.Status.worse(worst) {
				worst = result.Status
			}
			if result.Target != "" {
				counts := report.Targets[result.Target]
				counts.add(result.Status)
				report.Targets[result.Target] = counts
			}
		}
		report.add(worst)
		report.Results = append(report.Results, perTarget...)
	}
	return report
}

func (c *Counts) add(status Status) {
	c.Total++
	switch status {
	case Passed:
		c.Passed++
	case Error:
		c.Failed++
		c.Errors++
	default:
		c.Failed++
	}
}
