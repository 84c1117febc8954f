package recovery

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// outcomeOf is a rollback that ends with the outcome.
func outcomeOf(outcome rollback.Outcome) func(context.Context) rollback.Outcome {
	return func(context.Context) rollback.Outcome { return outcome }
}

// A key that the deletion of the canary removes is removed by hand with another command than one that is set.
func TestTheCommandsAfterADeletion(t *testing.T) {
	request, outcome, after := whole()
	request.Choice = Choice{Option: Delete}
	request.Canary.Image = canaryDigest
	after.Settle = func(context.Context) error { return errors.New("the state cannot be reached") }
	report := Run(t.Context(), request, outcomeOf(outcome), after)
	want := []string{"pulumi config set canaryWeight 0 -s production", "pulumi config rm image -s production",
		"pulumi up --refresh -s production (because: the state cannot be reached)"}
	if !slices.Equal(report.Left, want) {
		t.Errorf("left %q", report.Left)
	}
	if text := report.Summary(); !strings.Contains(text, "its image sha256:bbbbbbbbbbbb is latched\n") {
		t.Errorf("the digest is not shortened:\n%s", text)
	}
}

func TestASuiteWithoutAVerdictIsToBeRunAgain(t *testing.T) {
	request, outcome, after := whole()
	after.Smoke = func(context.Context) (string, gate.Verdict, error) { return "no answer", gate.Inconclusive, nil }
	report := Run(t.Context(), request, outcomeOf(outcome), after)
	want := []string{"rollout smoke -s production (because: the smoke suite could not run)"}
	if !slices.Equal(report.Left, want) || report.Verdict() != gate.Inconclusive {
		t.Errorf("%s, left %q", report.Verdict(), report.Left)
	}
}

// A watch that Ctrl-C ends has proved nothing, neither good nor bad.
func TestAnInterruptedWatchProvesNothing(t *testing.T) {
	want := []string{"watch the stable track: rollout status --watch -s production (because: interrupted)"}
	for _, seen := range []gate.Verdict{gate.Pass, gate.Fail, gate.Error} {
		request, outcome, after := whole()
		ctx, interrupt := context.WithCancel(t.Context())
		after.Watch = func(ctx context.Context) gate.Evaluation {
			interrupt()
			return verdict(seen)(ctx)
		}
		report := Run(ctx, request, outcomeOf(outcome), after)
		if !slices.Equal(report.Left, want) || report.Verdict() != gate.Inconclusive || len(report.Events) == 0 {
			t.Errorf("%s: %s, left %q, events %q", seen, report.Verdict(), report.Left, report.Events)
		}
	}
}
