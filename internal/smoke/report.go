package smoke

import (
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

// WriteTo writes a line for each check, the reason of each failure below it, and the totals.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, "Total Tests: %d\nPassed: %d\nFailed: %d\n", r.Total, r.Passed, r.Failed)
	return int64(n), err
}
