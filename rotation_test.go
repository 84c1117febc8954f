package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/vextrus/finance-rollout/components"
	"github.com/vextrus/finance-rollout/internal/settings"
)

func TestTheCanaryTakesAChangedSecretFirst(t *testing.T) {
	deployment := func(replicas int, checksum string) resource.PropertyMap {
		annotations := map[string]any{}
		if checksum != "" {
			annotations[components.AnnotationChecksum] = checksum
		}
		return resource.NewPropertyMapFromMap(map[string]any{"spec": map[string]any{
			"replicas": replicas, "template": map[string]any{"metadata": map[string]any{"annotations": annotations}},
		}})
	}
	tests := map[string]struct {
		before, after resource.PropertyMap
		canary        int
		unready       error
		waits, fails  bool
	}{
		"changed":                 {before: deployment(9, "old"), after: deployment(9, "new"), canary: 1, waits: true},
		"changed while shrinking": {before: deployment(9, "old"), after: deployment(7, "new"), canary: 3, waits: true},
		"changed while growing":   {before: deployment(7, "old"), after: deployment(9, "new"), canary: 1},
		"changed without canary":  {before: deployment(10, "old"), after: deployment(10, "new")},
		"unchanged":               {before: deployment(9, "old"), after: deployment(9, "old"), canary: 1},
		"not known":               {before: deployment(9, ""), after: deployment(9, "new"), canary: 1},
		"the canary does not start with it": {
			before: deployment(9, "old"), after: deployment(9, "new"), canary: 1, unready: errors.New("CrashLoopBackOff"),
			waits: true, fails: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.unready = tt.unready
			h := &hooks{settings: settings.Defaults(), cluster: w}
			h.settings.Namespace = "vextrus-production"
			args := &pulumi.ResourceHookArgs{Name: "stable", OldInputs: tt.before, NewInputs: tt.after}
			err := h.beforeRoll(t.Context(), args, other{deployment: "finance-service-week1", replicas: tt.canary})
			if waited := slices.ContainsFunc(w.awaited, func(what string) bool {
				return strings.HasSuffix(what,
					"with new")
			}); waited != tt.waits {
				t.Errorf("waited for %v", w.awaited)
			}
			if (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			if tt.fails && (!strings.Contains(err.Error(), "stable keeps its pods") ||
				!strings.Contains(err.Error(), "CrashLoopBackOff")) {
				t.Errorf("the error does not tell what it waited for: %v", err)
			}
		})
	}
}
