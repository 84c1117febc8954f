package shift

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/shift/shifttest"
)

// capacityBeside is the capacity of a stack whose canary has that many pods.
func capacityBeside(t *testing.T, w *shifttest.Cluster, canary int) *Capacity {
	t.Helper()
	tr := newTrial(t, 10, served{}, born)
	tr.world, tr.cluster, tr.rollout.Cluster = w, w, w
	capacity := NewCapacity(tr.Shift, nil)
	capacity.canary = Track{Deployment: "finance-service-week1", Replicas: canary}
	return capacity
}

func TestAShrinkingTrackWaitsForItsSuccessor(t *testing.T) {
	tests := []struct {
		name                     string
		before, after, successor int
		unready                  error
		live                     int
		waits, fails             bool
	}{
		{name: "shrinks", before: 9, after: 7, successor: 3, waits: true},
		{name: "shrinks in the cluster only", before: 7, live: 10, after: 9, successor: 1, waits: true},
		{name: "grows", before: 1, after: 3, successor: 7},
		{name: "stays", before: 9, after: 9, successor: 1},
		{name: "shrinks beside a track without pods", before: 10, after: 9, successor: 0},
		{name: "the successor never gets ready", before: 9, after: 7, successor: 3, unready: errors.New("1 of 3 ready"),
			waits: true, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := shifttest.New()
			w.Unready, w.Live = tt.unready, tt.live
			capacity := capacityBeside(t, w, tt.successor)
			err := capacity.BeforeTrack(t.Context(), names.Stable, shrinking("stable", tt.before, tt.after))
			if (len(w.Awaited) > 0) != tt.waits || (err != nil) != tt.fails {
				t.Fatalf("waited for %v, error %v", w.Awaited, err)
			}
			want := fmt.Sprintf("vextrus-production/finance-service-week1: %d", tt.successor)
			if tt.waits && w.Awaited[0] != want {
				t.Errorf("waited for %s, want %s", w.Awaited[0], want)
			}
			want = fmt.Sprintf("endpoints of finance-service: %d", tt.successor)
			if tt.waits && !tt.fails && !slices.Contains(w.Awaited, want) {
				t.Errorf("waited for %v and not for the endpoints", w.Awaited)
			}
			if tt.fails && (!strings.Contains(err.Error(), "stays at 9 pods") ||
				!strings.Contains(err.Error(), "1 of 3 ready")) {
				t.Errorf("the error does not say what it waited for: %v", err)
			}
		})
	}
}

func TestTheCanaryTakesAChangedSecretFirst(t *testing.T) {
	rolled := func(podsBefore, podsAfter int, before, after string) TrackChange {
		return TrackChange{Resource: "stable", PodsBefore: podsBefore, PodsAfter: podsAfter, ChecksumBefore: before,
			ChecksumAfter: after}
	}
	tests := map[string]struct {
		change       TrackChange
		canary       int
		unready      error
		waits, fails bool
	}{
		"changed":                 {change: rolled(9, 9, "old", "new"), canary: 1, waits: true},
		"changed while shrinking": {change: rolled(9, 7, "old", "new"), canary: 3, waits: true},
		"changed while growing":   {change: rolled(7, 9, "old", "new"), canary: 1},
		"changed without canary":  {change: rolled(10, 10, "old", "new")},
		"unchanged":               {change: rolled(9, 9, "old", "old"), canary: 1},
		"not known":               {change: rolled(9, 9, "", "new"), canary: 1},
		"the canary does not start with it": {
			change: rolled(9, 9, "old", "new"), canary: 1, unready: errors.New("CrashLoopBackOff"), waits: true, fails: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := shifttest.New()
			w.Unready = tt.unready
			err := capacityBeside(t, w, tt.canary).beforeRoll(t.Context(), tt.change)
			waited := slices.ContainsFunc(w.Awaited, func(call string) bool { return strings.HasSuffix(call, "with new") })
			if waited != tt.waits {
				t.Errorf("waited for %v", w.Awaited)
			}
			if (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			if tt.fails && (!strings.Contains(err.Error(), "stable keeps its pods") ||
				!strings.Contains(err.Error(), "CrashLoopBackOff")) {
				t.Errorf("the error does not say what it waited for: %v", err)
			}
		})
	}
}

// Pods that are ready and made of something else take no requests.
func TestRequestsMoveToPodsThatAreMadeAsTheLedgerSays(t *testing.T) {
	w := shifttest.New()
	w.Live = 10
	capacity := capacityBeside(t, w, 1)
	capacity.canary.Labels = names.ReleaseLabels("finance-service", "week1")
	capacity.shift.configured = Identities{Canary: parts(), Stable: parts()}
	if err := capacity.BeforeTrack(t.Context(), names.Stable, shrinking("stable", 10, 9)); err != nil {
		t.Fatal(err)
	}
	if want := "vextrus-production/finance-service-week1: 1 with " + parts().With(onTrial).Hash(); w.Awaited[0] != want {
		t.Errorf("waited for %v, want %s", w.Awaited, want)
	}
}
