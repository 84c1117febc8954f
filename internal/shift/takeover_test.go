package shift

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// The provider writes the selector of a Service that exists at once: until the new pods are ready, the Service must
// keep the old ones.
func TestAServiceThatExistsWaitsForThePods(t *testing.T) {
	const stable, canary = "vextrus-production/finance-service-stable: ", "vextrus-production/finance-service-v2: "
	warm := func(config map[string]string) { config["warmStable"] = "2" }
	for name, tt := range map[string]struct {
		selector map[string]string
		weight   int
		change   func(map[string]string)
		unready  error
		want     string
	}{
		"no Service":         {weight: 10},
		"one of the rollout": {selector: map[string]string{"app": "finance-service", "traffic": "enabled"}, weight: 10},
		"one that kubectl made": {selector: map[string]string{"app": "finance-service"}, weight: 10,
			want: stable + "9; " + canary + "1"},
		"one without a selector": {selector: map[string]string{}, weight: 10, want: stable + "9; " + canary + "1"},
		"one of another app with the same label": {
			selector: map[string]string{"app": "finance", "traffic": "enabled"}, weight: 10, want: stable + "9; " + canary + "1",
		},
		"before the first canary": {selector: map[string]string{"app": "finance-service"}, want: stable + "10"},
		"at 100 %": {selector: map[string]string{"app": "finance-service"}, weight: 100, change: warm,
			want: canary + "10"},
		"behind a Gateway": {selector: map[string]string{"app": "finance-service"}, weight: 10,
			change: func(c map[string]string) {
				maps.Copy(c, gatewayConfig(10))
			}, want: stable + "10"},
		"the pods never get ready": {selector: map[string]string{"app": "finance-service"},
			unready: errors.New("0 of 10 ready"), want: stable + "10"},
	} {
		t.Run(name, func(t *testing.T) {
			w := shifttest.New()
			w.Unready, w.Selector = tt.unready, tt.selector
			if tt.change == nil {
				tt.change = func(map[string]string) {}
			}
			err := selecting(t, w, tt.weight, tt.change).BeforeService(t.Context())
			if (err != nil) != (tt.unready != nil) {
				t.Fatal(err)
			}
			if got := strings.Join(w.Awaited, "; "); got != tt.want {
				t.Errorf("waited for %q, want %q", got, tt.want)
			}
			if err != nil && !strings.Contains(err.Error(), "service finance-service keeps leading to its present pods") {
				t.Error(err)
			}
			if !maps.Equal(w.Selector, tt.selector) {
				t.Errorf("the hook changed the selector to %v", w.Selector)
			}
		})
	}
}
