package shift

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// shrinking is a Deployment that loses pods.
func shrinking(name string, before, after int) TrackChange {
	return TrackChange{Resource: name, PodsBefore: before, PodsAfter: after}
}

const (
	stableReady = "finance-service-stable: 10 of " + oldImage
	canaryReady = "finance-service-v2: %d of " + onTrial
)

// Each move in the order of its hooks: a track that shrinks asks before the route does.
func TestMovesThroughAGateway(t *testing.T) {
	tests := []struct {
		name    string
		weight  int
		live    []int
		change  func(map[string]string)
		shrinks string // the track that loses pods, if one does
		// want are the calls: what was waited for, what was set, what was accepted.
		want []string
	}{
		{name: "the first canary, with a new route", weight: 10, want: []string{stableReady, fmt.Sprintf(canaryReady, 1)}},
		{name: "enter", weight: 10, live: []int{100, 0}, want: []string{fmt.Sprintf(canaryReady, 1), "set 90/10",
			"accepted 90/10"}},
		{name: "advance", weight: 30, live: []int{90, 10}, want: []string{fmt.Sprintf(canaryReady, 3), "set 70/30",
			"accepted 70/30"}},
		{name: "any whole percent", weight: 33, live: []int{70, 30},
			want: []string{fmt.Sprintf(canaryReady, 4), "set 67/33", "accepted 67/33"}},
		{name: "everything", weight: 100, live: []int{40, 60}, want: []string{fmt.Sprintf(canaryReady, 10), "set 0/100",
			"accepted 0/100"}},
		{name: "stay", weight: 10, live: []int{90, 10}, want: []string{"accepted 90/10"}},
		{name: "resume", weight: 30, live: []int{70, 30}, want: []string{"accepted 70/30"}},
		{name: "retreat", weight: 10, live: []int{70, 30}, shrinks: "canary",
			want: []string{stableReady, "set 90/10", "accepted 90/10"}},
		{name: "retreat to nothing", weight: 0, live: []int{40, 60}, shrinks: "canary",
			want: []string{stableReady, "set 100/0", "accepted 100/0"}},
		{name: "settle after a rollback", weight: 0, live: []int{100, 0}, shrinks: "canary",
			want: []string{"accepted 100/0"}},
		// The stable track has its new image, and all its pods run it, before it gets a request.
		{name: "finish", weight: 0, live: []int{0, 100}, shrinks: "canary",
			want: []string{stableReady, "set 100/0", "accepted 100/0"}},
		{name: "fewer stable pods up", weight: 30, live: []int{90, 10}, shrinks: "stable",
			change: func(c map[string]string) { c["gateway"] = `{"namespace":"infra","name":"public","stableReplicas":2}` },
			want:   []string{fmt.Sprintf(canaryReady, 3), "set 70/30", "accepted 70/30"}},
		{name: "an autoscaler's least", weight: 30, live: []int{90, 10},
			change: func(c map[string]string) { c["canary"] = `{"autoscale":{"min":5,"max":20,"cpuPercent":70}}` },
			want:   []string{fmt.Sprintf(canaryReady, 5), "set 70/30", "accepted 70/30"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := gatewayConfig(tt.weight)
			if tt.change != nil {
				tt.change(config)
			}
			w := shifttest.New()
			h := newMove(t, w, config, tt.live...)
			if tt.shrinks != "" {
				if err := h.capacity.BeforeTrack(t.Context(), tt.shrinks, shrinking(tt.shrinks, 10, 1)); err != nil {
					t.Fatal(err)
				}
				moved := slices.Contains(w.Gateway.Calls, tt.want[len(tt.want)-1])
				if lower := tt.name != "settle after a rollback"; lower && !moved {
					t.Errorf("%s may lose pods before its lower weight is accepted: %v", tt.shrinks, w.Gateway.Calls)
				}
			}
			if err := h.route.BeforeRoute(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, w.Gateway.Calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// Each track is waited for among the endpoints of its own Service.
func TestARisingTrackHasItsEndpoints(t *testing.T) {
	w := shifttest.New()
	h := newMove(t, w, gatewayConfig(30), 90, 10)
	if err := h.route.BeforeRoute(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if want := []string{"endpoints of finance-service-canary: 3"}; !slices.Equal(w.Awaited, want) {
		t.Errorf("awaited %v, want %v", w.Awaited, want)
	}
}

// A track that gets more requests is waited for by the shift, and must not wait for it.
func TestATrackWhoseShareRisesMayShrink(t *testing.T) {
	w := shifttest.New()
	h := newMove(t, w, gatewayConfig(10), 70, 30)
	if err := h.capacity.BeforeTrack(t.Context(), names.Stable, shrinking("stable", 12, 10)); err != nil ||
		len(w.Gateway.Calls) > 0 {
		t.Errorf("called %v, error %v", w.Gateway.Calls, err)
	}
}

func TestAShiftThatFailsLeavesTheRequestsWhereTheyWere(t *testing.T) {
	tests := []struct {
		name   string
		weight int
		live   []int
		world  func(*shifttest.Cluster)
		calls  []string
		ends   []int
		want   []string
	}{
		{name: "the canary is not ready", weight: 30, live: []int{90, 10},
			world: func(w *shifttest.Cluster) { w.Unready = errors.New("1 of 3 ready") },
			calls: []string{fmt.Sprintf(canaryReady, 3)}, ends: []int{90, 10},
			want: []string{"keeps its weights", "finance-service-v2 is not ready for 30 %", "1 of 3 ready"}},
		{name: "not accepted", weight: 30, live: []int{90, 10},
			world: func(w *shifttest.Cluster) { w.Gateway.Refuses = []string{"70/30"} },
			calls: []string{fmt.Sprintf(canaryReady, 3), "set 70/30", "set 90/10", "accepted 90/10"}, ends: []int{90, 10},
			want: []string{"at 10 % for the canary", "Accepted is False"}},
		{name: "nothing is accepted", weight: 30, live: []int{90, 10},
			world: func(w *shifttest.Cluster) { w.Gateway.Refuses = []string{"70/30", "90/10"} },
			calls: []string{fmt.Sprintf(canaryReady, 3), "set 70/30", "set 90/10"}, ends: []int{90, 10},
			want: []string{"not accepted either", "Accepted is False"}},
		{name: "down is not accepted", weight: 0, live: []int{70, 30},
			world: func(w *shifttest.Cluster) { w.Gateway.Refuses = []string{"100/0"} },
			calls: []string{stableReady, "set 100/0"}, ends: []int{100, 0},
			want: []string{"stays at 0 % for the canary", "not raised again"}},
		{name: "a route that has them already is not accepted", weight: 30, live: []int{70, 30},
			world: func(w *shifttest.Cluster) { w.Gateway.Refuses = []string{"70/30"} },
			ends:  []int{70, 30}, want: []string{"has the weights of before", "Accepted is False"}},
		{name: "forbidden", weight: 30, live: []int{90, 10},
			world: func(w *shifttest.Cluster) { w.Gateway.Forbidden = errors.New("no such right") },
			ends:  []int{90, 10}, want: []string{"no such right"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := shifttest.New()
			h := newMove(t, w, gatewayConfig(tt.weight), tt.live...)
			tt.world(w)
			err := h.route.BeforeRoute(t.Context(), false)
			for _, word := range tt.want {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("error %v does not tell %q", err, word)
				}
			}
			if diff := cmp.Diff(tt.calls, w.Gateway.Calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if got := w.Gateway.Weights; got["finance-service-stable"] != tt.ends[0] ||
				got["finance-service-canary"] != tt.ends[1] {
				t.Errorf("the route ends at %v, want %v", got, tt.ends)
			}
			// The track that asks next hears the same, and tries nothing of its own.
			before := len(w.Gateway.Calls)
			shrinks := names.Canary
			if tt.weight > tt.live[1] {
				shrinks = names.Stable
			}
			again := h.capacity.BeforeTrack(t.Context(), shrinks, shrinking(shrinks, 3, 1))
			if tt.name != "a route that has them already is not accepted" && (again == nil || len(w.Gateway.Calls) != before) {
				t.Errorf("asked again: error %v, calls %v", again, w.Gateway.Calls[before:])
			}
		})
	}
}

// onePod is a stack with one pod on each track.
func onePod() map[string]string {
	config := gatewayConfig(10)
	config["replicas"] = "1"
	return config
}

// A route that was made and is not accepted gives the canary nothing, should it be accepted later.
func TestANewRouteThatIsNotAcceptedGivesTheCanaryNothing(t *testing.T) {
	w := shifttest.New()
	w.Live = 1
	h := newMove(t, w, onePod())
	if err := h.route.BeforeRoute(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	w.Gateway.Weights, w.Gateway.Refuses = h.route.target(), []string{"90/10"} // the provider makes it
	if err := h.gate.Pass(t.Context(), "vextrus/finance@"+onTrial); err == nil ||
		!strings.Contains(err.Error(), "Accepted is False") {
		t.Errorf("error %v", err)
	}
	if got := shifttest.Weights(w.Gateway.Weights); got != "100/0" {
		t.Errorf("the route ends at %s", got)
	}
	// The next update finds nothing to do for the route itself, and brings the weights. There is no Prometheus in this
	// test.
	w.Gateway.Refuses, w.Gateway.Calls = nil, nil
	if err := newMove(t, w, onePod(), 100, 0).gate.Pass(t.Context(), "vextrus/finance@"+onTrial); err == nil ||
		!strings.Contains(err.Error(), "no Prometheus") {
		t.Errorf("error %v", err)
	}
	want := []string{"finance-service-stable: 1 of " + oldImage, fmt.Sprintf(canaryReady, 1), fmt.Sprintf(canaryReady, 1),
		"set 90/10", "accepted 90/10"}
	if diff := cmp.Diff(want, w.Gateway.Calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// A route that is attached to another Gateway must not wait for the one before, which may be why it leaves.
func TestARouteMovesToAnotherGateway(t *testing.T) {
	w := shifttest.New()
	w.Gateway.Refuses = []string{"90/10", "70/30"}
	h := newMove(t, w, gatewayConfig(30), 90, 10)
	if err := h.route.BeforeRoute(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if want := []string{fmt.Sprintf(canaryReady, 3)}; !slices.Equal(w.Gateway.Calls, want) {
		t.Errorf("calls %v, want %v", w.Gateway.Calls, want)
	}
	w.Gateway.Weights = h.route.target() // the provider attaches it
	if err := h.route.move(t.Context()); err == nil || shifttest.Weights(w.Gateway.Weights) != "90/10" {
		t.Errorf("not accepted there either: %v, error %v", w.Gateway.Weights, err)
	}
}

// Nothing is looked at before the Gateway has accepted the weights, and with fewer pods than the plan's nothing is
// either.
func TestVerifyWaitsForTheRoute(t *testing.T) {
	for _, tt := range []struct {
		name    string
		live    int
		refuses []string
		want    string
		calls   int
	}{
		{name: "accepted", live: 1, want: "no Prometheus", calls: 3},
		{name: "not accepted", live: 1, refuses: []string{"90/10"}, want: "Accepted is False", calls: 2},
		{name: "more pods, as an autoscaler leaves them", live: 2, want: "no Prometheus", calls: 3},
		{name: "scaled by somebody", live: 0, want: "has 0 pods and shall have 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := shifttest.New()
			w.Live, w.Gateway.Refuses = tt.live, tt.refuses
			h := newMove(t, w, onePod(), 90, 10)
			err := h.gate.Pass(t.Context(), "vextrus/finance@"+onTrial)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if len(w.Gateway.Calls) != tt.calls {
				t.Errorf("calls %v, want %d", w.Gateway.Calls, tt.calls)
			}
		})
	}
}

// Somebody who rolls back, or goes down, while this update goes up is not overruled, whichever of the two writes the
// weights last.
func TestAMoveDownMeanwhileIsNotOverruled(t *testing.T) {
	rollback := ledger.Entry{Kind: ledger.RollbackBegun, Who: "guard", Release: "v2", Image: onTrial, From: 10}
	tests := []struct {
		name string
		// when is the call to the cluster before which the other one writes.
		when    string
		foreign ledger.Entry
		live    []int
		weight  int
		ends    string
	}{
		{name: "rolled back before the weights rise", when: "wait", foreign: rollback, live: []int{100, 0}, weight: 10,
			ends: "100/0"},
		{name: "rolled back while they rise", when: "accept", foreign: rollback, live: []int{100, 0}, weight: 10,
			ends: "100/0"},
		{name: "rolled back while they stay", when: "accept", foreign: rollback, live: []int{90, 10}, weight: 10,
			ends: "100/0"},
		{name: "gone down while they rise", when: "accept", live: []int{95, 5}, weight: 10, ends: "97/3",
			foreign: ledger.Entry{Kind: ledger.ShiftBegun, Who: "other", Image: onTrial, Stable: oldImage, From: 5, To: 3}},
		{name: "gone up while they rise", when: "accept", live: []int{95, 5}, weight: 10, ends: "95/5",
			foreign: ledger.Entry{Kind: ledger.ShiftBegun, Who: "other", Image: onTrial, Stable: oldImage, From: 5, To: 9}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := shifttest.New()
			h := newMove(t, w, gatewayConfig(tt.weight), tt.live...)
			w.Gateway.Meanwhile = func(call string) {
				if call == tt.when {
					w.Gateway.Meanwhile = nil
					if _, err := ledger.Write(t.Context(), h.shift.rollout.Ledger(), h.shift.rollout.Clock.Now,
						tt.foreign); err != nil {
						t.Fatal(err)
					}
				}
			}
			err := h.route.move(t.Context())
			if tt.when == "wait" && len(w.Gateway.Calls) == 0 {
				t.Fatal("nothing was waited for")
			}
			if _, overtaken := errors.AsType[*OvertakenError](err); !overtaken ||
				!strings.Contains(err.Error(), "by "+tt.foreign.Who) {
				t.Errorf("error %v", err)
			}
			if got := shifttest.Weights(w.Gateway.Weights); got != tt.ends {
				t.Errorf("the route ends at %s, want %s; calls %v", got, tt.ends, w.Gateway.Calls)
			}
		})
	}
}

// A stack that leaves gateway mode still has its route until the end of that update: it may not lose a track that the
// route uses.
func TestTheWayBackToPodCounts(t *testing.T) {
	config := productionConfig()
	maps.Copy(config, map[string]string{"release": "v2", "canaryWeight": "0"})
	w := shifttest.New()
	h := newMove(t, w, config, 70, 30)
	err := h.capacity.BeforeTrack(t.Context(), names.Canary, shrinking("canary", 3, 0))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{stableReady, "set 100/0", "accepted 100/0"}; !slices.Equal(w.Gateway.Calls, want) {
		t.Errorf("calls %v, want %v", w.Gateway.Calls, want)
	}
	if !slices.Contains(w.Awaited, "endpoints of finance-service: 10") {
		t.Errorf("awaited %v, and not the Service, which takes the requests over", w.Awaited)
	}
}

// On the way to gateway mode the requests still come through the Service.
func TestWithoutARouteTheServiceCounts(t *testing.T) {
	w := shifttest.New()
	h := newMove(t, w, gatewayConfig(10))
	err := h.capacity.BeforeTrack(t.Context(), names.Canary, shrinking("canary", 3, 1))
	if want := []string{"vextrus-production/finance-service-stable: 10", "endpoints of finance-service: 10"}; err != nil ||
		!slices.Equal(w.Awaited, want) {
		t.Errorf("awaited %v, error %v", w.Awaited, err)
	}
}

func TestHasRoute(t *testing.T) {
	ours := map[string]int{"finance-service-stable": 90, "finance-service-canary": 10}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "httproutes"}, "finance-service",
		errors.New("no such right"))
	tests := []struct {
		name    string
		traffic string
		world   func(*shifttest.Cluster)
		// unserved is a cluster without the Gateway API.
		unserved bool
		want     bool
		fails    bool
	}{
		{name: "gateway", traffic: settings.TrafficGateway, want: true},
		{name: "no Gateway API", traffic: settings.TrafficReplicas, unserved: true,
			world: func(w *shifttest.Cluster) { w.Gateway.Weights = ours }},
		{name: "no route", traffic: settings.TrafficReplicas},
		{name: "a route of the stack", traffic: settings.TrafficReplicas,
			world: func(w *shifttest.Cluster) { w.Gateway.Weights = ours },
			want:  true},
		{name: "a route of others", traffic: settings.TrafficReplicas,
			world: func(w *shifttest.Cluster) { w.Gateway.Weights = map[string]int{"shop": 1} }},
		{name: "forbidden", traffic: settings.TrafficReplicas,
			world: func(w *shifttest.Cluster) { w.Gateway.Forbidden = forbidden }},
		{name: "unreachable", traffic: settings.TrafficReplicas,
			world: func(w *shifttest.Cluster) { w.Gateway.Forbidden = context.DeadlineExceeded }, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := shifttest.New()
			if tt.world != nil {
				tt.world(w)
			}
			s := settings.Defaults()
			s.Traffic, s.ServiceName = tt.traffic, "finance-service"
			got, err := HasRoute(t.Context(), s, w, !tt.unserved)
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
