package status

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/golden"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/terminal"
)

var now = time.Date(2026, 3, 3, 16, 12, 0, 0, time.UTC)

const canaryImage = "registry.example.com/vextrus/finance@sha256:2b40e63d169c334b4c99ef4c7718f22d"

func pointer[T any](value T) *T { return &value }

// soaking is a rollout in the middle of its soak at 10 %, with what it is judged by.
func soaking() (*Status, facts) {
	began := now.Add(-31*time.Hour - 12*time.Minute)
	state := ledger.State{Weight: 10, Image: "sha256:2b40e63d169c334b4c99ef4c7718f22d", Release: "v2", SoakSince: began}
	status := &Status{
		Time: now, Stack: "production", Cluster: `context "prod" of kubeconfig ~/.kube/config`,
		Namespace: "vextrus-production", App: "finance-service", Release: "v2",
		Weight: Weight{Asked: 10, Stands: pointer(10), Passed: pointer(10), Measured: pointer(9.64), Requests: 3012.4,
			Window: 5 * time.Minute},
		Tracks: []Track{
			{Name: "stable", Deployment: "finance-service-stable", Exists: true, Image: "finance@sha256:e3fcc3cef3f3be0a7f4bef",
				Planned: 9, Desired: 9, Ready: 9, Taking: 9},
			{Name: "canary", Deployment: "finance-service-v2", Exists: true, Image: canaryImage, Planned: 1, Desired: 1,
				Ready: 1, Taking: 1},
		},
		Soak: &Soak{
			Since: began, Soaked: Seconds(31 * time.Hour), Required: Seconds(48 * time.Hour),
			NextCheckpoint: now.Add(48 * time.Minute),
			Source:         SourceLook, LookedAt: now, Verdict: gate.Inconclusive,
			Criteria: []Criterion{
				{Name: "error rate", Verdict: gate.Inconclusive, N: 24012, K: 91, Lower: 0.0028, Upper: 0.0051, Target: 0.005,
					Rollback: 0.01,
					Reason: "91 of 24012 requests failed (0.379 %); 1,200 more at this rate would show that the share is below the " +
						"target of 0.5 %, with 95 % confidence"},
				{Name: "P95 latency", Verdict: gate.Pass, N: 24012, K: 20, Lower: 0.0004, Upper: 0.0015, Target: 0.05,
					Rollback: 0.05},
				{Name: "restarts", Verdict: gate.Pass},
			},
		},
		Guard: Guard{Wanted: true, Ready: 2, Leader: "finance-service-guard-7c9d-x2", Renewed: now.Add(-time.Second)},
		Entries: []ledger.Entry{
			{Seq: 2, Time: began.Add(-time.Minute), Who: "anna", Kind: ledger.ShiftBegun, Release: "v2", To: 10,
				Reason: "enter"},
			{Seq: 3, Time: began, Who: "anna", Kind: ledger.ShiftReached, Release: "v2", To: 10},
			{Seq: 4, Time: now.Add(-time.Hour), Who: "guard/x2", Kind: ledger.Checkpoint, Release: "v2", From: 10, To: 10,
				Verdict: "inconclusive",
				Reason:  strings.Repeat("a long reason ", 20)},
		},
	}
	return status, facts{stages: plan.DefaultStages(), state: &state}
}

// rolledBack is the same rollout after the guard took its canary out.
func rolledBack() (*Status, facts) {
	status, f := soaking()
	latch := ledger.Entry{Seq: 5, Time: now.Add(-3 * time.Minute), Who: "guard/x2", Kind: ledger.RollbackBegun,
		Release: "v2", Image: f.state.Image, From: 10,
		Reason: "20 of 168 requests failed (11.9 %)"}
	f.state.Weight, f.state.SoakSince = 0, time.Time{}
	status.Soak, status.Latch, status.Weight.Stands = nil, &latch, pointer(0)
	status.Weight.Measured, status.Weight.Requests = nil, 0
	status.Tracks[0].Desired, status.Tracks[0].Ready, status.Tracks[0].Taking = 10, 10, 10
	status.Tracks[1] = Track{Name: "canary", Deployment: "finance-service-v2", Exists: true, Image: canaryImage,
		Planned: 1}
	status.Alerts = []Alert{{Name: "CanaryLatencyHigh", Severity: "warning", Action: "review"}}
	status.Entries = append(status.Entries, latch)
	return status, f
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name   string
		begin  func() (*Status, facts)
		change func(*Status, *facts)
		phase  Phase
		order  Order
		notes  []string
	}{
		{"soaking", soaking, func(*Status, *facts) {}, PhaseSoaking, InOrder, nil},
		{"soaked and good", soaking, func(s *Status, _ *facts) { s.Soak.Soaked, s.Soak.Verdict = s.Soak.Required, gate.Pass },
			PhaseReady, InOrder, []string{"rollout advance -s production --to 30"}},
		{"soaked and good, and the calendar is closed", soaking, func(s *Status, _ *facts) {
			s.Soak.Soaked, s.Soak.Verdict = s.Soak.Required, gate.Pass
			s.Holds = []Hold{{Cause: "calendar closed", Reason: "it is Tuesday", Opens: "Wed 2026-03-04 09:00 Europe/Berlin"}}
		}, PhaseReady, InOrder,
			[]string{"next: rollout advance -s production --to 30, when the calendar opens Wed 2026-03-04 09:00 Europe/Berlin"}},
		{"soaked and good, and an incident is open", soaking, func(s *Status, _ *facts) {
			s.Soak.Soaked, s.Soak.Verdict = s.Soak.Required, gate.Pass
			s.Holds = []Hold{{Cause: "open incident", Reason: "alert"}, {Cause: "calendar closed", Lifted: "hotfix"}}
		}, PhaseReady, InOrder, []string{"--to 30, when this is resolved: open incident"}},
		{"soaked and good by the last checkpoint alone", soaking, func(s *Status, _ *facts) {
			s.Soak.Soaked, s.Soak.Verdict, s.Soak.Source = s.Soak.Required, gate.Pass, SourceCheckpoint
		}, PhaseSoaking, InOrder, nil},
		{"soaked at 100", soaking, func(s *Status, f *facts) {
			s.Soak.Soaked, s.Soak.Verdict = s.Soak.Required, gate.Pass
			f.state.Weight, s.Weight.Asked, s.Weight.Stands = 100, 100, pointer(100)
		}, PhaseReady, InOrder, []string{"rollout finish -s production"}},
		{"asked for more", soaking, func(s *Status, _ *facts) { s.Weight.Asked = 30 }, PhaseSoaking, InOrder,
			[]string{"asks for 30 %", "is at 10 %", "pulumi up"}},
		{"shift under way", soaking, func(s *Status, f *facts) {
			s.Weight.Asked, f.state.Begun = 30, &ledger.Entry{From: 10, To: 30, Time: now}
		},
			PhaseShifting, InOrder, []string{"pulumi up"}},
		{"a shift whose gate was left out", soaking, func(s *Status, f *facts) {
			s.Weight.Asked, f.state.Begun = 30, &ledger.Entry{Release: "v2", From: 10, To: 30, Time: now}
		}, PhaseShifting, InOrder, []string{"v2 takes requests and was never verified at 30 %",
			"without --exclude and --target: pulumi up -s production"}},
		{"a shift down whose gate was left out", soaking, func(_ *Status, f *facts) {
			f.state.Weight, f.state.Begun = 30, &ledger.Entry{Release: "v2", From: 30, To: 10, Time: now}
		}, PhaseShifting, InOrder, []string{"asks for 10 %"}},
		{"worse than the limit", soaking, func(s *Status, _ *facts) { s.Soak.Verdict = gate.Fail }, PhaseSoaking, OutOfOrder,
			[]string{"rollout rollback -s production"}},
		{"blind", soaking, func(s *Status, _ *facts) { s.Missing = []string{"alerts: no answer"} }, PhaseSoaking,
			OrderUnknown, nil},
		{"critical alert", soaking, func(s *Status, _ *facts) {
			s.Alerts = []Alert{{"CanaryCrashLoop", "critical",
				"rollback"}}
		}, PhaseSoaking, OutOfOrder, nil},
		{"a pod is missing", soaking, func(s *Status, _ *facts) { s.Tracks[0].Ready = 8 }, PhaseSoaking, OutOfOrder, nil},
		{"a pod has a problem", soaking, func(s *Status,
			_ *facts) {
			s.Tracks[1].Problems = []string{"pod x: CrashLoopBackOff"}
		}, PhaseSoaking, OutOfOrder,
			[]string{"pod x: CrashLoopBackOff"}},
		{"scaled by hand", soaking, func(s *Status, _ *facts) { s.Tracks[1].Desired, s.Tracks[1].Ready = 3, 3 }, PhaseSoaking,
			InOrder, []string{"has 3 pods, the plan says 1", "--refresh"}},
		{"isolated by hand", soaking, func(s *Status, _ *facts) { s.Tracks[1].Isolated, s.Tracks[1].Taking = 1, 0 },
			PhaseSoaking, InOrder, []string{
				"1 of 1 pods of finance-service-v2 are labelled traffic=isolated and get no requests",
				"kubectl label pods -n vextrus-production -l app=finance-service,track=canary traffic=enabled --overwrite",
				"rollout rollback -s production"}},
		{"in quarantine", soaking, func(s *Status, _ *facts) {
			s.Tracks[1].Isolated, s.Tracks[1].Taking, s.Quarantine = 1, 0, &ledger.Entry{}
		}, PhaseSoaking, InOrder, nil},
		{"the guard is gone", soaking, func(s *Status, _ *facts) { s.Guard.Renewed = now.Add(-time.Minute) }, PhaseSoaking,
			InOrder, []string{"no guard is active"}},
		{"no ledger", soaking, func(s *Status, f *facts) {
			f.state, s.Soak, s.Missing = nil, nil,
				[]string{"ledger: it was edited"}
		}, PhaseUnknown, OrderUnknown, nil},
		{"one track", soaking, func(s *Status, f *facts) { f.single, f.state, s.Soak = true, nil, nil }, PhaseSingle, InOrder,
			nil},
		{"rolled back and not settled", rolledBack, func(*Status, *facts) {}, PhaseRolledBack, OutOfOrder,
			[]string{"still asks for 10 %", "rollout unlatch -s production"}},
		{"rolled back and settled", rolledBack, func(s *Status, _ *facts) { s.Weight.Asked, s.Weight.Passed = 0, pointer(0) },
			PhaseRolledBack, InOrder, []string{"rollout unlatch"}},
		{"rolled back, and the update failed", rolledBack, func(s *Status, _ *facts) { s.Weight.Asked = 0 }, PhaseRolledBack,
			OutOfOrder, []string{"does not reflect the rollback yet", "pulumi up --refresh"}},
		{"released by the configuration", rolledBack, func(_ *Status, f *facts) { f.released = 5 }, PhaseRolledBack,
			OutOfOrder, []string{"releases the latch"}},
		{"rollback interrupted", rolledBack, func(s *Status, f *facts) { f.state.Unfinished = s.Latch }, PhaseRollingBack,
			OutOfOrder, []string{"finish the rollback"}},
		{"canary back by hand", rolledBack, func(s *Status, _ *facts) { s.Weight.Asked, s.Tracks[1].Taking = 0, 2 },
			PhaseRolledBack, OutOfOrder, []string{"2 canary pods serve requests"}},
		{"another image", rolledBack, func(s *Status, _ *facts) {
			s.Latch, s.Weight.Asked, s.Tracks[0].Planned, s.Tracks[1].Planned = nil, 0, 10, 0
		}, PhaseIdle, InOrder, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, f := tt.begin()
			tt.change(status, &f)
			status.judge(f)
			if status.Phase != tt.phase || status.Order != tt.order || status.Summary == "" {
				t.Errorf("phase %s, order %s, %q", status.Phase, status.Order, status.Summary)
			}
			notes := strings.Join(status.Notes, "\n")
			for _, word := range tt.notes {
				if !strings.Contains(notes, word) {
					t.Errorf("the notes do not say %q:\n%s", word, notes)
				}
			}
			unverified := strings.Contains(notes, "never verified")
			if status.Phase == PhaseShifting && unverified != (f.state.Begun.To > f.state.Weight) {
				t.Errorf("the notes on a shift to %d %%: %s", f.state.Begun.To, notes)
			}
			if tt.notes == nil && notes != "" && tt.phase != PhaseUnknown {
				t.Errorf("noted without need: %s", notes)
			}
		})
	}
}

func TestVerdictIsTheExitCode(t *testing.T) {
	for order, want := range map[Order]int{InOrder: terminal.ExitDone, OutOfOrder: terminal.ExitFailed,
		OrderUnknown: terminal.ExitUnknown, "": terminal.ExitUnknown} {
		if got := terminal.ExitCode(terminal.OfVerdict((&Status{Order: order}).Verdict())); got != want {
			t.Errorf("%q ends with %d, want %d", order, got, want)
		}
	}
}

func TestRender(t *testing.T) {
	checkpointed := func() (*Status, facts) {
		status, f := soaking()
		status.Soak.Source, status.Soak.LookedAt, status.Soak.Extensions = SourceCheckpoint, now.Add(-72*time.Minute), 1
		status.Missing = []string{"alerts: prometheus did not answer within 700ms"}
		return status, f
	}
	held := func() (*Status, facts) {
		status, f := soaking()
		status.Soak.Soaked, status.Soak.Verdict = status.Soak.Required, gate.Pass
		status.Holds = []Hold{
			{Cause: "calendar closed", Reason: "now is Tue 2026-03-03 17:12 Europe/Berlin; it is 17:12, and calendar.hours " +
				"allows 09:00-16:00; opens Wed 2026-03-04 09:00 Europe/Berlin", Opens: "Wed 2026-03-04 09:00 Europe/Berlin"},
			{Cause: "open incident", Reason: "now is 2026-03-03T16:12:00Z; file INCIDENT (INC-42) since 2026-03-03T15:00:00Z",
				Lifted: "the release mends it"},
		}
		status.Advance = &Advance{Mode: "auto", Unapproved: []int{60, 0}}
		return status, f
	}
	staging := func() (*Status, facts) {
		status, f := soaking()
		status.Tracks, status.Soak, status.Entries, f.single = status.Tracks[:1], nil, nil, true
		return status, f
	}
	for name, begin := range map[string]func() (*Status, facts){"soaking": soaking, "rolled-back": rolledBack,
		"checkpoint": checkpointed, "single": staging, "held": held} {
		t.Run(name, func(t *testing.T) {
			status, f := begin()
			status.judge(f)
			text := status.Render(terminal.Style{})
			golden.Compare(t, name+".txt", text)
			if lines := strings.Count(text, "\n"); lines > 40 {
				t.Errorf("%d lines are no one screen", lines)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	status, f := soaking()
	status.judge(f)
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Phase  string
		Order  string
		Weight struct{ Asked, Stands int }
		Soak   struct {
			SoakedSeconds float64
			Criteria      []struct{ Name, Verdict string }
		}
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	if read.Phase != "soaking" || read.Order != "yes" || read.Weight.Stands != 10 || read.Soak.SoakedSeconds != 31*3600 ||
		len(read.Soak.Criteria) != 3 {
		t.Errorf("read %+v of %s", read, raw)
	}
}

func look(verdict gate.Verdict) func(context.Context) advance.Soak {
	return func(context.Context) advance.Soak {
		return advance.Soak{Since: now, Evaluation: gate.Evaluation{End: time.Now(),
			Results: []gate.Result{{Verdict: verdict}}}}
	}
}

func TestTheEvidenceCacheWaitsOnlySoLong(t *testing.T) {
	cache := &EvidenceCache{Wait: time.Millisecond, Every: time.Hour}
	begun, release := make(chan struct{}), make(chan struct{})
	slow := func(ctx context.Context) advance.Soak {
		close(begun)
		<-release
		return look(gate.Pass)(ctx)
	}
	if evidence := cache.Read(t.Context(), now, slow); evidence != nil {
		t.Fatalf("an unfinished reading returns %v", evidence)
	}
	<-begun
	cache.Wait = time.Minute
	close(release)
	refuse := func(context.Context) advance.Soak { panic("a second reading while one runs or is new") }
	for range 2 {
		evidence := cache.Read(t.Context(), now, refuse)
		if evidence == nil || evidence.Evaluation.Verdict() != gate.Pass {
			t.Fatalf("the reading in progress returns %v", evidence)
		}
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("Ctrl-C"))
	if evidence := cache.Read(stopped, now.Add(time.Hour),
		func(context.Context) advance.Soak {
			return look(gate.Fail)(t.Context())
		}); evidence != nil && evidence.Since.Equal(now) {
		t.Errorf("a reading of another stage is used: %v", evidence)
	}
}

func TestIdleNamesTheReleaseThatWasRolledBack(t *testing.T) {
	status, f := rolledBack()
	f.before, status.Latch = status.Latch, nil
	status.judge(f)
	if want := "v2 was rolled back at"; status.Phase != PhaseIdle || !strings.Contains(status.Summary, want) {
		t.Errorf("phase %s, %q; want %s with %q", status.Phase, status.Summary, PhaseIdle, want)
	}
}

func TestAQuarantineIsShown(t *testing.T) {
	status, _ := soaking()
	until := now.Add(40 * time.Second)
	status.Quarantine = &ledger.Entry{Seq: 5, Kind: ledger.Quarantined, Time: now.Add(-20 * time.Second), Until: &until,
		Offence: 1, Reason: "7 of 20 requests failed (35 %)"}
	text := status.Render(terminal.Style{})
	for _, words := range []string{"quarantine", "out of traffic since", "offence 1: 7 of 20 requests failed"} {
		if !strings.Contains(text, words) {
			t.Errorf("%q is missing:\n%s", words, text)
		}
	}
}
