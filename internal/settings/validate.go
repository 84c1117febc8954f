package settings

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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

func (s *Settings) validate(errs *problems) {
	s.validateNames(errs)
	s.validateTraffic(errs)
	s.validatePosition(errs)
	s.validateAdvance(errs)
	s.validateHolds(errs)
	s.validateAuto(errs)
	s.validateImages(errs)
	s.validateService(errs)
	s.validatePods(errs)
	s.validatePodShape(errs)
	s.validateOverlays(errs)
	s.validateSecrets(errs)
	s.validateExisting(errs)
	s.validateMonitoring(errs)
	s.validateGates(errs)
	s.validateFloors(errs)
	s.validateLedger(errs)
	s.validateGuard(errs)
	s.validateNotify(errs)
	s.validateLogins(errs)
	s.validatePreflight(errs)
}

func oneOf(errs *problems, key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		errs.add(key, value, errs.set(key, likeliest(value, allowed)), "allowed are %s", strings.Join(allowed, ", "))
	}
}

// likeliest is what a value was probably meant to be, the first one that is allowed where nothing is near.
func likeliest(value string, allowed []string) string {
	if near := nearest(strings.TrimSpace(value), allowed); near != "" {
		return near
	}
	return allowed[0]
}

func (s *Settings) validateService(errs *problems) {
	port(errs, "containerPort", s.Container)
	port(errs, "service.port", s.Service.Port)
	if s.Service.NodePort != 0 {
		port(errs, "service.nodePort", s.Service.NodePort)
	}
	allowed := []string{"ClusterIP", "NodePort", "LoadBalancer"}
	if !slices.Contains(allowed, s.Service.Type) {
		errs.add("service.type", s.Service.Type, errs.setPath("service.type", likeliest(s.Service.Type, allowed)),
			"allowed are %s", strings.Join(allowed, ", "))
	}
	for i, egress := range s.Network.EgressPorts {
		port(errs, fmt.Sprintf("network.egressPorts[%d]", i), egress)
	}
	for i, api := range s.Network.APIServerPorts {
		port(errs, fmt.Sprintf("network.apiServerPorts[%d]", i), api)
	}
}

func port(errs *problems, key string, value Port) {
	if value < 1 || value > 65535 {
		errs.add(key, strconv.Itoa(int(value)), "", "allowed are 1 to 65535")
	}
}

func (s *Settings) validatePods(errs *problems) {
	resources(errs, "resources", s.Resources)
	s.Probes.validate(errs, "probes")
	for name, track := range map[string]TrackOverride{"stable": s.Stable, "canary": s.Canary} {
		if track.Resources != nil {
			resources(errs, name+".resources", *track.Resources)
		}
		if track.Probes != nil {
			track.Probes.validate(errs, name+".probes")
		}
	}
	if s.Shutdown.PreStop < 1 {
		errs.add("shutdown.preStopSeconds", strconv.Itoa(s.Shutdown.PreStop), errs.setPath("shutdown.preStopSeconds", "5"),
			"at least 1: a pod that stops at once fails the requests that are still sent to it")
	} else if s.Shutdown.Grace <= s.Shutdown.PreStop {
		errs.add("shutdown.gracePeriodSeconds", strconv.Itoa(s.Shutdown.Grace),
			errs.setPath("shutdown.gracePeriodSeconds", "30"),
			"must be longer than preStopSeconds, which is %d", s.Shutdown.PreStop)
	}
	if time.Duration(s.ProgressLimit) < 10*time.Second {
		errs.add("progressTimeout", s.ProgressLimit.String(), errs.set("progressTimeout", "10m"), "at least 10s")
	}
}

func resources(errs *problems, key string, r Resources) {
	pairs := []struct{ name, request, limit string }{
		{"cpu", string(r.Requests.CPU), string(r.Limits.CPU)}, {"memory", string(r.Requests.Memory), string(r.Limits.Memory)},
	}
	for _, pair := range pairs {
		request, ok := quantity(errs, key+".requests.", pair.name, pair.request)
		if !ok || pair.name == "cpu" && pair.limit == "" {
			continue
		}
		limit, ok := quantity(errs, key+".limits.", pair.name, pair.limit)
		if ok && request.Cmp(limit) > 0 {
			errs.add(key+".requests."+pair.name, pair.request, errs.setPath(key+".requests."+pair.name, pair.limit),
				"more than the limit %s", pair.limit)
		}
	}
}

// quantity reads an amount of processors or of memory.
func quantity(errs *problems, at, name, text string) (resource.Quantity, bool) {
	parsed, err := resource.ParseQuantity(text)
	problem := "not a quantity such as 500m or 1Gi"
	if err == nil {
		problem = mistakenQuantity(name, parsed)
	}
	if problem != "" {
		errs.add(at+name, text, errs.setPath(at+name, meantQuantity(name, text)), "%s", problem)
	}
	return parsed, problem == ""
}

func (p Probes) validate(errs *problems, key string) {
	for name, probe := range map[string]Probe{"liveness": p.Liveness, "readiness": p.Readiness, "startup": p.Startup} {
		if name == "startup" && probe.FailureThreshold == 0 {
			continue
		}
		if !strings.HasPrefix(probe.Path, "/") {
			errs.add(key+"."+name+".path", probe.Path, errs.setPath(key+"."+name+".path", "/health/"+name),
				"must begin with /")
		}
		for _, field := range []struct {
			name                string
			value, least, usual int
		}{
			{"periodSeconds", probe.Period, 1, 10}, {"timeoutSeconds", probe.Timeout, 1, 5},
			{"failureThreshold", probe.FailureThreshold, 1, 3}, {"initialDelaySeconds", probe.InitialDelay, 0, 0},
		} {
			if at := key + "." + name + "." + field.name; field.value < field.least {
				errs.add(at, strconv.Itoa(field.value), errs.setPath(at, strconv.Itoa(field.usual)), "at least %d", field.least)
			}
		}
	}
}

// secretUses lists every reference to a secret with what needs it, sorted.
func (s *Settings) secretUses() []secretUse {
	logins := slices.Concat(s.PrometheusAuth.uses(prometheusAuth), s.AlertmanagerAuth.uses(alertmanagerAuth),
		s.ownUses())
	// A text that names no secret is refused where it stands: it may be the credential itself.
	logins = slices.DeleteFunc(logins, func(use secretUse) bool { return !isSecretName(use.ref) })
	uses := slices.Concat(s.podSecretUses(), logins, s.ledgerUses())
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
		secretUse{"guard.webhookToken", s.Guard.WebhookToken}, secretUse{"guard.dashboardToken", s.Guard.DashboardToken})
	uses = append(uses, s.notifyUses()...)
	slices.SortFunc(uses, func(a, b secretUse) int { return strings.Compare(a.by, b.by) })
	return slices.DeleteFunc(uses, func(use secretUse) bool { return use.ref == SecretRef{} })
}

type secretUse struct {
	by  string
	ref SecretRef
}

func (s *Settings) validateSecrets(errs *problems) {
	reported := map[SecretRef]bool{}
	for _, use := range s.secretUses() {
		key := "secrets." + use.ref.Secret + "." + use.ref.Key
		if _, ok := s.Secret(use.ref); !ok && !reported[use.ref] {
			reported[use.ref] = true
			errs.add(key, "", errs.setSecret(key), "missing; %s needs it", use.by)
		}
	}
	for name, keys := range s.Secrets {
		if messages := validation.IsDNS1123Subdomain(s.SecretName(name)); len(messages) > 0 {
			errs.add("secrets."+name, "", "", "no name for a secret: %s", messages[0])
		}
		for key, value := range keys {
			path := "secrets." + name + "." + key
			if value != "" && value.IsPlaceholder() {
				errs.add(path, "", errs.setSecret(path), "still holds a placeholder")
			}
		}
	}
	if len(s.Secrets) > 0 && !s.secretsFromKey {
		errs.add("secrets", "", errs.setSecret("secrets.NAME.KEY"), "its values lie in the stack's file in plain text")
	}
}

func (s *Settings) validateMonitoring(errs *problems) {
	s.validateMetrics(errs)
	s.validateDashboard(errs)
	for key, address := range map[string]string{"dashboardURL": s.DashboardURL, "runbookURL": s.RunbookURL} {
		if parsed, err := url.Parse(address); address != "" && (err != nil || parsed.Host == "" ||
			!strings.HasPrefix(parsed.Scheme, "http")) {
			errs.add(key, address, errs.set(key, "https://grafana.example.com"), "no http or https address")
		}
	}
}

func (s *Settings) validateDashboard(errs *problems) {
	if uid := s.DashboardUID(); len(uid) > 40 {
		errs.add("monitoring.dashboardPrefix", s.Monitoring.DashboardPrefix,
			errs.setPath("monitoring.dashboardPrefix", "finance"),
			"the dashboard's uid %q is longer than the 40 characters that Grafana allows", uid)
	}
}

func (s *Settings) validateGates(errs *problems) {
	for key, share := range map[string]float64{
		"criteria.errorRate": s.Criteria.ErrorRate, "criteria.rollbackErrorRate": s.Criteria.RollbackErrorRate,
		"criteria.slowShare": s.Criteria.SlowShare,
	} {
		if share <= 0 || share >= 1 {
			errs.add(key, fmt.Sprint(share), errs.setPath(key, suggestedShare(share)),
				"a share of the requests: allowed is more than 0 and less than 1")
		}
	}
	if s.Criteria.ErrorRate > s.Criteria.RollbackErrorRate {
		errs.add("criteria.errorRate", fmt.Sprint(s.Criteria.ErrorRate), errs.setPath("criteria.errorRate", "0.005"),
			"must not be above criteria.rollbackErrorRate, which is %v", s.Criteria.RollbackErrorRate)
	}
	if s.Criteria.Confidence <= 0.5 || s.Criteria.Confidence >= 1 {
		errs.add("criteria.confidence", fmt.Sprint(s.Criteria.Confidence), errs.setPath("criteria.confidence", "0.95"),
			"allowed is more than 0.5 and less than 1")
	}
	if s.Criteria.Latency < 0 {
		errs.add("criteria.latency", s.Criteria.Latency.String(), errs.setPath("criteria.latency", "500ms"),
			"must be more than 0")
	}
	s.validateRelative(errs)
	if s.Bake.Duration > 0 {
		s.validateBake(errs)
	}
	s.validatePrometheus(errs)
}

// suggestedShare takes a number above 1 for a percentage.
func suggestedShare(share float64) string {
	if share <= 1 || share >= 100 {
		return "0.01"
	}
	return strconv.FormatFloat(share/100, 'g', 10, 64)
}

// validatePrometheus asks for a Prometheus where a gate does. A canary is soaked, also where nothing is baked.
func (s *Settings) validatePrometheus(errs *problems) {
	_, err := endpoint.Parse(s.Prometheus)
	if s.Bake.Duration <= 0 && !s.HasCanary() && !errors.Is(err, endpoint.ErrCredentials) {
		return
	}
	if s.Prometheus == "" {
		errs.add("prometheus", "", errs.set("prometheus", "monitoring/prometheus-operated:9090"),
			"missing; the bake and the soak ask it. Allowed is an http(s) address, or namespace/service:port of a Service in "+
				"the cluster")
	} else {
		errs.server("prometheus", s.Prometheus, "monitoring/prometheus-operated:9090", prometheusAuth)
	}
}

func (s *Settings) validateBake(errs *problems) {
	if s.Bake.Interval <= 0 || s.Bake.Interval > s.Bake.Duration {
		errs.add("bake.interval", s.Bake.Interval.String(), errs.setPath("bake.interval", "15s"),
			"must be more than 0 and at most bake.duration, which is %s", s.Bake.Duration)
	}
	if s.Bake.Confidence <= 0.5 || s.Bake.Confidence >= 1 {
		errs.add("bake.confidence", fmt.Sprint(s.Bake.Confidence), errs.setPath("bake.confidence", "0.9999"),
			"allowed is more than 0.5 and less than 1")
	}
	if s.Bake.MinRequests < 0 {
		errs.add("bake.minRequests", strconv.Itoa(s.Bake.MinRequests), errs.setPath("bake.minRequests", "100"),
			"must not be negative")
	}
}
