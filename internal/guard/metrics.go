package guard

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vextrus/finance-rollout/internal/gate"
)

// Sources that a guard looks at, as its metrics name them.
const (
	SourceAPI          = "api"
	SourceTargets      = "targets"
	SourcePrometheus   = "prometheus"
	SourceAlertmanager = "alertmanager"
	SourceWebhook      = "webhook"
	SourceLedger       = "ledger"
	SourceSoak         = "soak"
	SourceConfig       = "config"
	SourceNotified     = "notified"
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
	sees, unseen     *prometheus.GaugeVec
	latched          *prometheus.GaugeVec
	ledgerCut        *prometheus.GaugeVec
	misconfigured    *prometheus.GaugeVec
	quarantined      *prometheus.GaugeVec
	quarantines      *prometheus.CounterVec
	rollbacks        *prometheus.CounterVec
	findings         *prometheus.CounterVec
	errors           *prometheus.CounterVec
	alerts           *prometheus.CounterVec
	notifications    *prometheus.CounterVec
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
			Help: "1 while this guard is the leader, which acts alone."}),
		rollouts: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rollout_guard_rollouts",
			Help: "Rollouts that this guard guards."}),
		weight: gauge("weight_percent", "Canary weight in percent, by the ledger.", "rollout"),
		verdict: gauge("verdict", "1 for the current verdict on a criterion, 0 for the others.", "rollout", "criterion",
			"verdict"),
		requests: gauge("requests", "Requests counted since the evidence began.", "rollout", "track"),
		bad:      gauge("failed_requests", "Failed requests counted since the evidence began.", "rollout", "track"),
		evidence: gauge("e_value", "E-value against the canary; 1/alpha rolls it back.", "rollout", "criterion"),
		lastLook: gauge("last_look_timestamp_seconds", "Unix time of the last successful look at a source.", "rollout",
			"source"),
		interval: gauge("scrape_interval_seconds", "Time between two scrapes of a pod of the track; longer for pods that "+
			"limit their requests.", "rollout", "track"),
		blind: gauge("blind", "1 while the guard does not see a canary in traffic, or a pod takes its requests unwatched.",
			"rollout"),
		sees: gauge("sees", "1 while the source shows the canary's counter of requests.", "rollout", "source"),
		unseen: gauge("unseen_requests", "Requests of the canary that Prometheus counted in five minutes and the guard did "+
			"not.", "rollout"),
		dryRun:    gauge("dry_run", "1 if the guard only reports.", "rollout"),
		latched:   gauge("latched", "1 while the canary's image is latched.", "rollout"),
		ledgerCut: gauge("ledger_cut", "1 while the ledger lacks entries that it had.", "rollout"),
		misconfigured: gauge("misconfigured", "1 while the configuration is not the one that the last update gave.",
			"rollout"),
		quarantined: gauge("quarantined", "1 while the canary is out of traffic without a latch.", "rollout"),
		quarantines: counter("quarantines_total", "Quarantines of canaries.", "rollout"),
		rollbacks: counter("rollbacks_total", "Rollbacks by cause and outcome; a dry run's have the outcome reported.",
			"rollout", "cause", "outcome"),
		findings: counter("findings_total", "Findings by cause and by the action that they ask for.", "rollout", "cause",
			"action"),
		errors: counter("source_errors_total", "Failed looks at a source.", "rollout", "source"),
		alerts: counter("webhook_alerts_total", "Alerts and refusals of the webhook by outcome.", "outcome"),
		notifications: counter("notifications_total", "Tries to tell a webhook of an event: sent, retried, refused by the "+
			"receiver, or dropped because too many waited.", "rollout", "result"),
	}
	registry.MustRegister(m.leader, m.rollouts, m.weight, m.verdict, m.requests, m.bad, m.evidence, m.lastLook, m.interval,
		m.blind, m.sees, m.unseen, m.dryRun,
		m.latched, m.ledgerCut, m.misconfigured, m.quarantined, m.quarantines,
		m.rollbacks, m.findings, m.errors, m.alerts, m.notifications)
	return m
}

func (m *instruments) look(rollout string, detection gate.Detection, canary, stable gate.Counts) {
	for _, verdict := range []gate.Verdict{gate.Pass, gate.Fail, gate.Inconclusive, gate.Error} {
		m.verdict.WithLabelValues(rollout, detection.Name, string(verdict)).Set(flag(detection.Verdict == verdict))
	}
	m.evidence.WithLabelValues(rollout, detection.Name).Set(math.Exp(min(detection.LogEvidence, 690)))
	m.requests.WithLabelValues(rollout, "canary").Set(float64(canary.N))
	m.requests.WithLabelValues(rollout, "stable").Set(float64(stable.N))
	m.bad.WithLabelValues(rollout, "canary").Set(float64(canary.K))
	m.bad.WithLabelValues(rollout, "stable").Set(float64(stable.K))
}

func (m *instruments) seen(rollout, source string, now time.Time) {
	m.lastLook.WithLabelValues(rollout, source).Set(float64(now.UnixMilli()) / 1000)
}

// forget drops the series of a rollout that is no longer guarded.
func (m *instruments) forget(rollout string) {
	labels := prometheus.Labels{"rollout": rollout}
	for _, vec := range []*prometheus.GaugeVec{
		m.weight, m.verdict, m.requests, m.bad, m.evidence, m.lastLook, m.interval, m.blind, m.sees, m.unseen, m.dryRun,
		m.latched, m.ledgerCut, m.misconfigured, m.quarantined,
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
