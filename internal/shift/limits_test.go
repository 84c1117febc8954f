package shift

import (
	"strings"
	"testing"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/settings"
	"github.com/vextrus/finance-rollout/internal/testkit"
)

// configured is the trial with other settings.
func (tr trial) configured(t *testing.T, weight string, changes map[string]string) trial {
	t.Helper()
	config := productionConfig()
	config["release"], config["canaryWeight"] = "v2", weight
	for key, value := range changes {
		config[key] = value
	}
	s, err := settings.Load("production", values(config))
	if err != nil {
		t.Fatal(err)
	}
	next := tr.shared(t, 10)
	next.rollout = tr.rollout.With(s)
	return next
}

// A canary that fails half of its requests passed by limits that asked for nothing, and the ledger told of none.
func TestLimitsThatAskForNothingRaiseNothing(t *testing.T) {
	lax := map[string]string{"soak": `{"duration":"0s"}`, "criteria": `{"errorRate":0.9,"rollbackErrorRate":0.9}`}
	tests := []struct {
		name, to string
		changes  map[string]string
		healthy  bool
		refused  []string
	}{
		{name: "up", to: "30", changes: lax,
			refused: []string{"limits too loose", "soak.duration is 0s, and at least 1d is allowed", "criteria.errorRate is 0.9",
				"pulumi config set --path criteria.errorRate 0.05 -s production", "floors.reason WHY -s production"}},
		{name: "up by an override", to: "30", changes: with(lax, "override", `{"weight":30,"reason":"we are in a hurry"}`),
			refused: []string{"limits too loose"}},
		{name: "up without a comparison", to: "30", changes: map[string]string{"criteria": `{"relative":"off"}`},
			refused: []string{"limits too loose", "criteria.relative is off", "pulumi config set --path floors.relative off"}},
		{name: "down", to: "0", changes: lax},
		{name: "up by floors that were lowered with a reason", to: "30", healthy: true,
			changes: with(lax, "floors", `{"soak":"0s","errorRate":1,"rollbackErrorRate":1,"reason":"a drill"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := served{failing: 0.5}
			if tt.healthy {
				answers = served{}
			}
			tr := newTrial(t, 10, answers, born.Add(50*time.Hour))
			tr.standsAt(t, 10, born)
			err := tr.configured(t, tt.to, tt.changes).Judge(t.Context())
			if len(tt.refused) > 0 {
				testkit.WantError(t, err, tt.refused...)
			} else if err != nil {
				t.Error(err)
			}
			history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
			if err != nil {
				t.Fatal(err)
			}
			last := history.Entries()[len(history.Entries())-1]
			if begun := last.Kind == ledger.ShiftBegun; begun != (len(tt.refused) == 0) {
				t.Errorf("the ledger ends with %s", last.Describe())
			}
			if last.To > 10 && (last.Terms == nil || last.Terms.Floors != "a drill") {
				t.Errorf("the shift keeps the terms %+v, without the reason of the floors", last.Terms)
			}
		})
	}
}

func with(base map[string]string, key, value string) map[string]string {
	all := map[string]string{key: value}
	for k, v := range base {
		all[k] = v
	}
	return all
}

// Limits that change while a release is on trial are an entry of their own.
func TestAChangeOfLimitsIsNoted(t *testing.T) {
	const looser = "criteria"
	tests := []struct {
		name    string
		changes map[string]string
		dryRun  bool
		// entry describes what is noted, empty for nothing; told and warned are what is said.
		entry, told, warned string
	}{
		{name: "nothing"},
		{name: "with a reason",
			changes: map[string]string{looser: `{"errorRate":0.01,"rollbackErrorRate":0.02,"reason":"the database is slow"}`},
			entry:   "limits-changed v2 error rate 0.5 % -> 1 % and rollback 1 % -> 2 % (the database is slow)",
			told:    "were changed during its rollout"},
		{name: "without one", changes: map[string]string{looser: `{"errorRate":0.01}`},
			entry:  "limits-changed v2 error rate 0.5 % -> 1 % (no reason given)",
			warned: "pulumi config set --path criteria.reason WHY -s production"},
		{name: "by the reason of an earlier change", changes: map[string]string{looser: `{"slowShare":0.1,"reason":"before"}`},
			entry: "(no reason given)", warned: "criteria.reason"},
		{name: "the soak and the bake",
			changes: map[string]string{"soak": `{"duration":"24h"}`, "bake": `{"duration":"1m"}`},
			entry:   "soak 48h -> 24h, bake 5m -> 1m (no reason given)", warned: "soak 48h -> 24h"},
		{name: "which series are errors", changes: map[string]string{"metrics": `{"errorPattern":"599"}`},
			entry: "599", warned: "series"},
		{name: "the confidence, the requests and the latency",
			changes: map[string]string{looser: `{"confidence":0.85,"latency":"2s"}`, "bake": `{"minRequests":1}`},
			entry:   "confidence 0.95 -> 0.85 and requests 100 -> 1 and latency 500ms -> 2s", warned: "confidence"},
		{name: "a query of the stack's own",
			changes: map[string]string{looser: `{"own":[{"name":"queue","query":"vector(1)","limit":5,"direction":"below"}]}`},
			entry:   "queue added", warned: "queue added"},
		{name: "on preview", changes: map[string]string{looser: `{"errorRate":0.01}`}, dryRun: true,
			told: "were changed during its rollout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTrial(t, 10, served{}, born.Add(time.Minute))
			tr.write(t, ledger.Entry{Kind: ledger.LimitsChanged, Reason: "before"})
			tr.write(t, ledger.Entry{Kind: ledger.ShiftReached, Release: "v2", Image: onTrial, Stable: oldImage, To: 10,
				Terms: tr.rollout.Terms()})
			next := tr.configured(t, "10", tt.changes)
			next.dryRun = tt.dryRun
			for range 2 { // it is noted once
				if err := next.errands(t); err != nil {
					t.Fatal(err)
				}
			}
			history, err := ledger.Read(t.Context(), tr.rollout.Ledger())
			if err != nil {
				t.Fatal(err)
			}
			noted := history.Entries()[2:]
			if (len(noted) == 1) != (tt.entry != "") || len(noted) > 1 ||
				len(noted) == 1 && (!strings.Contains(noted[0].Describe(), tt.entry) || noted[0].Who != "anna") {
				t.Errorf("noted %s, want %q", history, tt.entry)
			}
			if said := strings.Join(next.heard.infos, "\n"); !strings.Contains(said, tt.told) {
				t.Errorf("told %q, want %q", said, tt.told)
			}
			if said := strings.Join(next.heard.warnings, "\n"); (said == "") != (tt.warned == "") ||
				!strings.Contains(said, tt.warned) {
				t.Errorf("warned %q, want %q", said, tt.warned)
			}
		})
	}
}
