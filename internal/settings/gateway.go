package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// How the requests are split between the tracks.
const (
	// TrafficReplicas splits by pod count, behind one Service.
	TrafficReplicas = "replicas"
	// TrafficGateway splits by the weights of a route of the Gateway API.
	TrafficGateway = "gateway"
)

// Gateway says through which Gateway the requests come, where traffic is gateway.
type Gateway struct {
	// Namespace and Name are the Gateway's; SectionName is one of its listeners, empty for all that allow the route.
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	SectionName string `json:"sectionName"`
	// Kind is that of the route: HTTPRoute, which empty stands for, or GRPCRoute.
	Kind string `json:"kind,omitempty"`
	// Route names a route that somebody else makes, in the stack's namespace. Only the weights of its backends are the
	// rollout's; empty for a route of the rollout's own.
	Route string `json:"route,omitempty"`
	// Testers lead to the canary whatever its weight is, 0 excepted; nil for nobody.
	Testers *Testers `json:"testers,omitempty"`
	// Hostnames are the hosts that the route is for; none means all of the listener's.
	Hostnames []string `json:"hostnames"`
	// Rules are those of the route, without backends; none means one for all requests.
	Rules []RouteRule `json:"rules,omitempty"`
	// StableReplicas are the stable pods that are kept at every weight; 0 means replicas, with which going back is one
	// change of the weight.
	StableReplicas int `json:"stableReplicas"`
	// Timeout is how long the Gateway may take to accept a change of the route.
	Timeout model.Duration `json:"timeout"`
}

// Autoscale lets a HorizontalPodAutoscaler choose the pods of a track.
type Autoscale struct {
	// Min is the fewest pods; the plan's count where that is more. Max is the most.
	Min int `json:"min"`
	Max int `json:"max"`
	// CPUPercent is the use of the requested CPU that is aimed at, in percent.
	CPUPercent int `json:"cpuPercent"`
}

// longestName is the most that the name of a Service may have.
const longestName = validation.DNS1035LabelMaxLength

// IsGateway reports whether the requests are split by the weights of a route.
func (s *Settings) IsGateway() bool { return s.Traffic == TrafficGateway }

// weigh is the target position where a route splits the requests: every whole percent can be had.
func (s *Settings) weigh(weight int) (plan.Position, error) {
	kept := s.Gateway.StableReplicas
	if kept == 0 {
		kept = s.Replicas
	}
	position, err := plan.Weigh(s.Week, weight, s.Replicas, min(kept, s.Replicas))
	if err != nil {
		return position, err
	}
	position.Stable = atLeast(position.Stable, s.Stable.Autoscale)
	position.Canary = atLeast(position.Canary, s.Canary.Autoscale)
	return position, nil
}

// PositionAt is the position at a weight, with the pods that the stack's split of the requests needs.
func (s *Settings) PositionAt(weight int) (plan.Position, error) {
	if s.IsGateway() {
		return s.weigh(weight)
	}
	return plan.Split(s.Week, weight, s.Replicas, s.WarmStable)
}

// atLeast is the planned count of a track's pods, or the autoscaler's least where that is more. A track that shall
// have none has none: an autoscaler rests then.
func atLeast(planned int, autoscale *Autoscale) int {
	if autoscale == nil || planned == 0 {
		return planned
	}
	return max(planned, autoscale.Min)
}

// validateTraffic checks how the requests are split.
func (s *Settings) validateTraffic(errs *problems) {
	oneOf(errs, "traffic", s.Traffic, TrafficReplicas, TrafficGateway)
	s.validateAutoscale(errs, "stable", s.Stable.Autoscale)
	s.validateAutoscale(errs, "canary", s.Canary.Autoscale)
	if !s.IsGateway() {
		return
	}
	if s.IsSingle() {
		errs.add("traffic", s.Traffic, errs.set("traffic", TrafficReplicas),
			"a stack with strategy %q has one track, and nothing to split", StrategySingle)
	}
	s.validateGateway(errs)
	if s.Service.SessionAffinity {
		errs.add("service.sessionAffinity", "true", errs.setPath("service.sessionAffinity", "false"),
			"requests that come through the Gateway pass the Service by; the Gateway has settings of its own for sessions, "+
				"which distort the split as well")
	}
}

func (s *Settings) validateGateway(errs *problems) {
	s.validateRouteKind(errs)
	if s.Gateway.Route != "" {
		s.validateForeignRoute(errs)
	} else {
		s.validateOwnRoute(errs)
	}
	if kept := s.Gateway.StableReplicas; kept < 0 || kept > s.Replicas {
		errs.add("gateway.stableReplicas", strconv.Itoa(kept), errs.setPath("gateway.stableReplicas",
			strconv.Itoa(s.Replicas)),
			"allowed are 1 to replicas, which is %d, or 0 for all of them", s.Replicas)
	}
	if time.Duration(s.Gateway.Timeout) < time.Second {
		errs.add("gateway.timeout", s.Gateway.Timeout.String(), errs.setPath("gateway.timeout", "1m"), "at least 1s")
	}
	// The Services of the tracks are named after the Service.
	if most := longestName - len("-canary"); len(s.ServiceName) > most {
		errs.add("serviceName", s.ServiceName, errs.set("serviceName", "NAME"), "at most %d characters where traffic is %s",
			most,
			TrafficGateway)
	}
}

// validateOwnRoute checks what the rollout makes a route of.
func (s *Settings) validateOwnRoute(errs *problems) {
	for _, name := range []struct{ key, value, what string }{
		{"gateway.name", s.Gateway.Name, "it names the Gateway that the requests come through"},
		{"gateway.namespace", s.Gateway.Namespace, "it names the namespace of the Gateway"},
	} {
		if name.value == "" {
			errs.add(name.key, "", errs.setPath(name.key, "NAME"), "missing; %s", name.what)
		} else if messages := validation.IsDNS1123Subdomain(name.value); len(messages) > 0 {
			errs.add(name.key, name.value, errs.setPath(name.key, suggestedName(name.value)), "%s", messages[0])
		}
	}
	if section := s.Gateway.SectionName; section != "" {
		if messages := validation.IsDNS1123Subdomain(section); len(messages) > 0 {
			errs.add("gateway.sectionName", section, errs.setPath("gateway.sectionName", suggestedName(section))+", or "+
				errs.remove("gateway.sectionName"), "%s", messages[0])
		}
	}
	for i, host := range s.Gateway.Hostnames {
		check := validation.IsDNS1123Subdomain
		if strings.HasPrefix(host, "*.") {
			check = validation.IsWildcardDNS1123Subdomain
		}
		if messages := check(host); len(messages) > 0 {
			key := fmt.Sprintf("gateway.hostnames[%d]", i)
			errs.add(key, host, errs.setPath(key, "finance.example.com"), "%s", messages[0])
		}
	}
	s.validateRules(errs)
	s.validateTesters(errs)
}

func (s *Settings) validateAutoscale(errs *problems, track string, autoscale *Autoscale) {
	if autoscale == nil {
		return
	}
	key := track + ".autoscale"
	if !s.IsGateway() {
		errs.add(key, "", errs.remove(key)+", or "+errs.set("traffic", TrafficGateway),
			"where traffic is %s, the canary's share of the pods is its share of the requests: an autoscaler would change "+
				"the split", TrafficReplicas)
		return
	}
	if autoscale.Min < 0 {
		errs.add(key+".min", strconv.Itoa(autoscale.Min), errs.setPath(key+".min", "1"),
			"allowed are 1 and more, or 0 for the plan's count")
	}
	if least := max(s.Replicas, autoscale.Min); autoscale.Max < least || autoscale.Max > mostReplicas {
		errs.add(key+".max", strconv.Itoa(autoscale.Max), errs.setPath(key+".max", strconv.Itoa(least)),
			"allowed are %d, which the plan may need, to %d", least, mostReplicas)
	}
	if autoscale.CPUPercent < 1 {
		errs.add(key+".cpuPercent", strconv.Itoa(autoscale.CPUPercent), errs.setPath(key+".cpuPercent", "70"),
			"at least 1; it is relative to resources.requests.cpu")
	}
}
