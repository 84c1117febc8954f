package recovery

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/testkit"
)

// Without the cluster's answer nobody knows which canary to roll back. Its revisions are needed for an undo alone.
func TestWhatAPlanNeedsOfTheCluster(t *testing.T) {
	for name, tt := range map[string]struct {
		resource, option string
		want             string
	}{
		"deployments to scale": {"deployments", Scale, "may not be listed"},
		"revisions to undo":    {"replicasets", Undo, "may not be listed"},
		"revisions to scale":   {"replicasets", Scale, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, stack, c := atTen(t)
			c.Fail("list", tt.resource, errors.New(tt.resource+" may not be listed"))
			before := len(c.Calls())
			plan, err := o.Prepare(t.Context(), Selection{Option: tt.option})
			if tt.want != "" {
				testkit.WantError(t, err, tt.resource+" "+tt.want)
				if _, wrong := errors.AsType[*SelectionError](err); wrong {
					t.Error("the operator's selection is blamed")
				}
			} else if err != nil || plan.Canary.Release != "v2" {
				t.Errorf("plan %+v: %v", plan, err)
			}
			if calls := c.Calls()[before:]; stack.settled != nil || slices.ContainsFunc(calls, func(call string) bool {
				return strings.HasPrefix(call, "patch ") || strings.HasPrefix(call, "delete ")
			}) {
				t.Errorf("something was changed: %q", calls)
			}
		})
	}
}

func TestASelectionErrorKeepsItsCause(t *testing.T) {
	if err := error(&SelectionError{fs.ErrNotExist}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not its cause", err)
	}
}
