package settings

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vextrus/finance-rollout/internal/endpoint"
)

// derive fills in what follows from other settings.
func (s *Settings) derive() {
	if s.Namespace == "" {
		s.Namespace = s.App + "-" + s.Environment
	}
	if s.ServiceName == "" {
		s.ServiceName = s.App
	}
	if s.named = s.Release; s.named == "" {
		s.Release = "week" + strconv.Itoa(s.Week)
	}
}

func (s *Settings) validate(found *problems) {
	s.validateNames(found)
	s.validateTraffic(found)
	s.validatePosition(found)
	s.validateAdvance(found)
	s.validateHolds(found)
	s.validateImages(found)
	s.validateService(found)
	s.validatePods(found)
	s.validatePodShape(found)
	s.validateOverlays(found)
	s.validateSecrets(found)
	s.validateExisting(found)
	s.validateMonitoring(found)
	s.validateGates(found)
	s.validateGuard(found)
	s.validateNotify(found)
	s.validateLogins(found)
	s.validatePreflight(found)
}

func oneOf(found *problems, key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		found.add(key, value, found.set(key, allowed[0]), "allowed are %s", strings.Join(allowed, ", "))
	}
}

func (s *Settings) validateService(found *problems) {
	port(found, "containerPort", s.Container)
	port(found, "service.port", s.Service.Port)
	if s.Service.NodePort != 0 {
		port(found, "service.nodePort", s.Service.NodePort)
	}
	allowed := []string{"ClusterIP", "NodePort", "LoadBalancer"}
	if !slices.Contains(allowed, s.Service.Type) {
		found.add("service.type", s.Service.Type, found.setPath("service.type", "ClusterIP"), "allowed are %s",
			strings.Join(allowed, ", "))
	}
	for i, egress := range s.Network.EgressPorts {
		port(found, fmt.Sprintf("network.egressPorts[%d]", i), egress)
	}
}

func port(found *problems, key string, value Port) {
	if value < 1 || value > 65535 {
		found.add(key, strconv.Itoa(int(value)), found.setPath(key, "3014"), "allowed are 1 to 65535")
	}
}

func (s *Settings) validatePods(found *problems) {
	resources(found, "resources", s.Resources)
	s.Probes.validate(found, "probes")
	for name, track := range map[string]TrackOverride{"stable": s.Stable, "canary": s.Canary} {
		if track.Resources != nil {
			resources(found, name+".resources", *track.Resources)
		}
		if track.Probes != nil {
			track.Probes.validate(found, name+".probes")
		}
	}
	if s.Shutdown.PreStop < 1 {
		found.add("shutdown.preStopSeconds", strconv.Itoa(s.Shutdown.PreStop), found.setPath("shutdown.preStopSeconds", "5"),
			"at least 1: a pod that stops at once fails the requests that are still sent to it")
	} else if s.Shutdown.Grace <= s.Shutdown.PreStop {
		found.add("shutdown.gracePeriodSeconds", strconv.Itoa(s.Shutdown.Grace),
			found.setPath("shutdown.gracePeriodSeconds", "30"),
			"must be longer than preStopSeconds, which is %d", s.Shutdown.PreStop)
	}
	if time.Duration(s.ProgressLimit) < 10*time.Second {
		found.add("progressTimeout", s.ProgressLimit.String(), found.set("progressTimeout", "10m"), "at least 10s")
	}
}

func resources(found *problems, key string, r Resources) {
	pairs := []struct{ name, request, limit string }{
		{"cpu", string(r.Requests.CPU), string(r.Limits.CPU)}, {"memory", string(r.Requests.Memory), string(r.Limits.Memory)},
	}
	for _, pair := range pairs {
		request, err := resource.ParseQuantity(pair.request)
		if err != nil {
			found.add(key+".requests."+pair.name, pair.request, found.setPath(key+".requests."+pair.name, "500m"),
				"not a quantity such as 500m or 1Gi")
			continue
		}
		if pair.name == "cpu" && pair.limit == "" {
			continue
		}
		limit, err := resource.ParseQuantity(pair.limit)
		if err != nil {
			found.add(key+".limits."+pair.name, pair.limit, found.setPath(key+".limits."+pair.name, "1"),
				"not a quantity such as 500m or 1Gi")
			continue
		}
		if request.Cmp(limit) > 0 {
			found.add(key+".requests."+pair.name, pair.request, found.setPath(key+".requests."+pair.name, pair.limit),
				"more than the limit %s", pair.limit)
		}
	}
}

func (p Probes) validate(found *problems, key string) {
	for name, probe := range map[string]Probe{"liveness": p.Liveness, "readiness": p.Readiness, "startup": p.Startup} {
		if name == "startup" && probe.FailureThreshold == 0 {
			continue
		}
		if !strings.HasPrefix(probe.Path, "/") {
			found.add(key+"."+name+".path", probe.Path, found.setPath(key+"."+name+".path", "/health/"+name),
				"must begin with /")
		}
		if probe.Period < 1 || probe.Timeout < 1 || probe.FailureThreshold < 1 || probe.InitialDelay < 0 {
			found.add(key+"."+name, fmt.Sprintf("%+v", probe), "",
				"periodSeconds, timeoutSeconds and failureThreshold are at least 1, initialDelaySeconds at least 0")
		}
	}
}

// secretUses lists every reference to a secret with what needs it, sorted.
func (s *Settings) secretUses() []secretUse {
	logins := slices.Concat(s.PrometheusAuth.uses(prometheusAuth), s.AlertmanagerAuth.uses(alertmanagerAuth))
	// A text that names no secret is refused where it stands: it may be the credential itself.
	logins = slices.DeleteFunc(logins, func(use secretUse) bool { return !isSecretName(use.ref) })
	uses := slices.Concat(s.podSecretUses(), logins)
	slices.SortFunc(uses, func(a, b secretUse) int { return strings.Compare(a.by, b.by) })
	return uses
}

// podSecretUses are those of the pods, the guard's among them.
func (s *Settings) podSecretUses() []secretUse {
	var uses []secretUse
	for name, ref := range s.SecretEnv {
		uses = append(uses, secretUse{"secretEnv." + name, ref})
	}
	uses = append(uses, secretUse{"smoke.originFrom", s.Smoke.OriginFrom}, secretUse{"smoke.tokenFrom", s.Smoke.TokenFrom},
		secretUse{"guard.webhookToken", s.Guard.WebhookToken})
	uses = append(uses, s.notifyUses()...)
	slices.SortFunc(uses, func(a, b secretUse) int { return strings.Compare(a.by, b.by) })
	return slices.DeleteFunc(uses, func(use secretUse) bool { return use.ref == SecretRef{} })
}

type secretUse struct {
	by  string
	ref SecretRef
}

func (s *Settings) validateSecrets(found *problems) {
	reported := map[SecretRef]bool{}
	for _, use := range s.secretUses() {
		key := "secrets." + use.ref.Secret + "." + use.ref.Key
		if _, ok := s.Secret(use.ref); !ok && !reported[use.ref] {
			reported[use.ref] = true
			found.add(key, "", found.setSecret(key), "missing; %s needs it", use.by)
		}
	}
	for name, keys := range s.Secrets {
		if messages := validation.IsDNS1123Subdomain(s.SecretName(name)); len(messages) > 0 {
			found.add("secrets."+name, "", "", "no name for a secret: %s", messages[0])
		}
		for key, value := range keys {
			path := "secrets." + name + "." + key
			if value != "" && value.IsPlaceholder() {
				found.add(path, "", found.setSecret(path), "still holds a placeholder")
			}
		}
	}
	if len(s.Secrets) > 0 && !s.secretsFromKey {
		found.add("secrets", "", found.setSecret("secrets.NAME.KEY"), "its values lie in the stack's file in plain text")
	}
}

// validateMetricsPort checks a port of the metrics' own, which the Service leads to as well.
func (s *Settings) validateMetricsPort(found *problems) {
	if s.Metrics.Port == 0 {
		return
	}
	port(found, "metrics.port", s.Metrics.Port)
	given := strconv.Itoa(int(s.Metrics.Port))
	switch {
	case s.Metrics.Port == s.Container:
		found.add("metrics.port", given, found.remove("metrics.port"), "it is containerPort already")
	case s.Metrics.Port == s.Service.Port:
		found.add("metrics.port", given, found.setPath("service.port", "8080"),
			"service.port has the same number, and a Service leads to one port by it")
	case s.Service.Type != "ClusterIP" && !s.IsGateway():
		found.add("metrics.port", given, found.setPath("service.type", "ClusterIP"),
			"a Service of type %s would publish the metrics", s.Service.Type)
	}
}

func (s *Settings) validateMonitoring(found *problems) {
	s.validateMetricsPort(found)
	for key, name := range map[string]string{
		"metrics.requestsTotal": s.Metrics.RequestsTotal, "metrics.durationBucket": s.Metrics.DurationBucket,
	} {
		if !metricName.MatchString(name) {
			found.add(key, name, "", "no name of a metric: allowed are letters, digits, _ and :")
		}
	}
	if !labelName.MatchString(s.Metrics.StatusLabel) {
		found.add("metrics.statusLabel", s.Metrics.StatusLabel, "", "no name of a label: allowed are letters, digits and _")
	}
	if s.Metrics.Interval < model.Duration(time.Second) {
		found.add("metrics.interval", s.Metrics.Interval.String(), found.setPath("metrics.interval", "15s"),
			"must be at least 1s")
	}
	for label := range s.Metrics.Selector {
		if !labelName.MatchString(label) {
			found.add("metrics.selector", label, "", "no name of a label: allowed are letters, digits and _")
		}
	}
	s.validateDashboard(found)
	for label, pattern := range s.Metrics.Exclude {
		if !labelName.MatchString(label) {
			found.add("metrics.exclude", label, "", "no name of a label: allowed are letters, digits and _")
		}
		if _, err := regexp.Compile(pattern); err != nil {
			found.add("metrics.exclude", pattern, found.setPath("metrics.exclude."+label, DefaultExcludedPaths),
				"no regular expression for the label %s: %v", label, err)
		}
	}
	if _, err := regexp.Compile(s.Metrics.ErrorPattern); err != nil || s.Metrics.ErrorPattern == "" {
		found.add("metrics.errorPattern", s.Metrics.ErrorPattern, found.setPath("metrics.errorPattern", "5.."),
			"no regular expression for a status: %v", err)
	}
	for key, address := range map[string]string{"dashboardURL": s.DashboardURL, "runbookURL": s.RunbookURL} {
		if parsed, err := url.Parse(address); address != "" && (err != nil || parsed.Host == "" ||
			!strings.HasPrefix(parsed.Scheme, "http")) {
			found.add(key, address, found.set(key, "https://grafana.example.com"), "no http or https address")
		}
	}
}

func (s *Settings) validateDashboard(found *problems) {
	if uid := s.DashboardUID(); len(uid) > 40 {
		found.add("monitoring.dashboardPrefix", s.Monitoring.DashboardPrefix,
			found.setPath("monitoring.dashboardPrefix", "finance"),
			"the dashboard's uid %q is longer than the 40 characters that Grafana allows", uid)
	}
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

func (s *Settings) validateGates(found *problems) {
	for key, share := range map[string]float64{
		"criteria.errorRate": s.Criteria.ErrorRate, "criteria.rollbackErrorRate": s.Criteria.RollbackErrorRate,
		"criteria.slowShare": s.Criteria.SlowShare,
	} {
		if share <= 0 || share >= 1 {
			found.add(key, fmt.Sprint(share), found.setPath(key, suggestedShare(share)),
				"a share of the requests: allowed is more than 0 and less than 1")
		}
	}
	if s.Criteria.ErrorRate > s.Criteria.RollbackErrorRate {
		found.add("criteria.errorRate", fmt.Sprint(s.Criteria.ErrorRate), found.setPath("criteria.errorRate", "0.005"),
			"must not be above criteria.rollbackErrorRate, which is %v", s.Criteria.RollbackErrorRate)
	}
	if s.Criteria.Confidence <= 0.5 || s.Criteria.Confidence >= 1 {
		found.add("criteria.confidence", fmt.Sprint(s.Criteria.Confidence), found.setPath("criteria.confidence", "0.95"),
			"allowed is more than 0.5 and less than 1")
	}
	if s.Criteria.Latency <= 0 {
		found.add("criteria.latency", s.Criteria.Latency.String(), found.setPath("criteria.latency", "500ms"),
			"must be more than 0")
	}
	if s.Bake.Duration > 0 {
		s.validateBake(found)
	}
	s.validatePrometheus(found)
}

// suggestedShare takes a number above 1 for a percentage.
func suggestedShare(share float64) string {
	if share <= 1 || share >= 100 {
		return "0.01"
	}
	return strconv.FormatFloat(share/100, 'g', 10, 64)
}

// validatePrometheus asks for a Prometheus where a gate does. A canary is soaked, also where nothing is baked.
func (s *Settings) validatePrometheus(found *problems) {
	_, err := endpoint.Parse(s.Prometheus)
	if s.Bake.Duration <= 0 && !s.HasCanary() && !errors.Is(err, endpoint.ErrCredentials) {
		return
	}
	if s.Prometheus == "" {
		found.add("prometheus", "", found.set("prometheus", "monitoring/prometheus-operated:9090"),
			"missing; the bake and the soak ask it. Allowed is an http(s) address, or namespace/service:port of a Service in "+
				"the cluster")
	} else {
		found.server("prometheus", s.Prometheus, "monitoring/prometheus-operated:9090", prometheusAuth)
	}
}

func (s *Settings) validateBake(found *problems) {
	if s.Bake.Interval <= 0 || s.Bake.Interval > s.Bake.Duration {
		found.add("bake.interval", s.Bake.Interval.String(), found.setPath("bake.interval", "15s"),
			"must be more than 0 and at most bake.duration, which is %s", s.Bake.Duration)
	}
	if s.Bake.Confidence <= 0.5 || s.Bake.Confidence >= 1 {
		found.add("bake.confidence", fmt.Sprint(s.Bake.Confidence), found.setPath("bake.confidence", "0.9999"),
			"allowed is more than 0.5 and less than 1")
	}
	if s.Bake.MinRequests < 0 {
		found.add("bake.minRequests", strconv.Itoa(s.Bake.MinRequests), found.setPath("bake.minRequests", "100"),
			"must not be negative")
	}
}
