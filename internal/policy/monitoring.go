package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"github.com/vextrus/finance-rollout/internal/names"
)

func monitoringPolicies(facts Facts) []Policy {
	guard := Advisory
	if facts.GuardWanted {
		guard = Mandatory
	}
	return []Policy{
		{
			Name:        "canary-scraped",
			Description: "The metrics of a canary are scraped: a ServiceMonitor or PodMonitor selects its pods.",
			Stack:       canaryScraped,
		},
		{
			Name: "canary-alerts",
			Description: "A canary has the alerts that ask for a rollback, with the labels that the gates and the guard look " +
				"for.",
			Stack: canaryAlerts,
		},
		{
			Name:        "canary-guarded",
			Description: "A canary is watched by a guard that takes it out of traffic when it is bad.",
			Level:       guard,
			Stack:       canaryGuarded,
		},
	}
}

func canaryScraped(resources []Resource) []Violation {
	var violations []Violation
	for _, canary := range canariesOf(resources) {
		if !scraped(canary, resources) {
			violations = append(violations, Violation{canary.URN,
				fmt.Sprintf("no ServiceMonitor reaches the pods of %s, so that its gates and alerts see nothing; "+
					"turn monitoring on by `pulumi config set --path monitoring.enabled true`, or add a ServiceMonitor that selects "+
					"a Service over these pods and names its port", canary.name())})
		}
	}
	return violations
}

// scraped follows a ServiceMonitor to a Service and the Service to the canary's pods, or a PodMonitor to the pods.
func scraped(canary track, resources []Resource) bool {
	for _, monitor := range ofKind(resources, "PodMonitor") {
		if selects(monitor.at("spec", "selector", "matchLabels"), canary.labels) {
			return true
		}
	}
	for _, service := range ofKind(resources, "Service") {
		if !selects(service.at("spec", "selector"), canary.labels) {
			continue
		}
		for _, monitor := range ofKind(resources, "ServiceMonitor") {
			labels := service.at("metadata", "labels")
			if selects(monitor.at("spec", "selector", "matchLabels"), labels) && scrapesPort(monitor, service) {
				return true
			}
		}
	}
	return false
}

func scrapesPort(monitor, service Resource) bool {
	if unknown(monitor.at("spec")) || unknown(service.at("spec", "ports")) {
		return true
	}
	for _, endpoint := range items(monitor.at("spec", "endpoints")) {
		wanted := text(at(endpoint, "port"))
		for _, port := range items(service.at("spec", "ports")) {
			if wanted != "" && text(at(port, "name")) == wanted {
				return true
			}
		}
	}
	return false
}

// rollbackAlerts are the guide's conditions for taking a canary out, by the names of their alerts.
var rollbackAlerts = []string{"CanaryErrorRateHigh", "CanaryCrashLoop"}

func canaryAlerts(resources []Resource) []Violation {
	rules := ofKind(resources, "PrometheusRule")
	var violations []Violation
	for _, canary := range canariesOf(resources) {
		wanted := map[string]string{
			"action": "rollback", "severity": "critical", names.App: canary.app, "environment": canary.environment,
			"release": canary.version,
		}
		for _, name := range rollbackAlerts {
			if problem := alertProblem(rules, name, wanted); problem != "" {
				violations = append(violations, Violation{canary.URN,
					fmt.Sprintf("%s: %s; turn monitoring on by `pulumi config set --path monitoring.enabled true`, "+
						"or add the alert with these labels", canary.name(), problem)})
			}
		}
	}
	return violations
}

// alertProblem tells what is wrong with an alert; empty when one with all the labels is there, or may be.
func alertProblem(rules []Resource, name string, wanted map[string]string) string {
	problem := fmt.Sprintf("no PrometheusRule holds the alert %s with the labels %s", name, labelList(wanted))
	for _, rule := range rules {
		if unknown(rule.at("spec")) {
			return ""
		}
		for _, alert := range alertsOf(rule) {
			if text(at(alert, "alert")) != name {
				continue
			}
			lacking := differing(wanted, texts(at(alert, "labels")))
			if len(lacking) == 0 {
				return ""
			}
			problem = fmt.Sprintf("the alert %s lacks the labels %s", name, labelList(lacking))
		}
	}
	return problem
}

// differing are the wanted labels that are missing or otherwise.
func differing(wanted, have map[string]string) map[string]string {
	different := map[string]string{}
	for key, value := range wanted {
		if have[key] != value {
			different[key] = value
		}
	}
	return different
}

func labelList(labels map[string]string) string {
	var list []string
	for _, key := range sortedKeys(labels) {
		list = append(list, key+"="+labels[key])
	}
	return strings.Join(list, ", ")
}

func alertsOf(rule Resource) []property.Value {
	var alerts []property.Value
	for _, group := range items(rule.at("spec", "groups")) {
		alerts = append(alerts, items(at(group, "rules"))...)
	}
	return alerts
}

func canaryGuarded(resources []Resource) []Violation {
	var violations []Violation
	for _, canary := range canariesOf(resources) {
		guarded := slices.ContainsFunc(ofKind(resources, "Deployment"), func(r Resource) bool {
			pods, known := number(r.at("spec", "replicas"))
			named := r.name() == names.Guard(canary.app) || unknown(r.at("metadata", "name"))
			return named && (!known || pods > 0)
		})
		if !guarded {
			violations = append(violations, Violation{canary.URN,
				fmt.Sprintf("nothing in the cluster watches %s between two updates: there is no Deployment %s with pods; "+
					"name the guard's image by `pulumi config set --path guard.image vextrus/rollout:VERSION`, or do without on "+
					"purpose by `pulumi config set --path guard.enabled false`", canary.name(), names.Guard(canary.app))})
		}
	}
	return violations
}
