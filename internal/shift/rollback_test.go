package shift

import (
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// A rollback through a Gateway takes the weight first, and confirms by the canary's own Service.
func TestARollbackTakesTheWeightFirst(t *testing.T) {
	w := shifttest.New()
	h := newMove(t, w, gatewayConfig(30), 70, 30)
	outcome := h.shift.rollBack(t.Context(), onTrial, "v2", "33 of 90 requests failed", nil)
	if err := outcome.Err(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"set 100/0", "accepted 100/0"}; !slices.Equal(w.Gateway.Calls, want) {
		t.Errorf("calls %v, want %v", w.Gateway.Calls, want)
	}
	var steps []string
	for _, step := range outcome.Steps {
		steps = append(steps, step.Name)
	}
	want := []string{"note the intent", "ask stable", "divert", "isolate"}
	if len(steps) < len(want) || !slices.Equal(steps[:len(want)], want) {
		t.Errorf("steps %v, want first %v", steps, want)
	}
	if got := strings.Join(w.Scaled, " "); got != "finance-service-stable: 10 finance-service-v2: 0" {
		t.Errorf("scaled %s", got)
	}
}

// A stable track that runs more pods than the plan says keeps them, however it was scaled.
func TestARollbackTakesNoStablePodsAway(t *testing.T) {
	for name, stable := range map[string]string{
		"by an autoscaler": `{"autoscale":{"max":20,"cpuPercent":70}}`,
		"by hand":          `{}`,
	} {
		w := shifttest.New()
		w.Live = 14
		config := gatewayConfig(30)
		config["stable"] = stable
		h := newMove(t, w, config, 70, 30)
		h.shift.rollBack(t.Context(), onTrial, "v2", "33 of 90 requests failed", nil)
		if got := strings.Join(w.Scaled, " "); got != "finance-service-stable: 14 finance-service-v2: 0" {
			t.Errorf("scaled %s: %s", name, got)
		}
	}
}
