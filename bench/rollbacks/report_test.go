package main

import (
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	r := report{
		rows: []row{
			{"scale", "kubectl scale --replicas=0", []time.Duration{time.Second, 2 * time.Second, 3 * time.Second},
				[]time.Duration{1, 1, 1}},
			{"undo", "kubectl rollout undo", []time.Duration{time.Second, time.Second, 5 * time.Second},
				[]time.Duration{1, 1, 1}},
		},
		status: []time.Duration{500 * time.Millisecond},
	}
	text := r.markdown()
	for _, want := range []string{"| `rollout rollback --option scale` | 3 | 2.00 s | 1.00 s | 3.00 s |",
		"| `kubectl rollout undo` | 3 |", "every rollback is met", "(median) is met"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	r.rows[1].ours[2] += time.Millisecond
	r.status[0] = time.Second + 1
	if text := r.markdown(); !strings.Contains(text, "every rollback is missed") ||
		!strings.Contains(text, "(median) is missed") {
		t.Errorf("missed goals are not told:\n%s", text)
	}
}
