package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vextrus/finance-rollout/bench/internal/measure"
)

var (
	day   = time.Date(2025, 11, 23, 6, 0, 0, 0, time.UTC)
	quiet = measure.Machine{Cores: 2, MemoryGiB: 24, Go: "1.26", Pulumi: "3.245.0", Load: 0.2}
)

func seconds(values ...float64) []time.Duration {
	var durations []time.Duration
	for _, value := range values {
		durations = append(durations, time.Duration(value*float64(time.Second)))
	}
	return durations
}

func TestUpdatesReport(t *testing.T) {
	report := updatesReport{
		Mode: modeGateway, Date: day, Machine: quiet, Bake: 20 * time.Second,
		Shift: seconds(12, 11, 13), Kubectl: seconds(4, 3, 5), Unchanged: seconds(6.5, 6, 7), Baked: seconds(36, 35, 37),
	}
	got := report.markdown()
	for _, want := range []string{
		"## A shift from 10 to 30 %, traffic by gateway\n\n2025-11-23, 2 cores",
		"| `pulumi up`, `bake.duration` 0s | 3 | 12.00 s | 11.00 s | 13.00 s |",
		"**1.50 s** more than kubectl", "at most 2 s is met", "The bake of 20s adds 24.00 s",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	report.Kubectl = seconds(3, 3, 3)
	if got := report.markdown(); !strings.Contains(got, "**2.50 s**") || !strings.Contains(got, "is missed") {
		t.Errorf("a missed goal:\n%s", got)
	}
}

func stagesSample(mode string) stagesReport {
	return stagesReport{
		Date: day, Machine: quiet, Mode: mode, PerSecond: 200, Runs: []oneRun{{Requests: 30000}, {Requests: 29000}},
		Shares: []share{{10, 20000, 2040}, {30, 20000, 5900}, {60, 20000, 12050}, {100, 20000, 20000}},
	}
}

func TestStagesReport(t *testing.T) {
	want := strings.Join([]string{
		"## Shifts under load, traffic by replicas", "",
		"2025-11-23, 2 cores, 24 GiB, Go 1.26, Pulumi 3.245.0, local cluster.", "",
		"200 requests a second, each on a new connection, while `pulumi up` shifts 10 -> 30 -> 60 -> 100 -> 0 %.", "",
		"| run | requests | failed |", "|---|---|---|", "| 1 | 30000 | 0 |", "| 2 | 29000 | 0 |", "",
		"**0** requests failed. The goal of 0 is met.", "",
		"| weight | requests counted | at the canary | share | off by | standard error | z |",
		"|---|---|---|---|---|---|---|",
		"| 10 % | 20000 | 2040 | 10.20 % | +0.20 points | 0.21 points | +0.9 |",
		"| 30 % | 20000 | 5900 | 29.50 % | -0.50 points | 0.32 points | -1.5 |",
		"| 60 % | 20000 | 12050 | 60.25 % | +0.25 points | 0.35 points | +0.7 |",
		"| 100 % | 20000 | 20000 | 100.00 % | +0.00 points | 0.00 points | +0.0 |", "",
		"Counted while the weight stands still. The goal of a share within the sampling error, 3 standard errors at most, " +
			"is met.", "",
	}, "\n")
	if diff := cmp.Diff(want, stagesSample(modeReplicas).markdown()); diff != "" {
		t.Error(diff)
	}
}

func TestStagesReportSaysWhatCountsAgainstIt(t *testing.T) {
	failing := stagesSample(modeReplicas)
	failing.Runs[1].Failed, failing.Runs[1].Why = 2, "connection refused"
	off := stagesSample(modeReplicas)
	off.Shares[0].Canary = 2140 // 3.3 standard errors
	stray := stagesSample(modeReplicas)
	stray.Shares[3].Canary-- // nothing but the canary has requests at 100 %
	gateway := stagesSample(modeGateway)
	gateway.Shares[0].Canary = 2140
	wide := stagesSample(modeGateway)
	wide.Shares[1].Canary = 6300
	for name, tt := range map[string]struct {
		report stagesReport
		want   string
	}{
		"failures":   {failing, "**2** requests failed, the last one with: connection refused. The goal of 0 is missed"},
		"a share":    {off, "at most, is missed"},
		"at 100 %":   {stray, "at most, is missed"},
		"a gateway":  {gateway, "within 1 point is met"},
		"a wide one": {wide, "within 1 point is missed"},
		"a busy time": {func() stagesReport { busy := stagesSample(modeReplicas); busy.Machine.Load = 3; return busy }(),
			"load average was 3.0"},
	} {
		if got := tt.report.markdown(); !strings.Contains(got, tt.want) {
			t.Errorf("%s: no %q in:\n%s", name, tt.want, got)
		}
	}
	if z := stray.Shares[3].z(); !math.IsInf(z, -1) {
		t.Errorf("z is %v", z)
	}
}

func TestCountLooksAtTheWindowAndAtAnswersOnly(t *testing.T) {
	at := func(second int) time.Time { return day.Add(time.Duration(second) * time.Second) }
	answers := []answer{
		{sent: at(0), canary: true}, {sent: at(1), canary: true}, {sent: at(2)}, {sent: at(3), failed: "refused"},
		{sent: at(4), canary: true}, {sent: at(5)},
	}
	if all, fromCanary := count(answers, at(1), at(5)); all != 3 || fromCanary != 2 {
		t.Errorf("%d of %d", fromCanary, all)
	}
}

func TestOptions(t *testing.T) {
	good := options{mode: modeReplicas, runs: 5, rounds: 5, perSecond: 200, perStage: 20000, nodePort: 30780}
	if err := good.validate(); err != nil || good.address != "http://127.0.0.1:30780" {
		t.Errorf("%v, address %s", err, good.address)
	}
	for name, change := range map[string]func(*options){
		"mode":     func(o *options) { o.mode = "mesh" },
		"gateway":  func(o *options) { o.mode, o.address = modeGateway, "" },
		"rounds":   func(o *options) { o.rounds = 4 },
		"runs":     func(o *options) { o.runs = 0 },
		"far away": func(o *options) { o.address = "http://192.0.2.1" },
	} {
		bad := good
		change(&bad)
		if err := bad.validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var config settings
	if config.Set("gateway.name=edge") != nil || config.Set("novalue") == nil || config.String() != "gateway.name=edge" {
		t.Errorf("settings %v", config)
	}
}
