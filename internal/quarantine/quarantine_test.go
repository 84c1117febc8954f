package quarantine

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var begin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// after is a look so many seconds after the beginning.
func after(seconds int, change ...func(*Look)) Look {
	look := Look{At: begin.Add(time.Duration(seconds) * time.Second)}
	for _, c := range change {
		c(&look)
	}
	return look
}

func fast(l *Look)   { l.Fast = true }
func proven(l *Look) { l.Proven = true }
func total(l *Look)  { l.Total = true }
func served(requests int64) func(*Look) {
	return func(l *Look) { l.Served = requests }
}

// twice is a policy of two pauses.
func twice() Policy {
	p := DefaultPolicy()
	p.Pauses = []time.Duration{time.Minute, 3 * time.Minute}
	return p
}

// A canary that fails from the beginning is convicted within three minutes, and a burst of two minutes convicts nobody.
func TestTheDefaultPolicy(t *testing.T) {
	for _, tt := range []struct {
		name           string
		bad            time.Duration
		convicted      bool
		after, outMost time.Duration
	}{
		{"bad for good", time.Hour, true, 3 * time.Minute, 3 * time.Minute},
		{"a burst of two minutes", 2 * time.Minute, false, 0, 3 * time.Minute},
		{"a burst of ten seconds", 10 * time.Second, false, 0, 15 * time.Second},
	} {
		policy, state := DefaultPolicy(), State{}
		in := begin
		for at := begin; at.Before(begin.Add(time.Hour)) && state.phase() != Convicted; at = at.Add(time.Second) {
			// Ten requests a second; the fast detector needs three seconds.
			look := Look{At: at, Served: 10 * int64(at.Sub(in).Seconds()),
				Fast: at.Sub(begin) <= tt.bad && at.Sub(in) >= 3*time.Second}
			var action Action
			if state, action = policy.Next(state, look); action.Verb == AdmitOne {
				in = at
			}
		}
		if got := state.phase() == Convicted; got != tt.convicted || got && state.Since.Sub(begin) > tt.after ||
			state.Out > tt.outMost {
			t.Errorf("%s: convicted %v after %v, out for %v", tt.name, got, state.Since.Sub(begin), state.Out)
		}
	}
}

func TestNext(t *testing.T) {
	tests := []struct {
		name  string
		looks []Look
		// verbs has the verb of each look, and the cause of the conviction after a colon.
		verbs    string
		phase    Phase
		offences int
		out      time.Duration
	}{
		{"healthy", []Look{after(0), after(3600)}, "keep keep", Serving, 0, 0},
		{"one offence", []Look{after(5, fast), after(64), after(65), after(94), after(95), after(96, served(50))},
			"isolate keep admit-one keep admit-all keep", Serving, 0, time.Minute},
		{"all return before the probation is over", []Look{after(0, fast), after(60), after(90, served(49))},
			"isolate admit-one admit-all", Probation, 1, time.Minute},
		{"well after the probation", []Look{after(0, fast), after(60), after(90, served(50)), after(91, fast, served(52))},
			"isolate admit-one admit-all isolate", Quarantined, 1, time.Minute},
		{"the probation ends in the trial", []Look{after(0, fast), after(60), after(70, served(99)),
			after(71, fast, served(99))}, "isolate admit-one keep isolate", Quarantined, 1, time.Minute},
		{"many requests in a second", []Look{after(0, fast), after(60), after(61, fast, served(500)), after(241),
			after(242, fast, served(500))}, "isolate admit-one isolate admit-one roll-back:repeated", Convicted, 2,
			4 * time.Minute},
		{"again in the trial", []Look{after(0, fast), after(60), after(61, fast), after(240), after(241)},
			"isolate admit-one isolate keep admit-one", Trial, 2, 4 * time.Minute},
		{"the third time", []Look{after(0, fast), after(60), after(61, fast), after(241), after(271),
			after(300, fast, served(49))}, "isolate admit-one isolate admit-one admit-all roll-back:repeated", Convicted, 2,
			4 * time.Minute},
		{"the third time, after a probation", []Look{after(0, fast), after(60), after(61, fast), after(241),
			after(271, served(30)), after(300, fast, served(50))}, "isolate admit-one isolate admit-one admit-all isolate",
			Quarantined, 1, 4 * time.Minute},
		{"a look that is late", []Look{after(0, fast), after(7200), after(7200)}, "isolate admit-one keep", Trial, 1,
			2 * time.Hour},
		{"fires while it is out", []Look{after(0, fast), after(1, fast), after(2, total), after(60, fast)},
			"isolate keep keep admit-one", Trial, 1, time.Minute},
		{"proven", []Look{after(9, proven)}, "roll-back:proven beyond bursts", Convicted, 0, 0},
		{"proven while it is out", []Look{after(0, fast), after(30, proven)}, "isolate roll-back:proven beyond bursts",
			Convicted, 1, 30 * time.Second},
		{"nearly everything fails", []Look{after(1, fast, total)}, "roll-back:nearly everything fails", Convicted, 0, 0},
		{"nearly everything fails after a pause", []Look{after(0, fast), after(60), after(63, fast, total)},
			"isolate admit-one roll-back:nearly everything fails", Convicted, 1, time.Minute},
		{"nothing after a conviction", []Look{after(1, proven), after(9999), after(9999, fast)},
			"roll-back:proven beyond bursts keep keep", Convicted, 0, 0},
		{"a clock that goes back", []Look{after(100, fast), after(50), after(159), after(160)},
			"isolate keep keep admit-one", Trial, 1, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			policy, state := twice(), State{}
			var verbs []string
			for _, look := range tt.looks {
				var action Action
				state, action = policy.Next(state, look)
				verb := string(action.Verb)
				if action.Cause != "" {
					verb += ":" + action.Cause
				}
				verbs = append(verbs, verb)
			}
			if got := strings.Join(verbs, " "); got != tt.verbs {
				t.Errorf("actions %s, want %s", got, tt.verbs)
			}
			if state.phase() != tt.phase || state.Offences != tt.offences || state.Out != tt.out {
				t.Errorf("state %+v, want %s with %d offences, %v out", state, tt.phase, tt.offences, tt.out)
			}
		})
	}
}

// drawnLook is any look after some time.
func drawnLook(t *rapid.T, at time.Time) Look {
	rarely := func(name string) bool { return rapid.IntRange(0, 9).Draw(t, name) == 0 }
	return Look{At: at, Fast: rapid.Bool().Draw(t, "fast"), Proven: rarely("proven"), Total: rarely("total"),
		Served: rapid.Int64Range(0, 100).Draw(t, "served")}
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy, state, at := DefaultPolicy(), State{}, begin
		restored := state
		convicted := false
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			at = at.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			look := drawnLook(t, at)
			before := state
			var action Action
			state, action = policy.Next(state, look)
			if convicted && (action.Verb != Keep || state.Phase != Convicted) {
				t.Fatalf("%s after a conviction", action.Verb)
			}
			convicted = convicted || action.Verb == RollBack
			checkStep(t, policy, before, look, state, action)
			// A guard that restarts after every look does the same.
			text, err := json.Marshal(restored)
			if err != nil {
				t.Fatal(err)
			}
			var read State
			if err := json.Unmarshal(text, &read); err != nil {
				t.Fatal(err)
			}
			restored, _ = policy.Next(read, look)
			if diff := cmp.Diff(state, restored); diff != "" {
				t.Fatalf("another state after a restart (-want +got)\n%s", diff)
			}
		}
	})
}

// checkStep holds one step to the rules.
func checkStep(t *rapid.T, policy Policy, before State, look Look, after State, action Action) {
	if before.phase() == Quarantined && action.Verb == Isolate {
		t.Fatal("isolated twice")
	}
	longest := policy.Pauses[len(policy.Pauses)-1]
	if before.phase() == Quarantined && look.At.Sub(before.Since) >= longest && after.phase() == Quarantined {
		t.Fatalf("still out after %v", look.At.Sub(before.Since))
	}
	if out := after.phase() == Quarantined || after.phase() == Convicted; out == after.InTraffic() {
		t.Fatalf("%s is in traffic: %v", after.phase(), after.InTraffic())
	}
	if after.Offences > len(policy.Pauses) {
		t.Fatalf("%d offences without a conviction", after.Offences)
	}
	quiet := !look.Fast && !look.Proven && !look.Total
	if quiet && (action.Verb == Isolate || action.Verb == RollBack) {
		t.Fatalf("%s without evidence", action.Verb)
	}
	// A look that is repeated changes nothing, apart from evidence that was dealt with.
	again, repeated := policy.Next(after, Look{At: look.At})
	if repeated.Verb != Keep || again.InTraffic() != after.InTraffic() {
		t.Fatalf("the same time asks for %s again", repeated.Verb)
	}
}

func TestIsTotal(t *testing.T) {
	for _, tt := range []struct {
		n, k int64
		want bool
	}{{10, 10, true}, {20, 18, true}, {20, 17, false}, {9, 9, false}, {1000, 100, false}, {0, 0, false}} {
		if got := IsTotal(tt.n, tt.k); got != tt.want {
			t.Errorf("%d of %d: %v", tt.k, tt.n, got)
		}
	}
}
