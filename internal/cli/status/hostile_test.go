package status

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vextrus/finance-rollout/internal/terminal"
)

// Texts of pods, alerts and servers stay on their own line: none of them can draw a line of the status.
func TestNobodyElseDrawsALine(t *testing.T) {
	lie := "gone\nSOAKING   all is well\nweight  asked 100 %"
	status, f := soaking()
	status.judge(f)
	before := strings.Count(status.Render(terminal.Style{}), "\n")
	status.Summary, status.Operator = lie, lie
	status.Notes, status.Missing = []string{lie}, []string{lie}
	status.Alerts = []Alert{{Name: lie, Severity: lie}}
	status.Guard.Leader, status.Tracks[0].Image = lie, lie
	for i := range status.Soak.Criteria {
		status.Soak.Criteria[i].Name, status.Soak.Criteria[i].Reason = lie, lie
	}
	text := status.Render(terminal.Style{})
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "SOAKING   all") || strings.HasPrefix(line, "weight  asked 100 %") {
			t.Errorf("the status holds the line %q", line)
		}
	}
	// One more for the note, one for who is at work and one for what is missing.
	if after := strings.Count(text, "\n"); after != before+3 {
		t.Errorf("%d lines, %d before:\n%s", after, before, text)
	}
}

// An answer that is no number of requests is no share, and the status can still be written for programs.
func TestAShareOfNoNumbersIsMissing(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -4} {
		var weight Weight
		err := weight.measure(model.Vector{
			{Metric: model.Metric{"track": "stable"}, Value: 90}, {Metric: model.Metric{"track": "canary"},
				Value: model.SampleValue(value)},
		}, time.Minute)
		if err == nil || weight.Measured != nil || weight.Requests != 0 {
			t.Errorf("%v: %+v, %v", value, weight, err)
		}
		if _, err := json.Marshal(weight); err != nil {
			t.Errorf("%v: %v", value, err)
		}
	}
}
