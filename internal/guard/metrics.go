package guard

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Sources of what a guard sees, as its metrics name them.
const (
	SourceAPI          = "api"
	SourceTargets      = "targets"
	SourcePrometheus   = "prometheus"
	SourceAlertmanager = "alertmanager"
	SourceWebhook      = "webhook"
	SourceLedger       = "ledger"
	SourceSoak         = "soak"
	SourceConfig       = "config"
)

// instruments are the guard's own metrics.
type instruments struct {
	leader, rollouts prometheus.Gauge
	weight           *prometheus.GaugeVec
	verdict          *prometheus.GaugeVec
	requests, bad    *prometheus.GaugeVec
	evidence         *prometheus.GaugeVec
	lastLook         *prometheus.GaugeVec
	interval         *prometheus.GaugeVec
	blind, dryRun    *prometheus.GaugeVec
	latched          *prometheus.GaugeVec
	rollbacks        *prometheus.CounterVec
	findings         *prometheus.CounterVec
	errors           *prometheus.CounterVec
	alerts           *prometheus.CounterVec
}

func newInstruments(registry prometheus.Registerer) *instruments {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rollout_guard_" + name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollout_guard_" + name, Help: help}, labels)
	}
	m := &instruments{
		leader: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollout_guard_leader",
			Help: "1 while this guard is the one that acts."}),
		rollouts: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollout_guard_rollouts",
			Help: "Rollouts that this guard watches."}),
		weight: gauge("weight_percent", "Weight of the canary by the ledger.", "rollout"),
		verdict: gauge("verdict", "1 for the present verdict on a criterion, 0 for the others.", "rollout", "criterion",
			"verdict"),
		requests: gauge("requests", "Requests that were counted since the evidence began.", "rollout", "track"),
		bad:      gauge("failed_requests", "Failed ones among them.", "rollout", "track"),
		evidence: gauge("e_value", "Evidence against the canary; 1/alpha is proof.", "rollout", "criterion"),
		lastLook: gauge("last_look_timestamp_seconds", "When a source was last seen.", "rollout", "source"),
		interval: gauge("scrape_interval_seconds", "Longest time between two scrapes of a pod of the track, which pods "+
			"that limit their requests make longer.", "rollout", "track"),
		blind:   gauge("blind", "1 while the guard sees nothing of a canary that takes requests.", "rollout"),
		dryRun:  gauge("dry_run", "1 where the guard only reports.", "rollout"),
		latched: gauge("latched", "1 while the canary's image is latched.", "rollout"),
		rollbacks: counter("rollbacks_total", "Rollbacks by their cause; those of a dry run have the outcome reported.",
			"rollout", "cause", "outcome"),
		findings: counter("findings_total", "Findings by their cause and what they ask for.", "rollout", "cause", "action"),
		errors:   counter("source_errors_total", "Failed looks by source.", "rollout", "source"),
		alerts:   counter("webhook_alerts_total", "Alerts that the webhook took, by what became of them.", "outcome"),
	}
	registry.MustRegister(m.leader, m.rollouts, m.weight, m.verdict, m.requests, m.bad, m.evidence, m.lastLook, m.interval,
		m.blind, m.dryRun,
		m.latched, m.rollbacks, m.findings, m.errors, m.alerts)
	return m
}

func (m *instruments) look(rollout string, found gate.Detection, canary, stable gate.Counts) {
	for _, verdict := range []gate.Verdict{gate.Pass, gate.Fail, gate.Inconclusive, gate.Error} {
		m.verdict.WithLabelValues(rollout, found.Name, string(verdict)).Set(flag(found.Verdict == verdict))
	}
	m.evidence.WithLabelValues(rollout, found.Name).Set(math.Exp(min(found.LogEvidence, 690)))
	m.requests.WithLabelValues(rollout, "canary").Set(float64(canary.N))
	m.requests.WithLabelValues(rollout, "stable").Set(float64(stable.N))
	m.bad.WithLabelValues(rollout, "canary").Set(float64(canary.K))
	m.bad.WithLabelValues(rollout, "stable").Set(float64(stable.K))
}

func (m *instruments) seen(rollout, source string, now time.Time) {
	m.lastLook.WithLabelValues(rollout, source).Set(float64(now.UnixMilli()) / 1000)
}

// forget drops the series of a rollout that is guarded no longer.
func (m *instruments) forget(rollout string) {
	labels := prometheus.Labels{"rollout": rollout}
	for _, vec := range []*prometheus.GaugeVec{
		m.weight, m.verdict, m.requests, m.bad, m.evidence, m.lastLook, m.interval, m.blind, m.dryRun, m.latched,
	} {
		vec.DeletePartialMatch(labels)
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
