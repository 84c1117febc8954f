package dashboard

import (
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/cli/evidence"
	"github.com/vextrus/finance-rollout/internal/cli/report"
	"github.com/vextrus/finance-rollout/internal/cli/status"
	"github.com/vextrus/finance-rollout/internal/forecast"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

var now = time.Date(2026, 3, 3, 16, 12, 0, 0, time.UTC)

func pointer[T any](value T) *T { return &value }

// soaking is a rollout in the middle of its soak at 10 %.
func soaking() *status.Status {
	began := now.Add(-31 * time.Hour)
	return &status.Status{
		Time: now, Stack: "production", Cluster: `context "prod"`, Namespace: "vextrus-production", App: "finance-service",
		Release: "v2", Phase: status.PhaseSoaking, Order: status.InOrder, Summary: "v2 soaks at 10 %",
		Weight: status.Weight{Asked: 10, Stands: pointer(10), Passed: pointer(10), Measured: pointer(9.64), Requests: 3012,
			Window: 5 * time.Minute},
		Tracks: []status.Track{
			{Name: "stable", Deployment: "finance-service-stable", Exists: true, Image: "finance@sha256:e3fcc3cef3f3be0a7f4bef",
				Planned: 9, Desired: 9, Ready: 9, Taking: 9},
			{Name: "canary", Deployment: "finance-service-v2", Exists: true, Image: "finance@sha256:2b40e63d169c334b4c99ef",
				Planned: 1, Desired: 1, Ready: 1, Taking: 1},
		},
		Soak: &status.Soak{
			Since: began, Soaked: status.Seconds(30 * time.Hour), Required: status.Seconds(48 * time.Hour),
			NextCheckpoint: now.Add(48 * time.Minute), Source: status.SourceLook, LookedAt: now, Verdict: gate.Inconclusive,
			Criteria: []status.Criterion{
				{Name: "error rate", Verdict: gate.Inconclusive, N: 24012, K: 91, Lower: 0.0028, Upper: 0.0051, Target: 0.005,
					Rollback: 0.01, Reason: "1,200 more requests would show that the share is below the target",
					Readings: narrowing(began, 0.0038)},
				{Name: "P95 latency", Verdict: gate.Pass, N: 24012, K: 20, Lower: 0.0004, Upper: 0.0015, Target: 0.05,
					Rollback: 1, Readings: narrowing(began, 0.0008)},
				{Name: "restarts", Verdict: gate.Pass},
			},
		},
		Guard: status.Guard{Wanted: true, Ready: 2, Leader: "finance-service-guard-7c9d-x2", Renewed: now},
		Entries: []ledger.Entry{
			{Seq: 2, Time: began.Add(-time.Minute), Who: "anna", Kind: ledger.ShiftBegun, Release: "v2", To: 10},
			{Seq: 3, Time: began, Who: "anna", Kind: ledger.ShiftReached, Release: "v2", To: 10},
			{Seq: 9, Time: now.Add(-time.Hour), Who: "guard/x2", Kind: ledger.Checkpoint, Release: "v2", From: 10, To: 10,
				Verdict: "inconclusive", Reason: "too few requests"},
		},
	}
}

// narrowing are readings whose bounds narrow around a share.
func narrowing(began time.Time, share float64) []status.Reading {
	var readings []status.Reading
	for i := range 31 {
		width := 0.02 / float64(i+1)
		readings = append(readings, status.Reading{Time: began.Add(time.Duration(i) * time.Hour), Share: share,
			Lower: max(0, share-width), Upper: share + width})
	}
	return readings
}

// full is a view with something in every part.
func full() View {
	current := soaking()
	current.Notes, current.Missing = []string{"finance-service-stable has 8 pods"}, []string{"alerts: no answer"}
	current.Alerts = []status.Alert{{Name: "CanaryLatencyHigh", Severity: "warning", Action: "review"}}
	current.Holds = []status.Hold{{Cause: "calendar closed", Reason: "it is Sunday", Opens: "Monday"},
		{Cause: "open incident", Reason: "INC-1", Lifted: "hotfix"}}
	current.Latch = &ledger.Entry{Seq: 5, Image: "sha256:2b40e63d169c334b", Reason: "bad"}
	current.Quarantine = &ledger.Entry{Seq: 6, Time: now, Reason: "7 of 20 failed", Offence: 1}
	current.Operator, current.Tracks[0].Problems = "anna@desk", []string{"pod x: CrashLoopBackOff"}
	return View{
		Status: current, Stale: "connection refused",
		Charts: Part[report.Section]{Read: now, Problem: "too many series", Value: traffic()},
		Evidence: Part[[]evidence.Summary]{Read: now, Problem: "forbidden", Value: []evidence.Summary{{
			Name: "finance-service-evidence-20260302-101500", Time: now, Reason: "20 of 168 requests failed", Pods: 1,
			Missing: []string{"log of x"},
			Content: &rollback.Evidence{Numbers: map[string]string{"guard": "20 of 168"}, Events: []string{"BackOff"},
				Pods: []rollback.PodEvidence{{Name: "finance-service-v2-abc",
					Logs: map[string]string{"finance-service": "started\npanic: no ledger\n"}}}},
		}}},
		Forecast: Part[*forecast.Forecast]{Read: now, Problem: "cannot be decided",
			Value: &forecast.Forecast{Stack: "production", Start: now, Runs: 40,
				Traffic: forecast.Traffic{Source: "prometheus", Notes: []string{"the stack has no guard"}}}},
	}
}

func traffic() report.Section {
	section := report.Section{Title: "The last hour", Start: now.Add(-time.Hour), End: now, Step: 15 * time.Second,
		Window: time.Minute}
	for i, unit := range []report.Unit{report.PerSecond, report.Share, report.Seconds} {
		panel := report.Panel{Title: fmt.Sprintf("panel %d", i), Unit: unit, Limits: []report.Limit{{Value: 0.005,
			Label: "target"}}}
		for at := section.Start; !at.After(now); at = at.Add(section.Step) {
			panel.Canary = append(panel.Canary, report.Point{Time: at, Value: 0.004})
			panel.Stable = append(panel.Stable, report.Point{Time: at, Value: 0.002})
		}
		section.Panels = append(section.Panels, panel)
	}
	section.Marks = []report.Mark{{Time: now.Add(-time.Minute), Label: "10 %", Tone: report.Plain}}
	return section
}
