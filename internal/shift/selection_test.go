package shift

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// The Service selects what the position says, whatever has changed it: a rollback that opened it, or a person.
func TestTheServiceSelectsWhatThePositionSays(t *testing.T) {
	warm := func(config map[string]string) { config["warmStable"] = "2" }
	gateway := func(config map[string]string) { maps.Copy(config, gatewayConfig(100)) }
	for name, tt := range map[string]struct {
		weight  int
		change  func(map[string]string)
		track   string // in the cluster
		unready error
		want    string
		calls   string
	}{
		"opened by a rollback at 100 %": {weight: 100, change: warm, want: "canary",
			calls: "vextrus-production/finance-service-v2: 10; finance-service selects track=canary"},
		"as it should be at 100 %": {weight: 100, change: warm, track: "canary", want: "canary"},
		"opened, and the canary is not ready": {weight: 100, change: warm, unready: errors.New("1 of 10 ready"),
			calls: "vextrus-production/finance-service-v2: 10"},
		"closed at 30 %": {weight: 30, change: warm, track: "canary",
			calls: "vextrus-production/finance-service-stable: 7; finance-service selects track="},
		"open at 30 %":                        {weight: 30, change: warm},
		"opened where a Gateway splits":       {weight: 100, change: gateway, want: "stable"},
		"narrowed to the canary by a Gateway": {weight: 100, change: gateway, track: "canary", want: "stable"},
	} {
		t.Run(name, func(t *testing.T) {
			w := shifttest.New()
			w.Unready, w.Selector = tt.unready, map[string]string{"app": "finance-service"}
			if tt.track != "" {
				w.Selector["track"] = tt.track
			}
			capacity := selecting(t, w, tt.weight, tt.change)
			if err := capacity.SettleSelection(t.Context()); (err != nil) != (tt.unready != nil) {
				t.Fatal(err)
			}
			if w.Selector["track"] != tt.want || w.Selector["app"] != "finance-service" {
				t.Errorf("the Service selects by %v, want the track %q", w.Selector, tt.want)
			}
			if calls := strings.Join(w.Awaited, "; "); tt.calls != "" && calls != tt.calls {
				t.Errorf("calls %s, want %s", calls, tt.calls)
			}
		})
	}
}

// A rollback that begins while the Service is narrowed opens it first, so that the narrowing undoes it.
func TestARollbackKeepsTheServiceOpen(t *testing.T) {
	w := shifttest.New()
	w.Selector = map[string]string{"app": "finance-service"}
	capacity := selecting(t, w, 100, func(config map[string]string) { config["warmStable"] = "2" })
	if err := capacity.shift.rollout.Recorder(onTrial, "v2").Begin(t.Context(), "33 of 90 requests failed"); err != nil {
		t.Fatal(err)
	}
	capacity.shift.begun = unknown // the look before the narrowing came too early
	err := capacity.SettleSelection(t.Context())
	if _, overtaken := errors.AsType[*OvertakenError](err); !overtaken || w.Selector["track"] != "" {
		t.Errorf("the Service selects by %v: %v", w.Selector, err)
	}
}

func selecting(t *testing.T, w *shifttest.Cluster, weight int, change func(map[string]string)) *Capacity {
	t.Helper()
	config := productionConfig()
	config["release"] = "v2"
	change(config)
	config["canaryWeight"] = strconv.Itoa(weight)
	return newMove(t, w, config).capacity
}
