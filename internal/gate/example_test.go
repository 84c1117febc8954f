package gate_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// lines breaks a reason after its first sentence.
func lines(reason string) string { return strings.Replace(reason, "; ", "\n  ", 1) }

// A soak passes or fails with statistical confidence. In between it says how many more requests would decide.
func ExampleCriterion_Judge() {
	errorRate := gate.ErrorRate(0.005, 0.01)
	for _, canary := range []gate.Counts{{N: 2000, K: 2}, {N: 100, K: 0}, {N: 300, K: 15}} {
		result := errorRate.Judge(canary, nil)
		fmt.Printf("%s: %s\n", result.Verdict, lines(result.Reason))
	}
	// Output:
	// pass: 2 of 2000 requests failed (0.1 %)
	//   the share is below the target of 0.5 % with 95 % confidence (upper bound 0.439 %)
	// inconclusive: 0 of 100 requests failed (0 %)
	//   the share lies between 0 % and 3.806 %, and the target is 0.5 %: about 673 more requests at this rate decide
	// fail: 15 of 300 requests failed (5 %)
	//   the share is above the rollback limit of 1 % with 99.9 % confidence (lower bound 1.331 %)
}

// The detector's evidence is valid at every look: it may be looked at after every second of a soak. Here the canary
// fails a third of its requests from the tenth second on.
func ExampleCriterion_Detect() {
	errorRate := gate.ErrorRate(0.005, 0.01)
	detector := gate.NewDetector(errorRate.Rollback)
	for second := 1; ; second++ {
		canary := gate.Counts{N: 10}
		if second > 10 {
			canary.K = 3
		}
		if err := detector.Observe(time.Second, canary, gate.Counts{N: 90}); err != nil {
			fmt.Println(err)
			return
		}
		if detection := errorRate.Detect(detector); detection.Verdict == gate.Fail {
			fmt.Printf("after %d s: %s\n", second, lines(detection.Reason))
			return
		}
	}
	// Output:
	// after 13 s: 9 of 30 requests failed (30 %), beside 0 of 270 of the stable track
	//   the share is above the limit of 1 % with 99.9 % confidence (e-value 6.66e+03, lower bound 1.206 %)
}
