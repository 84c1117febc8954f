package rollback_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// After a rollback the stable track is watched for 30 minutes. The last 5 minutes decide if it is well again.
func ExampleWatch() {
	began := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	watch := rollback.NewWatch(began, 30*time.Minute, []gate.Criterion{gate.ErrorRate(0.005, 0.01)})
	window := watch.Window(watch.Until())
	fmt.Println("from", window.Start.Format(time.TimeOnly), "to", window.End.Format(time.TimeOnly))
	for _, stable := range []gate.Counts{{N: 3000, K: 2}, {N: 3000, K: 900}, {}} {
		evaluation := watch.Judge(stable, gate.Counts{}, watch.Until())
		fmt.Println(evaluation.Verdict(), strings.Replace(evaluation.Results[0].Reason, "; ", "\n  ", 1))
	}
	// Output:
	// from 09:25:00 to 09:30:00
	// pass 2 of 3000 requests failed (0.06667 %), below the target of 0.5 %
	// fail 900 of 3000 requests failed (30 %)
	//   the share is above the rollback limit of 1 % with 99.9 % confidence (lower bound 26.39 %)
	// inconclusive 0 of 0 requests failed (0 %), but at least 1 are needed for a verdict
	//   1 more
}
