package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/internal/bursts"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/quarantine"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func rules(change func(*Rules)) Rules {
	criterion := gate.ErrorRate(0.005, 0.01)
	criterion.Alpha = 1e-4
	r := Rules{Criterion: criterion}
	if change != nil {
		change(&r)
	}
	return r
}

func quarantines(r *Rules) {
	policy := quarantine.DefaultPolicy()
	r.Quarantine = &policy
}

// stretch is a time with the same counts in each second.
type stretch struct {
	seconds        int
	canary, stable gate.Counts
}

// judged are the events of stretches, as "kind after".
func judged(t *testing.T, r Rules, stretches []stretch) []string {
	t.Helper()
	guard, at := New(r, monday), monday
	var list []string
	for _, s := range stretches {
		for range s.seconds {
			at = at.Add(time.Second)
			events, err := guard.Add(at, s.canary, s.stable)
			if err != nil {
				t.Fatal(err)
			}
			for _, event := range events {
				list = append(list, fmt.Sprintf("%s %v", event.Kind, event.At.Sub(monday)))
				if event.Kind != Readmitted && event.Result.Reason == "" {
					t.Errorf("no reason: %+v", event)
				}
			}
		}
	}
	return list
}

func of(n, k int64) gate.Counts { return gate.Counts{N: n, K: k} }

func TestTheGuardsVerdicts(t *testing.T) {
	healthy := stretch{600, of(10, 0), of(90, 0)}
	for _, tt := range []struct {
		name   string
		rules  func(*Rules)
		course []stretch
		want   []string // the kinds of all events
		within time.Duration
	}{
		{"healthy", nil, []stretch{healthy}, nil, 0},
		{"a third fails", nil, []stretch{healthy, {60, of(10, 3), of(90, 0)}}, []string{"rolled back"}, 605 * time.Second},
		{"everything fails at both", nil, []stretch{healthy, {20, of(10, 10), of(90, 90)}, healthy}, []string{"shared"},
			603 * time.Second},
		{"without stable", nil, []stretch{healthy, {60, of(10, 3), of(0, 0)}}, []string{"rolled back"}, 605 * time.Second},
		{"a bad minute, without quarantine", nil, []stretch{healthy, {60, of(10, 5), of(90, 0)}, healthy},
			[]string{"rolled back"}, 602 * time.Second},
		{"a bad minute", quarantines, []stretch{healthy, {60, of(10, 5), of(90, 0)}, healthy}, []string{"quarantined",
			"readmitted", "quarantined", "readmitted", "quarantined", "readmitted"}, 602 * time.Second},
		{"bad for good", quarantines, []stretch{healthy, {600, of(10, 5), of(90, 0)}}, []string{"quarantined", "readmitted",
			"quarantined", "readmitted", "quarantined", "readmitted", "quarantined", "readmitted", "rolled back"},
			602 * time.Second},
		{"never worked", quarantines, []stretch{{60, of(10, 10), of(90, 0)}}, []string{"rolled back"}, 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, quiet := range []time.Duration{0, 10 * time.Second} {
				r := rules(tt.rules)
				r.Quiet = quiet
				got := judged(t, r, tt.course)
				kinds := make([]string, len(got))
				for i, text := range got {
					kinds[i] = text[:strings.LastIndex(text, " ")]
				}
				if !slices.Equal(slices.Compact(kinds), tt.want) {
					t.Errorf("%v, want %v", got, tt.want)
					continue
				}
				if len(got) == 0 {
					continue
				}
				first, err := time.ParseDuration(got[0][strings.LastIndex(got[0], " ")+1:])
				if err != nil || first > tt.within {
					t.Errorf("first after %v, want at most %v", first, tt.within)
				}
			}
		})
	}
}

// A canary that offends too slowly for repetition is convicted by the evidence that outlasts quarantines.
func TestEvidenceOutlastsAQuarantine(t *testing.T) {
	guard, at := New(rules(quarantines), monday), monday
	for second := 0; ; second++ {
		at = at.Add(time.Second)
		if second > 3600 {
			t.Fatalf("not convicted within an hour: %+v", guard.State())
		}
		counts := of(10, 0)
		if second%2 == 0 {
			counts = of(10, 1)
		}
		events, err := guard.Add(at, counts, of(90, 0))
		if err != nil {
			t.Fatal(err)
		}
		if len(events) > 0 && events[0].Kind == RolledBack {
			if events[0].Cause != quarantine.CauseProven || guard.InTraffic() {
				t.Errorf("%+v", events[0])
			}
			break
		}
	}
	if events, err := guard.Add(at.Add(time.Second), of(10, 10), of(90, 0)); err != nil || len(events) > 0 {
		t.Errorf("a convicted canary: %v, %v", events, err)
	}
}

// During a shift fast evidence convicts, because the update judges.
func TestQuarantineBeginsAfterTheShift(t *testing.T) {
	bad := []stretch{{600, of(10, 0), of(90, 0)}, {30, of(10, 5), of(90, 0)}}
	for from, want := range map[time.Duration]Kind{10*time.Minute + 20*time.Second: RolledBack, time.Minute: Quarantined} {
		got := judged(t, rules(func(r *Rules) { quarantines(r); r.From = monday.Add(from) }), bad)
		if len(got) == 0 || !strings.HasPrefix(got[0], string(want)) {
			t.Errorf("from %v on: %v", from, got)
		}
	}
}

// What is judged together is judged as second by second.
func TestQuietSecondsDecideAlike(t *testing.T) {
	for _, spec := range bursts.Healthy(2) {
		for _, withQuarantine := range []bool{false, true} {
			var results [2][]string
			for i, quiet := range []time.Duration{0, 10 * time.Second} {
				r := rules(nil)
				if withQuarantine {
					quarantines(&r)
				}
				r.Quiet = quiet
				results[i] = streamed(t, r, spec)
			}
			if diff := cmp.Diff(results[0], results[1]); diff != "" {
				t.Errorf("%s, quarantine %v (-each second +together)\n%s", spec.Name, withQuarantine, diff)
			}
		}
	}
}

// streamed are the events of an hour of a stream.
func streamed(t *testing.T, r Rules, spec bursts.Spec) (list []string) {
	t.Helper()
	stream, err := bursts.New(spec, bursts.Track{PerSecond: 2, Pods: 1}, bursts.Track{PerSecond: 18, Pods: 9}, 5)
	if err != nil {
		t.Fatal(err)
	}
	guard := New(r, monday)
	for second := time.Second; second <= time.Hour; second += time.Second {
		canary, stable := stream.Next()
		events, err := guard.Add(monday.Add(second), canary, stable)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range events {
			list = append(list, fmt.Sprintf("%s %v", event.Kind, second))
		}
	}
	return list
}

func TestImpossibleCountsAreRefused(t *testing.T) {
	guard := New(rules(nil), monday)
	if _, err := guard.Add(monday, of(1, 0), of(0, 0)); err == nil || !strings.Contains(err.Error(), "come after") {
		t.Errorf("the same time again: %v", err)
	}
	if _, err := guard.Add(monday.Add(time.Second), of(1, 2), of(0, 0)); err == nil ||
		!strings.Contains(err.Error(), "2 bad of 1") {
		t.Errorf("more failures than requests: %v", err)
	}
}
